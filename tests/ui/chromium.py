"""A headless Chromium that tests look at pages with, spoken to over a pipe; it needs no package besides."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

#: What Chromium is called on the systems that have it.
_NAMES = ("chromium", "chromium-browser", "google-chrome")

_WIDTH, _HEIGHT = 1600, 2400

#: How long anything on a page may take before a test gives up waiting for it.
_PATIENCE_SECONDS = 90.0


def find_chromium() -> str | None:
    """Returns the path of an installed Chromium that starts: some systems have but a word on how to get it."""
    for path in filter(None, map(shutil.which, _NAMES)):
        if subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    return None


class Chromium:
    """A browser process. Commands and answers of the DevTools protocol are JSON, each ended by a zero byte."""

    def __init__(self, executable: str, folder: Path) -> None:
        arguments = [
            *(executable, "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}"),
            # Containers have neither user namespaces nor much shared memory.
            *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            f"--window-size={_WIDTH},{_HEIGHT}",
        ]
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        log = str(folder / "chromium.log")
        # The browser reads from 3 and writes to 4.
        actions = [
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            (os.POSIX_SPAWN_DUP2, commands, 3),
            (os.POSIX_SPAWN_DUP2, answers, 4),
        ]
        self._pid = os.posix_spawn(executable, arguments, os.environ, file_actions=actions, setsid=True)
        os.close(commands)
        os.close(answers)
        self._received = b""
        self._number = 0

    def open(self, address: str) -> Page:
        """Opens a page in a tab of its own."""
        page = self._attach(self.call("Target.createTarget", url="about:blank")["targetId"])
        page.call("Page.navigate", url=address)
        return page

    def find_frame(self, beginning: str) -> Page:
        """Waits until a page shows a frame of another origin, whose address begins so, and returns it."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for target in self.call("Target.getTargets")["targetInfos"]:
                if target["type"] == "iframe" and target["url"].startswith(beginning):
                    return self._attach(target["targetId"])
            time.sleep(0.1)
        raise AssertionError(f"No page shows a frame {beginning}…")

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Gives a command and returns its answer; events that come meanwhile are dropped."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": params}
        os.write(
            self._commands, json.dumps({**command, **({"sessionId": session} if session else {})}).encode() + b"\0"
        )
        while (message := self._read()).get("id") != self._number:
            pass
        assert "error" not in message, (method, message["error"])
        return dict(message["result"])

    def close(self) -> None:
        """Ends the browser with all its processes."""
        os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._commands)
        os.close(self._answers)

    def _attach(self, target: str) -> Page:
        return Page(self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])

    def _read(self) -> dict[str, Any]:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "Chromium does not answer."
            chunk = os.read(self._answers, 1 << 20)
            assert chunk, "Chromium has ended."
            self._received += chunk
        message, _, self._received = self._received.partition(b"\0")
        return dict(json.loads(message))


class Page:
    """A tab, or a frame in one."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Gives it a command of the DevTools protocol."""
        return self._browser.call(method, self._session, **params)

    def read(self, expression: str) -> Any:
        """Returns the value of a JavaScript expression, as JSON can hold it."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def wait(self, expression: str) -> Any:
        """Waits until a JavaScript expression, which may fail meanwhile, is true, and returns its value."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not (value := self.read(expression)):
            assert time.monotonic() < deadline, (
                f"{expression} never came true on the page that says: {self.text()[:2000]}"
            )
            time.sleep(0.1)
        return value

    def text(self) -> str:
        """Returns what a person can read on the page."""
        return str(self.read("document.body.innerText"))

    def picture(self, path: Path) -> None:
        """Writes a picture of the page, for people who look into why a test failed."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))
