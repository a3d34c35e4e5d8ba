"""One shift from its timer to its notice: what `python -m src.schedule run NAME` does."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from signal import Signals

from rich.console import Console

from src.claims import CPU, ClaimBook
from src.clock import has_come, local_now
from src.config.schedule import ScheduleConfig
from src.errors import FitgapError
from src.occupancy import claims_folder
from src.scheduling.budget import keep_budget
from src.scheduling.goal import Goal, set_goal
from src.scheduling.hangup import ending_on_hangup
from src.scheduling.journal import Journal
from src.scheduling.notice import send_notice
from src.scheduling.places import check_name, sweep_folder
from src.scheduling.remainder import count_remainder, deliver_remainder, name_delivered
from src.scheduling.search_process import Ended, run_search, search_command
from src.scheduling.shift import (
    COMPLETE,
    FAILED,
    INTERRUPTED,
    LOST,
    MISSED,
    NOT_STARTED,
    RUNNING,
    SKIPPED,
    TIMEOUT,
    Shift,
)
from src.scheduling.sweep_file import ScheduledSweep, load_sweep, read_block
from src.scheduling.turn_taking import Turn, take_turn
from src.scheduling.window import find_end
from src.study.standing import Standing, read_standing

#: The study's attribute that names the parent run; `src.sweep.parent` writes it.
_PARENT_ATTRIBUTE = "fitgap.parent_run_id"
#: Exit code of a command whose configuration was refused.
_REFUSED = 2
#: States of a shift that has left something to go on with.
_UNFINISHED = (TIMEOUT, INTERRUPTED, FAILED, LOST)
#: Characters of the log that a failure repeats.
_TAIL = 2000


@ending_on_hangup()
def run_shift(name: str, overrides: Sequence[str], *, by_timer: bool, console: Console) -> Shift:
    """Runs a scheduled sweep once, records what came of it, and tells whoever is to be told.

    Args:
        name: The sweep's name.
        overrides: What is changed on the command line.
        by_timer: Whether a timer has started it, perhaps late: its clock time to end at counts from when it was to
            start, and not from now.
        console: Where to print.

    Raises:
        ConfigError: The sweep cannot be scheduled. If a timer has started it, that has been recorded, and told where
            its block says whom.
        KeyboardInterrupt: A signal has ended it outside of its search; it has been recorded, and told.
        Exception: Something else went wrong; it has been recorded, and told.
    """
    started, journal = local_now(), Journal(sweep_folder(name))
    try:
        sweep = load_sweep(name, overrides)
    except FitgapError as error:
        if by_timer:
            _record_refusal(name, str(error), started, journal, console)
        raise
    shift = Shift(
        sweep=name,
        started=started.isoformat(timespec="microseconds"),
        objective=sweep.objectives.names[0],
        pid=os.getpid(),
        host=platform.node(),
    )
    planned = (sweep.when.last_time(started) if by_timer else None) or started
    try:
        shift = _take_part(sweep, overrides, shift, planned, journal, console)
    except (Exception, KeyboardInterrupt) as error:
        # Also a defect, or a disk that is full: somebody waits for the result.
        _close(sweep.schedule, _break_off(shift, error, journal), journal, console)
        raise
    return _close(sweep.schedule, shift, journal, console)


def _record_refusal(name: str, reason: str, started: datetime, journal: Journal, console: Console) -> None:
    """Records and tells that a file has been refused: nobody reads what a timer's sweep prints."""
    try:
        check_name(name)
    except FitgapError:
        return
    moment = started.isoformat(timespec="microseconds")
    shift = Shift(name, moment, state=FAILED, reason=reason, pid=os.getpid(), host=platform.node())
    _close(read_block(name) or ScheduleConfig(), shift, journal, console)


def _break_off(shift: Shift, error: BaseException, journal: Journal) -> Shift:
    """Returns a shift that an exception has ended, with all that was recorded of it: the next goes on with that."""
    recorded: list[Shift] = []
    with contextlib.suppress(OSError, ValueError):
        recorded = journal.read()
    known = next((other for other in recorded if other.started == shift.started), shift)
    if known.state not in (RUNNING, LOST):
        # Its search had ended, and how is known.
        return known
    if isinstance(error, KeyboardInterrupt):
        return replace(known, state=INTERRUPTED, reason="A signal ended it outside of its search.")
    return replace(known, state=FAILED, reason=str(error) or type(error).__name__)


