"""Timers of systemd, among the user's own units: no root is needed, and none of its rights are had."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from src.errors import ScheduleError
from src.scheduling.sweep_file import ScheduledSweep
from src.scheduling.timers import Change, find_environment, run_arguments
from src.scheduling.units import owner_line, unit_name, write_service, write_timer
from src.whole_file import write_whole

_SECONDS = 60
_ENDINGS = ("service", "timer")


def unit_folder() -> Path:
    """Returns the folder of the user's own units."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "systemd" / "user"


def stamp_path(timer: str) -> Path:
    """Returns the file whose time says when a timer of the user's started something last."""
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "systemd" / "timers" / f"stamp-{timer}"


class Systemd:
    """The user's timers of systemd.

    Attributes:
        name: What they are called.
        root: The checkout whose sweeps they start.
        folder: Where they lie.
    """

    name = "systemd"

    def __init__(self, root: Path) -> None:
        """Takes the checkout."""
        self.root = root
        self.folder = unit_folder()

    def install(self, sweeps: Sequence[ScheduledSweep], *, dry_run: bool) -> Change:
        """Writes the units of sweeps, where they are not there as they should be, and starts their timers.

        Raises:
            ScheduleError: A unit is another checkout's, systemd finds fault with one, or it cannot be written.
        """
        texts = {path: text for sweep in sweeps for path, text in self._write(sweep).items()}
        for path in texts:
            self._check_owner(path)
        changed = {path: text for path, text in texts.items() if dry_run or _read(path) != text}
        change = Change({str(path): text for path, text in changed.items()}, [])
        timers = [unit_name(sweep.name, "timer") for sweep in sweeps]
        if dry_run:
            return change
        before = {path: _read(path) for path in changed}
        try:
            for path, text in changed.items():
                # Variables in it may hold passwords.
                write_whole(path, text.encode(), private=True)
            change.said.extend(verify_units(list(changed)) if changed else [])
        except (ScheduleError, OSError) as error:
            _put_back(before)
            if isinstance(error, OSError):
                raise ScheduleError(f"The units cannot be written to {self.folder}: {error.strerror}.") from error
            raise
        for path in changed:
            stamp = stamp_path(path.name)
            if stamp.exists():
                # Else what its new moments have missed, or an earlier installation's, would start at once.
                stamp.touch()
        change.said.extend(self._start(timers, reload=bool(changed)))
        return change

    def remove(self, names: Sequence[str], *, dry_run: bool) -> Change:
        """Stops the timers of sweeps, and removes their units; a sweep that runs goes on to its end.

        Raises:
            ScheduleError: A unit is another checkout's, or cannot be removed.
        """
        paths = [path for name in names for path in self._paths(name) if path.exists()]
        for path in paths:
            self._check_owner(path)
        change = Change({str(path): None for path in paths}, [])
        if dry_run or not paths:
            return change
        timers = [path.name for path in paths if path.suffix == ".timer"]
        if _has_manager():
            _call("disable", "--now", *timers)
        for path in paths:
            path.unlink()
        for timer in timers:
            # Where nobody was there to do so.
            (self.folder / "timers.target.wants" / timer).unlink(missing_ok=True)
            stamp_path(timer).unlink(missing_ok=True)
        for folder in (self.folder / "timers.target.wants", self.folder):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        if _has_manager():
            _call("daemon-reload")
            _call("reset-failed", *(f"{Path(timer).stem}.service" for timer in timers), check=False)
        return change

    def list_installed(self) -> list[str]:
        """Returns the names of this checkout's sweeps that have a timer."""
        timers = sorted(self.folder.glob("fitgap-*.timer"))
        return [path.stem.removeprefix("fitgap-") for path in timers if self._is_ours(path)]

    def is_current(self, sweep: ScheduledSweep) -> bool:
        """Whether a sweep's units are what would be written now."""
        return all(_read(path) == text for path, text in self._write(sweep).items())

    def _paths(self, name: str) -> list[Path]:
        return [self.folder / unit_name(name, ending) for ending in _ENDINGS]

    def _write(self, sweep: ScheduledSweep) -> dict[Path, str]:
        service, timer = self._paths(sweep.name)
        return {
            service: write_service(sweep.name, self.root, run_arguments(sweep.name), find_environment(private=True)),
            timer: write_timer(sweep.name, self.root, sweep.when),
        }

    def _is_ours(self, path: Path) -> bool:
        return owner_line(self.root) in (_read(path) or "").splitlines()

    def _check_owner(self, path: Path) -> None:
        if path.exists() and not self._is_ours(path):
            raise ScheduleError(
                f"{path} belongs to another checkout, or was written by hand. Remove it there with `python -m "
                "src.schedule remove`, or give the sweep's file another name."
            )

    def _start(self, timers: Sequence[str], *, reload: bool) -> list[str]:
        commands = [["daemon-reload"], ["enable", "--now", *timers]] if reload else [["enable", "--now", *timers]]
        if not _has_manager():
            told = " && ".join(f"systemctl --user {' '.join(command)}" for command in commands)
            return [f"No systemd answers for this user now. Once it does, for instance after logging in: {told}"]
        for command in commands:
            _call(*command)
        if reload:
            # A timer that runs keeps the moments that it was started with.
            _call("restart", *timers)
        return []


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _put_back(before: dict[Path, str | None]) -> None:
    for path, text in before.items():
        if text is None:
            path.unlink(missing_ok=True)
        else:
            write_whole(path, text.encode(), private=True)


def verify_units(paths: Sequence[Path]) -> list[str]:
    """Has systemd read units, where it is installed.

    Returns:
        What kept it from reading them, if anything did.

    Raises:
        ScheduleError: It finds fault with one.
    """
    program = shutil.which("systemd-analyze")
    if program is None:
        return ["systemd-analyze is not on this machine: nobody has checked the units."]
    with tempfile.TemporaryDirectory() as runtime:
        # Where nobody has logged in there is no such folder, without which it reads nothing.
        environment = {"XDG_RUNTIME_DIR": runtime, **os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"}
        answer = subprocess.run(
            [program, "--user", "verify", "--man=no", *map(str, paths)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    # It warns of other units too, and of what it ignores it tells without an exit code.
    lines = answer.stderr.splitlines()
    faults = [line for line in lines if any(path.name in line for path in paths)]
    if faults:
        raise ScheduleError("systemd finds fault with the units, and nothing is installed:\n" + "\n".join(faults))
    return [] if answer.returncode == 0 else [f"systemd-analyze could not check the units: {'; '.join(lines)}"]


def _has_manager() -> bool:
    """Whether a systemd runs the user's units."""
    program = shutil.which("systemctl")
    if program is None:
        return False
    answer = subprocess.run(
        [program, "--user", "is-system-running"], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    return answer.stdout.strip() in ("initializing", "starting", "running", "degraded")


def _call(*arguments: str, check: bool = True) -> None:
    answer = subprocess.run(
        ["systemctl", "--user", *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if check and answer.returncode != 0:
        raise ScheduleError(f"`systemctl --user {' '.join(arguments)}` failed: {answer.stderr.strip()}.")
