"""What the doctor looks at of the machine: GPUs, disks, folders, the clock, and who starts timers."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from src.clock import find_unknown, local_zone
from src.config.paths import PROJECT_ROOT
from src.errors import ConfigError, ScheduleError
from src.gpus.driver import PROGRAM
from src.gpus.inventory import find_gpu, read_gpus
from src.gpus.made_up import find_file
from src.gpus.unseen import ADVICE
from src.occupancy import claims_folder
from src.scheduling.finding import GOOD, MEND, UNKNOWN, Finding
from src.scheduling.places import schedule_folder
from src.scheduling.sweep_file import ScheduledSweep
from src.scheduling.systemd import Systemd
from src.scheduling.timers import open_timers
from src.workers.gpus import find_gpus
from src.workers.layout import plan_layout

_SECONDS = 30
#: How long TensorFlow may take to be imported, from a disk that has not read it yet.
_IMPORT_SECONDS = 180
#: Prints how many GPUs TensorFlow sees.
_COUNT = "import tensorflow; print(len(tensorflow.config.list_physical_devices('GPU')))"
#: Bytes that have to be free: a night writes models, logs and databases.
_FREE = 5e9


def examine_machine(sweeps: Sequence[ScheduledSweep]) -> Iterator[Finding]:
    """Yields what is found of the machine."""
    yield from _examine_gpus(sweeps)
    folders = [PROJECT_ROOT / "mlruns", schedule_folder(), claims_folder()]
    for folder in folders:
        yield examine_folder(folder)
    yield from _examine_disks(folders)
    yield _examine_clock()
    yield from _examine_timers(sweeps)


def examine_folder(folder: Path) -> Finding:
    """Returns whether files can be written into a folder, or where there is none, into the next one above it."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            return Finding("folder", GOOD, f"{folder} can be written")
    except OSError as error:
        return Finding(
            "folder",
            MEND,
            f"{folder} cannot be written: {error.strerror}. Give {getpass.getuser()} the right to, or make room.",
        )


def _examine_gpus(sweeps: Sequence[ScheduledSweep]) -> Iterator[Finding]:
    try:
        names, known = find_gpus("auto"), read_gpus()
    except ConfigError as error:
        yield Finding("GPUs", MEND, str(error))
        return
    made_up = find_file()
    if made_up is not None:
        told = f"made up by FITGAP_GPUS={made_up}: unset it where sweeps are to use what there is."
        yield Finding("GPUs", UNKNOWN, told)
    if names:
        gpus = [(name, find_gpu(name, known)) for name in names]
        told = ", ".join(name if gpu is None else gpu.describe() for name, gpu in gpus)
        yield Finding("GPUs", GOOD, f"{len(names)}: {told}")
        if made_up is None:
            yield _examine_sight(names)
    elif shutil.which(PROGRAM) is not None and os.environ.get("CUDA_VISIBLE_DEVICES") is None:
        yield Finding("GPUs", MEND, f"{PROGRAM} is there, but shows none. Run it, and look at the driver.")
    else:
        yield Finding("GPUs", GOOD, "none can be seen; trainings run on the processors")
    for sweep in sweeps:
        try:
            if sweep.layout is None:
                find_gpus(sweep.schedule.gpus)
            else:
                plan_layout(**sweep.layout, gpus=sweep.schedule.gpus)
        except ConfigError as error:
            yield Finding("GPUs", MEND, f"{sweep.name}: {str(error).replace('hydra.launcher.gpus', 'schedule.gpus')}")


def _examine_sight(names: Sequence[str]) -> Finding:
    """Returns whether TensorFlow sees the GPUs; a process of its own says it, which lets go of them when it ends."""
    answer = _ask(sys.executable, "-c", _COUNT, seconds=_IMPORT_SECONDS)
    if answer is None or not answer.isdecimal():
        return Finding("GPUs", UNKNOWN, "TensorFlow could not be asked whether it sees them: it cannot be imported.")
    # Of parts of a GPU (MIG) a process is given one at a time.
    due = 1 if any(name.startswith("MIG-") for name in names) else len(names)
    if int(answer) >= due:
        return Finding("GPUs", GOOD, "TensorFlow sees them")
    return Finding("GPUs", MEND, f"TensorFlow sees {answer} of {len(names)}. {ADVICE}")


def _examine_disks(folders: Sequence[Path]) -> Iterator[Finding]:
    seen = set()
    for folder in folders:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        device = existing.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(existing).free
        told = f"{free / 1e9:.1f} GB free at {existing}"
        if free < _FREE:
            yield Finding(
                "disk",
                MEND,
                f"{told}, which is less than {_FREE / 1e9:g} GB. Make room: `python -m src.disk`.",
            )
        else:
            yield Finding("disk", GOOD, told)


def _examine_clock() -> Finding:
    unknown = find_unknown()
    if unknown is not None:
        told = f"TZ is {unknown!r}, which is no name of the time zone database: sweeps would start and end by UTC."
        return Finding("clock", MEND, f"{told} Name one, such as Europe/Berlin, or unset it.")
    zone = f"time zone {local_zone()}"
    answer = _ask("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if answer == "yes":
        return Finding("clock", GOOD, f"set by NTP; {zone}")
    if answer == "no":
        return Finding("clock", MEND, f"not set by NTP; {zone}. Run `timedatectl set-ntp true`, or install chrony.")
    return Finding("clock", UNKNOWN, f"nobody says whether NTP sets it; {zone}")


def _examine_timers(sweeps: Sequence[ScheduledSweep]) -> Iterator[Finding]:
    try:
        timers = open_timers("auto")
    except ScheduleError as error:
        yield Finding("timers", MEND, str(error))
        return
    installed = timers.list_installed()
    for sweep in sweeps:
        if sweep.name in installed and not timers.is_current(sweep):
            told = f"{sweep.name} is installed otherwise than its file and this shell's variables say."
            yield Finding("timers", MEND, f"{told} Run `python -m src.schedule install {sweep.name}`.")
    missing = [sweep.name for sweep in sweeps if sweep.name not in installed]
    told = f"{timers.name} starts {', '.join(installed) or 'none'}"
    yield Finding("timers", GOOD, told + (f"; not installed: {', '.join(missing)}" if missing else ""))
    if isinstance(timers, Systemd):
        yield _examine_lingering()


def _examine_lingering() -> Finding:
    user = getpass.getuser()
    answer = _ask("loginctl", "show-user", user, "--property=Linger", "--value")
    if answer == "yes":
        return Finding("lingering", GOOD, f"timers of {user} run without a login")
    if answer == "no":
        return Finding(
            "lingering", MEND, f"timers of {user} end when {user} logs out. Run `loginctl enable-linger {user}`."
        )
    return Finding(
        "lingering",
        UNKNOWN,
        f"systemd does not say whether timers of {user} run without a login: `loginctl "
        f"enable-linger {user}` has them do so",
    )


def _ask(program: str, *arguments: str, seconds: float = _SECONDS) -> str | None:
    """Returns what a program prints; None where it cannot be asked."""
    path = shutil.which(program)
    if path is None:
        return None
    try:
        answer = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=seconds, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