def _take_part(
    sweep: ScheduledSweep,
    overrides: Sequence[str],
    shift: Shift,
    planned: datetime,
    journal: Journal,
    console: Console,
) -> Shift:
    now = local_now()
    until = find_end(sweep.schedule, planned, now)
    if until is not None and has_come(until, now):
        return replace(shift, state=MISSED, reason=f"It was to run from {_clock(planned)} until {_clock(until)}.")
    with take_turn(ClaimBook(claims_folder()), sweep.name, sweep.schedule, planned, console) as turn:
        if turn.blocking:
            names = "; ".join(claim.describe() for claim in turn.blocking)
            over = turn.until is not None and has_come(turn.until, local_now())
            state = MISSED if over and sweep.schedule.if_running == "wait" else SKIPPED
            return replace(shift, state=state, reason=f"Its GPUs are taken: {names}.")
        for lost in journal.close_lost():
            console.print(f"The shift of {lost.started} is lost: its process was killed, or the machine.")
            for problem in send_notice(sweep.schedule, lost):
                console.print(problem, soft_wrap=True, markup=False)
        shift, ended = _execute(sweep, overrides, shift, turn, journal, console)
    # Its GPUs are another sweep's by now. Who has sent a signal waits, and does not wait for ever.
    return _deliver(sweep, shift, console, at_once=ended.signal is not None)


def _execute(
    sweep: ScheduledSweep, overrides: Sequence[str], shift: Shift, turn: Turn, journal: Journal, console: Console
) -> tuple[Shift, Ended]:
    before = journal.read()
    standing = read_standing(sweep.storage, sweep.study, sweep.objectives)
    goal = set_goal(
        sweep.schedule,
        sweep.study,
        sweep.n_trials,
        _find_unfinished(before, sweep),
        0 if standing is None else standing.counted,
        local_now(),
    )
    if goal.study != sweep.study:
        standing = read_standing(sweep.storage, goal.study, sweep.objectives)
    devices = turn.held.claim.devices
    log = journal.name_log(datetime.fromisoformat(shift.started))
    shift = replace(
        shift,
        until=None if turn.until is None else turn.until.isoformat(timespec="seconds"),
        gpus="all" if devices is None else ",".join(devices),
        study=goal.study,
        begun_with=goal.begun_with,
        n_trials=goal.n_trials,
        counted=0 if standing is None else standing.counted,
        counted_before=0 if standing is None else standing.counted,
        log=str(log),
    )
    journal.write(shift)
    console.print(f"{sweep.name}: {_announce(goal, turn)}; its log is {log}", soft_wrap=True)

    def note_process(pid: int) -> None:
        # It is for people to read: that it cannot be written is no reason to end the search.
        with contextlib.suppress(OSError):
            turn.held.write(replace(turn.held.claim, pid=pid))

    command = search_command(sweep.name, [*overrides, *_to_overrides(goal, turn)])
    _keep_budget(sweep, log, console)
    ended = run_search(command, log, turn.until, [turn.held.descriptor], note_process)
    after = read_standing(sweep.storage, goal.study, sweep.objectives)
    shift = replace(_judge(shift, goal, ended, standing, after, turn.until, before), ended=_now())
    # As long as no other shift of the sweep can begin; where it cannot be written, that is told at the end.
    with contextlib.suppress(FitgapError):
        journal.write(shift)
    if ended.signal is None:
        _keep_budget(sweep, log, console)
    return shift, ended


def _deliver(sweep: ScheduledSweep, shift: Shift, console: Console, *, at_once: bool) -> Shift:
    """Has the tracking store get what it could not get from the search, and notes how many runs it still lacks.

    With `at_once` nothing is delivered, and they are only counted.
    """
    uri = sweep.tracking_uri
    try:
        left = count_remainder(uri) if at_once else deliver_remainder(uri, Path(shift.log or ""))
    except (FitgapError, OSError) as error:
        console.print(f"Nothing more is delivered: {error}", soft_wrap=True, markup=False)
        return shift
    shift = replace(shift, undelivered=left)
    if at_once:
        return shift
    # What was begun without the server has another id by now, which its pages know.
    with contextlib.suppress(FitgapError):
        shift = replace(shift, parent_run_id=name_delivered(uri, shift.parent_run_id))
        shift = replace(shift, best_run_id=name_delivered(uri, shift.best_run_id))
    return shift


def _keep_budget(sweep: ScheduledSweep, log: Path, console: Console) -> None:
    """Keeps the budget of the disk; that its log cannot be written ends nothing."""
    try:
        keep_budget(sweep, log)
    except OSError as error:
        console.print(f"The budget of the disk is not kept: {error}", soft_wrap=True, markup=False)


