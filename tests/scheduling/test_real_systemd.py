"""Real timers and services, run by a real systemd with its own view of the machine; as root, where none runs yet."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from src.config.paths import PROJECT_ROOT
from src.scheduling.journal import Journal
from src.scheduling.places import sweep_folder
from src.scheduling.units import write_service, write_timer
from src.scheduling.when import parse_when
from tests.scheduling.box import Box
from tests.sweep.site import wait_until

SYSTEMD = Path("/usr/lib/systemd/systemd")

#: Where systemd sorts processes: version 1's hierarchy that has no other purpose.
CGROUPS = Path("/sys/fs/cgroup/systemd")

#: In a namespace of its own /run is its own, and systemd takes the machine for one that it may run on.
NAMESPACE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
#: In a group of its own it sorts no processes but those that it has started.
MANAGER = f"""
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system || exit
echo 0 > "$0/cgroup.procs" || exit
{SYSTEMD} --user --unit=basic.target &
wait
"""

pytestmark = pytest.mark.slow


class Manager:
    """A systemd that runs a user's units."""

    def __init__(self, folder: Path, runtime: Path, group: Path) -> None:
        self.units = folder / "config" / "systemd" / "user"
        self.environment = {**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(runtime)}
        self.process = subprocess.Popen(
            [*NAMESPACE, "sh", "-c", MANAGER, str(group)],
            env=self.environment,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        wait_until(
            lambda: (runtime / "systemd" / "private").exists() or self.process.poll() is not None, "systemd listens"
        )
        assert self.process.poll() is None
        (self.inner,) = psutil.Process(self.process.pid).children()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command where it sees this systemd."""
        return subprocess.run(
            ["nsenter", f"--target={self.inner.pid}", "--mount", "--pid", f"--wd={PROJECT_ROOT}", *command],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )

    def ask(self, *arguments: str) -> str:
        """Returns what `systemctl --user` says."""
        return self.run("systemctl", "--user", *arguments).stdout.strip()

    def schedule(self, *arguments: str) -> str:
        """Returns what `python -m src.schedule` says."""
        answer = self.run(sys.executable, "-m", "src.schedule", *arguments)
        assert answer.returncode == 0, answer.stdout
        return answer.stdout

    def close(self) -> None:
        """Kills it, and with its namespace all that it has started."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def manager(places: Path) -> Iterator[Manager]:
    if Path("/run/systemd/system").exists():
        pytest.skip("a systemd runs this machine, and is left alone")
    if not SYSTEMD.exists() or shutil.which("nsenter") is None:
        pytest.skip("systemd or util-linux is not installed")
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not make namespaces")
    group = CGROUPS / f"fitgap-test-{os.getpid()}"
    # A systemd makes one for its services beside its own group.
    others = [path for path in (CGROUPS / "app.slice",) if not path.exists()]
    try:
        group.mkdir()
    except OSError:
        pytest.skip("this user may not make control groups")
    # The path of a socket must be short.
    with tempfile.TemporaryDirectory() as runtime:
        manager = Manager(places, Path(runtime), group)
        try:
            yield manager
        finally:
            manager.close()
            made = {path for top in (group, *others) for path in (top, *top.rglob("*")) if path.is_dir()}
            for path in sorted(made, reverse=True):
                wait_until(lambda path=path: not (path / "cgroup.procs").read_text(), "all have ended")
                path.rmdir()


def test_a_timer_is_installed_once_and_removed_without_a_trace(manager: Manager) -> None:
    told = manager.schedule("install", "nightly")
    assert "Installed in systemd: nightly." in told
    assert "No systemd answers" not in told
    assert manager.ask("is-enabled", "fitgap-nightly.timer") == "enabled"
    assert manager.ask("is-active", "fitgap-nightly.timer") == "active"
    assert "22:30:00" in manager.ask("list-timers", "fitgap-nightly.timer")
    assert "TimeoutStopUSec=10min" in manager.ask("show", "fitgap-nightly.service", "--property=TimeoutStopUSec")
    assert "Nothing to do" in manager.schedule("install", "nightly")
    assert " yes " in manager.schedule("list")

    manager.schedule("remove", "nightly")
    assert "not-found" in manager.ask("show", "fitgap-nightly.timer", "--property=LoadState")
    assert manager.ask("list-timers", "--all", "--no-legend", "fitgap-*") == ""
    assert not manager.units.exists()


def test_a_timer_starts_a_sweep_which_closes_its_books_when_the_unit_is_stopped(manager: Manager, box: Box) -> None:
    overrides = [*box.overrides, "trainer.epochs=60", "hydra.sweeper.n_trials=2", "hydra.sweeper.pruner=none"]
    command = [sys.executable, "-m", "src.schedule", "run", "nightly", *overrides]
    kept = {key: value for key, value in os.environ.items() if key.startswith("FITGAP_")}
    manager.units.mkdir(parents=True)
    (manager.units / "fitgap-nightly.service").write_text(write_service("nightly", PROJECT_ROOT, command, kept))
    (manager.units / "fitgap-nightly.timer").write_text(write_timer("nightly", PROJECT_ROOT, parse_when("*:*:0/2")))
    manager.ask("daemon-reload")
    manager.ask("start", "fitgap-nightly.timer")
    journal = Journal(sweep_folder("nightly"))
    wait_until(lambda: bool(journal.read()), "the timer has started the sweep")
    log = Path(journal.read()[0].log or "")
    wait_until(lambda: log.exists() and "parent run" in log.read_text(), "the search has begun")

    manager.ask("stop", "fitgap-nightly.timer", "fitgap-nightly.service")
    (shift,) = journal.read()
    assert shift.state == "interrupted"
    assert "digits/nightly: interrupted" in log.read_text()
    assert json.loads((box.folder / "notice").read_text())["state"] == "interrupted"
    # It was told to end, and did: nothing has failed.
    assert manager.ask("is-failed", "fitgap-nightly.service") == "inactive"
