"""One night: its timers come, something goes wrong, and it is waited for until no process is left."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from signal import SIGTERM

from src.scheduling.shift import COMPLETE, MISSED, TIMEOUT, Shift
from tests.month.corruption import corrupt_checkpoints
from tests.month.machine import MIN_FREE_GB, Machine, kill, name_command
from tests.month.plan import AWAY, Fault, Night, Stage, Start

#: How often it is looked, and how long a night may take, in seconds.
_POLL_SECONDS, _PATIENCE_SECONDS = 0.2, 240.0
#: How long a disk has room for nothing at all, until somebody makes some.
_FULL_SECONDS = 8.0
#: Faults after which a shift that was just about to start may have left no record.
_MAY_LEAVE_NOTHING = (
    Fault.SCHEDULER_KILLED,
    Fault.POWER_CUT,
    Fault.CHECKPOINT_CORRUPTED,
    Fault.STOPPED,
    Fault.DISK_FULL,
)


@dataclass
class Told:
    """What there is to tell of a night.

    Attributes:
        remarks: What came of it, in lines.
        problems: What must not have come of it.
    """

    remarks: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class _Strike:
    """What goes wrong, at its moment."""

    def __init__(self, machine: Machine, night: Night, told: Told) -> None:
        self.machine = machine
        self.night = night
        self.told = told
        self.done = not night.fault.strikes
        self._before = {stage: self._count(stage) for stage in Stage}
        self._moment: float | None = None
        self._relief: float | None = None

    def look(self, schedulers: list[subprocess.Popen[bytes]]) -> None:
        """Does it, if its moment has come, or ends it."""
        if self._relief is not None and time.monotonic() >= self._relief:
            self.machine.disk.empty()
            self._relief = None
        if self.done:
            return
        if self._moment is None and self._has_come_to(self.night.stage):
            self._moment = time.monotonic() + self.night.delay
        if self._moment is not None and time.monotonic() >= self._moment:
            self.done = True
            self.told.remarks.append(self._do(schedulers[0]))
            if self.night.fault == Fault.DISK_FULL:
                # A search waits minutes for a store, which would make this a long night.
                self._relief = time.monotonic() + _FULL_SECONDS

    def _do(self, scheduler: subprocess.Popen[bytes]) -> str:
        machine, fault = self.machine, self.night.fault
        match fault:
            case Fault.TRIAL_KILLED | Fault.SEARCH_KILLED:
                victims = machine.trials() if fault == Fault.TRIAL_KILLED else machine.searches()
                if not victims:
                    return "there was nobody to kill"
                victim = victims[int(self.night.choice * len(victims))]
                kill(victim)
                return f"killed process {victim.pid}"
            case Fault.SCHEDULER_KILLED:
                scheduler.kill()
                return f"killed process {scheduler.pid}"
            case Fault.STOPPED:
                scheduler.send_signal(SIGTERM)
                return f"told process {scheduler.pid} to end"
            case Fault.POWER_CUT:
                machine.kill_all()
                return "killed all processes"
            case Fault.CHECKPOINT_CORRUPTED:
                machine.kill_all()
                corrupted = corrupt_checkpoints(machine.outputs)
                return f"killed all processes, and corrupted {len(corrupted)} checkpoints"
            case Fault.DISK_NEARLY_FULL | Fault.DISK_FULL:
                left = int(MIN_FREE_GB * 5e8) if fault == Fault.DISK_NEARLY_FULL else 0
                machine.disk.fill(left)
                return f"left {left} bytes free"
            case Fault.SERVER_DIES:
                machine.server.kill()
                return "killed the server"
        raise AssertionError(fault)

    def _has_come_to(self, stage: Stage) -> bool:
        if stage == Stage.SEARCHING:
            return bool(self.machine.searches())
        return stage == Stage.STARTED or self._count(stage) > self._before[stage]

    def _count(self, stage: Stage) -> int:
        """Returns how many trials, reports or checkpoints there are in all."""
        patterns = {
            Stage.TRAINING: "*/*/*/trial.json",
            Stage.REPORTING: "*/*/trials.csv",
            Stage.SAVING: "*/*/*/checkpoint*",
        }
        return len(list(self.machine.outputs.glob(patterns[stage]))) if stage in patterns else 0


def live_through(machine: Machine, night: Night, folder: Path) -> Told:
    """Lives through a night, and returns what there is to tell of it.

    Args:
        machine: The machine.
        night: The night.
        folder: Takes what its commands print.
    """
    told = Told()
    has_server = any(start.sweep == AWAY for starts in night.rounds for start in starts)
    if night.fault == Fault.SERVER_AWAY:
        machine.server.kill()
    elif has_server:
        machine.server.start()
    overrides = [f"hydra.sweeper.n_jobs={night.n_jobs}"]
    if night.until is not None:
        overrides.append(f"schedule.until='{night.until}'")
    if night.fault in (Fault.DISK_NEARLY_FULL, Fault.DISK_FULL) and not machine.disk.own:
        told.remarks.append("there is no disk that could be filled: the floor is raised above what is free")
        overrides.append("hydra.sweeper.min_free_gb=1e6")
        night = replace(night, fault=Fault.NONE)
    strike = _Strike(machine, night, told)
    for starts in night.rounds:
        before = {start.sweep: machine.shifts(start.sweep) for start in starts}
        processes = [machine.start(start, folder / f"{night.number}-{start.sweep}.log", *overrides) for start in starts]
        _watch(machine, lambda running=processes: strike.look(running), processes, told)
        new = [shift for sweep, known in before.items() for shift in _list_new(machine, sweep, known)]
        told.remarks += [shift.describe() for shift in new]
        told.problems += _judge(night, starts, new, struck=strike.done)
    if not strike.done:
        told.remarks.append("it was over before anything went wrong")
    machine.disk.empty()
    if has_server:
        machine.server.start()
    return told


def _watch(machine: Machine, look: Callable[[], None], processes: list[subprocess.Popen[bytes]], told: Told) -> None:
    """Waits until processes, and all that they have begun, have ended."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while any(process.poll() is None for process in processes) or machine.processes():
        look()
        running = [claim for claim in machine.claims.read() if claim.running]
        if len(running) > 1:
            told.problems.append(f"Two sweeps had the same GPUs: {'; '.join(claim.describe() for claim in running)}.")
        if time.monotonic() > deadline:
            left = [f"{process.pid} {name_command(process)}" for process in machine.processes()]
            told.problems.append(f"These processes have not ended: {'; '.join(left)}.")
            machine.kill_all()
        time.sleep(_POLL_SECONDS)


def _list_new(machine: Machine, sweep: str, known: list[Shift]) -> list[Shift]:
    moments = {shift.started for shift in known}
    return [shift for shift in machine.shifts(sweep) if shift.started not in moments]


def _judge(night: Night, starts: tuple[Start, ...], new: list[Shift], *, struck: bool) -> list[str]:
    """Returns what the records of a round's shifts should not be."""
    problems = []
    # Once its search is there, it has one.
    excused = struck and night.stage == Stage.STARTED and night.fault in _MAY_LEAVE_NOTHING
    if len(new) > len(starts) or (len(new) < len(starts) and not excused):
        problems.append(f"{len(starts)} timers have come, and {len(new)} shifts are on record.")
    if night.end is None:
        return problems
    is_over = starts[0].moment > night.end
    for shift in new:
        if is_over and shift.state != MISSED:
            problems.append(f"Its time was over, and it is {shift.state}.")
        if not is_over and shift.until != night.end.isoformat():
            problems.append(f"It was to end at {night.end.isoformat()}, and not at {shift.until}.")
        if not is_over and shift.state not in (TIMEOUT, COMPLETE):
            problems.append(f"It had a few seconds, and is {shift.state}.")
    return problems
