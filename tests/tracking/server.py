"""A tracking server of our own, with MLflow's pages."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path


class Server:
    """A `mlflow server` on the loopback that can be killed and started again on the same port.

    Attributes:
        folder: Where its files lie.
        variables: What it is told otherwise, as variables of its environment.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.variables = {
            "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder / 'server.db'}",
            "MLFLOW_ARTIFACTS_DESTINATION": str(folder / "artifacts"),
            "MLFLOW_WORKERS": "1",
            # It would be kept waiting for an answer where there is no network.
            "MLFLOW_DISABLE_TELEMETRY": "true",
            # Processes of its own for what nobody here asks of it.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            **(variables or {}),
        }
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self._process is not None:
            return
        command = [sys.executable, "-m", "mlflow", "server"]
        # What a test has set for boxes is not the server's.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "FITGAP_"))}
        place = {"MLFLOW_HOST": "127.0.0.1", "MLFLOW_PORT": str(self.port)}
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env={**inherited, **self.variables, **place},
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError((self.folder / "server.log").read_text())

    def kill(self) -> None:
        if self._process is None:
            return
        # The group, because the server's worker is a process of its own.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