def _find_unfinished(shifts: Sequence[Shift], sweep: ScheduledSweep) -> Goal | None:
    """Returns what the last shift was to come to, if it did not and can be gone on with."""
    last = next((shift for shift in reversed(shifts) if shift.goal is not None), None)
    if last is None or last.state not in _UNFINISHED:
        return None
    if last.exit_code == _REFUSED and sweep.schedule.study == "new":
        # The sweep has been changed, and its study is refused for good.
        return None
    return last.goal


def _to_overrides(goal: Goal, turn: Turn) -> list[str]:
    overrides = [f"hydra.sweeper.study_name={_quote(goal.study)}", f"hydra.sweeper.n_trials={goal.total}"]
    if turn.until is not None:
        overrides.append(f"hydra.sweeper.until={_quote(turn.until.isoformat(timespec='seconds'))}")
    devices = turn.held.claim.devices
    if devices is not None:
        names = [] if devices == (CPU,) else devices
        overrides.append(f"hydra.launcher.gpus=[{','.join(names)}]")
    return overrides


def _judge(
    shift: Shift,
    goal: Goal,
    ended: Ended,
    before: Standing | None,
    after: Standing | None,
    until: datetime | None,
    earlier: Sequence[Shift],
) -> Shift:
    counted = 0 if after is None else after.counted
    over = ended.out_of_time or (until is not None and has_come(until, local_now()))
    state, reason = COMPLETE, None
    told_to_end = ended.signal is not None or ended.out_of_time
    if ended.killed:
        state, reason = FAILED, "Its time was over, it was told to end, did not, and was killed."
    elif ended.exit_code == 0:
        # With trials left and time too, it has ended for want of improvement.
        state = TIMEOUT if over and counted < goal.total else COMPLETE
    elif told_to_end and counted >= goal.total:
        # It was reporting already: there is nothing left to go on with.
        state = COMPLETE
    elif ended.signal is not None:
        state = INTERRUPTED
    elif ended.out_of_time:
        state = TIMEOUT
    else:
        state, reason = FAILED, _explain(ended, shift)
    best = after.best if after is not None else None
    shift = replace(
        shift,
        state=state,
        reason=reason,
        exit_code=ended.exit_code,
        counted=counted,
        failed=(after.failed if after else 0) - (before.failed if before else 0),
        best=best.objectives[0] if best is not None else None,
        best_run_id=best.run_id if best is not None else None,
        parent_run_id=str(after.attrs[_PARENT_ATTRIBUTE]) if after and _PARENT_ATTRIBUTE in after.attrs else None,
    )
    last = next((other for other in reversed(earlier) if other.best is not None), None)
    if last is None or last.best is None or shift.best is None or last.objective != shift.objective:
        return shift
    return replace(shift, change=shift.best - last.best, compared_to=_clock(datetime.fromisoformat(last.started)))


def _explain(ended: Ended, shift: Shift) -> str:
    """Returns why a search failed: the signal that ended it, or its error, where its log ends with one."""
    if ended.exit_code < 0:
        # What it had printed before says nothing of that.
        return f"The search was ended by {Signals(-ended.exit_code).name}."
    text = Path(shift.log or "").read_text(encoding="utf-8", errors="replace")[-_TAIL:]
    _, found, message = text.rpartition("\nError: ")
    if not found and text.startswith("Error: "):
        found, message = "Error: ", text.removeprefix("Error: ")
    told = message.strip() if found else (text.strip().splitlines() or ["it printed nothing"])[-1]
    return f"The search ended with {ended.exit_code}: {told}"


def _close(schedule: ScheduleConfig, shift: Shift, journal: Journal, console: Console) -> Shift:
    """Records how a shift ended, and tells whoever is to be told."""
    shift = replace(shift, ended=shift.ended or _now())
    # Telling may take minutes, in which this process may be killed.
    problems = _write_down(lambda: journal.write(shift))
    lines = [shift.describe(), *send_notice(schedule, shift)]
    if shift.log is not None and shift.state not in NOT_STARTED:
        problems += _write_down(lambda: _append(Path(shift.log or ""), lines))
    for line in (*lines, *problems):
        console.print(line, soft_wrap=True, markup=False)
    return shift


def _write_down(write: Callable[[], None]) -> list[str]:
    """Writes something, or returns why it cannot be: what could not be written is printed."""
    try:
        write()
    except (FitgapError, OSError) as error:
        return [str(error)]
    return []


def _append(log: Path, lines: Sequence[str]) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))


def _announce(goal: Goal, turn: Turn) -> str:
    begun = "goes on with" if goal.resumed else "starts"
    end = "" if turn.until is None else f" until {_clock(turn.until)}"
    return f"{begun} {goal.study}, {goal.n_trials} trials on {turn.held.claim.name_devices()}{end}"


def _now() -> str:
    return local_now().isoformat(timespec="microseconds")


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
