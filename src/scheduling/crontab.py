"""Timers of cron: lines in the user's crontab, between two lines that mark them; all others stay as they are."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from src.errors import ScheduleError
from src.scheduling.places import schedule_folder
from src.scheduling.sweep_file import ScheduledSweep
from src.scheduling.timers import Change, find_environment, run_arguments

_SECONDS = 60
#: What ends the line of a sweep; it is no comment to cron, but to the shell.
_SWEEP = re.compile(r" # fitgap (\S+)$")


class Crontab:
    """The user's crontab.

    Attributes:
        name: What it is called.
        root: The checkout whose sweeps it starts.
    """

    name = "crontab"

    def __init__(self, root: Path) -> None:
        """Takes the checkout."""
        self.root = root
        self._begin = f"# Sweeps of {root}: written by `python -m src.schedule install`."
        self._end = f"# End of the sweeps of {root}."

    def install(self, sweeps: Sequence[ScheduledSweep], *, dry_run: bool) -> Change:
        """Writes a line for each of the sweeps, where it is not there as it should be.

        Raises:
            ScheduleError: There is no crontab, or it is not taken.
        """
        lines = {sweep.name: self._write(sweep) for sweep in sweeps}
        if dry_run:
            return Change({"crontab": "\n".join(self._block(list(lines.values()))) + "\n"}, [])
        before = _read()
        return self._replace(before, {**self._find(before), **lines})

    def remove(self, names: Sequence[str], *, dry_run: bool) -> Change:
        """Removes the lines of sweeps.

        Raises:
            ScheduleError: There is no crontab, or it is not taken.
        """
        before = _read()
        kept = {name: line for name, line in self._find(before).items() if name not in names}
        if dry_run:
            return Change({f"crontab, line of {name}": None for name in self._find(before) if name not in kept}, [])
        return self._replace(before, kept)

    def list_installed(self) -> list[str]:
        """Returns the names of this checkout's sweeps that have a line."""
        return sorted(self._find(_read()))

    def is_current(self, sweep: ScheduledSweep) -> bool:
        """Whether a sweep's line is what would be written now."""
        return self._find(_read()).get(sweep.name) == self._write(sweep)

    def _write(self, sweep: ScheduledSweep) -> str:
        """Returns the line of a sweep.

        Raises:
            ConfigError: It starts by a calendar of systemd.
        """
        # Whoever lists the machine's processes reads a command's words.
        environment = [f"{key}={value}" for key, value in find_environment(private=False).items()]
        command = shlex.join([*(["env", *environment] if environment else []), *run_arguments(sweep.name)])
        log = shlex.quote(str(schedule_folder() / "cron.log"))
        folder = shlex.quote(str(schedule_folder()))
        line = f"mkdir -p {folder} && cd {shlex.quote(str(self.root))} && {command} >> {log} 2>&1 # fitgap {sweep.name}"
        # To cron a percent sign is the end of the line.
        return f"{sweep.when.to_cron()} " + line.replace("%", "\\%")

    def _find(self, text: str) -> dict[str, str]:
        """Returns this checkout's lines by the names of their sweeps."""
        inside, found = False, {}
        for line in text.splitlines():
            if line == self._begin:
                inside = True
            elif line == self._end:
                inside = False
            elif inside and (match := _SWEEP.search(line)):
                found[match[1]] = line
        return found

    def _block(self, lines: Sequence[str]) -> list[str]:
        return [self._begin, *lines, self._end] if lines else []

    def _replace(self, before: str, lines: dict[str, str]) -> Change:
        ours = {self._begin, self._end, *self._find(before).values()}
        others = [line for line in before.splitlines() if line not in ours]
        block = self._block([lines[name] for name in sorted(lines)])
        after = "".join(f"{line}\n" for line in [*others, *block])
        if after == before:
            return Change({}, [])
        _write(after)
        return Change({"crontab": "\n".join(block) + "\n" if block else None}, [])


def _read() -> str:
    if shutil.which("crontab") is None:
        return ""
    answer = _call("-l")
    if answer.returncode != 0:
        # Without a crontab there is an error, which has no number of its own.
        if "no crontab" in answer.stderr.lower():
            return ""
        raise ScheduleError(f"`crontab -l` failed: {answer.stderr.strip() or 'it said nothing'}.")
    return answer.stdout


def _write(text: str) -> None:
    answer = _call("-", content=text) if text else _call("-r")
    if answer.returncode != 0:
        raise ScheduleError(f"cron does not take the lines: {answer.stderr.strip() or 'it said nothing'}.")


def _call(argument: str, content: str | None = None) -> subprocess.CompletedProcess[str]:
    program = shutil.which("crontab")
    if program is None:
        raise ScheduleError("There is no crontab on this machine. Install cron, or choose --timers systemd.")
    return subprocess.run(
        [program, argument], input=content, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
