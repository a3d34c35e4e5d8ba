"""What happens in which night: drawn from a seed, so that a month, or one night of it, can be lived through again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")
#: The sweep whose study grows, recorded in a file; and that which begins a study each night, recorded by a server.
HOME, AWAY = "home", "away"
#: Evening before the clock is changed: when it is half past two for the first time, or would be.
CHANGES = {
    date(2026, 10, 24): datetime.fromisoformat("2026-10-25T02:30:00+02:00"),
    date(2027, 3, 27): datetime.fromisoformat("2027-03-28T03:30:00+02:00"),
}


class Fault(StrEnum):
    """What goes wrong in a night."""

    NONE = "nothing"
    TRIAL_KILLED = "trial-killed"
    SEARCH_KILLED = "search-killed"
    #: The search goes on without it, as with cron.
    SCHEDULER_KILLED = "scheduler-killed"
    POWER_CUT = "power-cut"
    #: A power cut that has left checkpoints of which not all was written.
    CHECKPOINT_CORRUPTED = "checkpoint-corrupted"
    #: `systemctl stop`, a shutdown.
    STOPPED = "stopped"
    DISK_NEARLY_FULL = "disk-nearly-full"
    #: There is room for nothing at all.
    DISK_FULL = "disk-full"
    SERVER_AWAY = "server-away"
    SERVER_DIES = "server-dies"
    #: The timer of one file comes twice at the same moment.
    TWO_TIMERS = "two-timers"
    #: Those of two files that want the same GPUs come at the same moment.
    TWO_FILES = "two-files"
    CLOCK_CHANGED = "clock-changed"

    @property
    def strikes(self) -> bool:
        """Whether it comes at one moment of the night."""
        return self not in (Fault.NONE, Fault.SERVER_AWAY, Fault.TWO_TIMERS, Fault.TWO_FILES, Fault.CLOCK_CHANGED)


#: What needs a tracking server to happen to.
_SERVERS = (Fault.SERVER_AWAY, Fault.SERVER_DIES)


class Stage(StrEnum):
    """How far a night has come when something goes wrong."""

    STARTED = "started"
    SEARCHING = "searching"
    TRAINING = "training"
    REPORTING = "reporting"
    #: A checkpoint has been written.
    SAVING = "saving"


#: Those that are drawn from for all faults but one that needs a checkpoint.
_STAGES = (Stage.STARTED, Stage.SEARCHING, Stage.TRAINING, Stage.REPORTING)


@dataclass(frozen=True)
class Start:
    """A timer that comes.

    Attributes:
        sweep: The sweep that it starts.
        moment: When.
    """

    sweep: str
    moment: datetime


@dataclass(frozen=True)
class Night:
    """A night.

    Attributes:
        number: Its number within the month, from 0.
        fault: What goes wrong.
        rounds: The timers that come at the same time, round after round.
        stage: When it goes wrong: so many seconds, `delay`, after this has been reached.
        delay: See there.
        n_jobs: Trials that run at a time.
        choice: Which of several processes it hits, from 0 to 1.
        until: Clock time at which sweeps end; None is that of their file.
        end: The moment that this is.
    """

    number: int
    fault: Fault
    rounds: tuple[tuple[Start, ...], ...]
    stage: Stage
    delay: float
    n_jobs: int
    choice: float
    until: str | None = None
    end: datetime | None = None

    def describe(self) -> str:
        """Returns it in a line."""
        first = self.rounds[0][0]
        sweeps = " and ".join(dict.fromkeys(start.sweep for starts in self.rounds for start in starts))
        when = f" {self.delay:.2f} s after {self.stage}" if self.fault.strikes else ""
        moment = f"{first.moment:%a %Y-%m-%d %H:%M:%S%z}"
        return f"night {self.number:2}, {moment}, {sweeps}, {self.n_jobs} jobs: {self.fault}{when}"


def plan_month(seed: int, num_nights: int, faults: Sequence[Fault] = ()) -> list[Night]:
    """Draws the nights of a month, in whose middle the clock is changed.

    Args:
        seed: Of all that is drawn.
        num_nights: How many nights it has.
        faults: What goes wrong in each of them; if none is given, everything does, in an order that is drawn.
    """
    draw = random.Random(seed)
    season = draw.choice(list(CHANGES))
    drawn = list(faults) or _draw_faults(draw, num_nights)
    middle = drawn.index(Fault.CLOCK_CHANGED) if Fault.CLOCK_CHANGED in drawn else num_nights // 2
    evenings = [season + timedelta(days=number - middle) for number in range(num_nights)]
    return [
        _plan_night(number, fault, evening, random.Random(f"{seed} {number}"))
        for number, (fault, evening) in enumerate(zip(drawn, evenings, strict=True))
    ]


def plan_quiet(number: int, sweep: str, evening: date) -> Night:
    """Returns a night in which nothing goes wrong."""
    moment = datetime.combine(evening, time(22, 30), BERLIN)
    return Night(number, Fault.NONE, ((Start(sweep, moment),),), Stage.STARTED, 0.0, 1, 0.0)


def _draw_faults(draw: random.Random, num_nights: int) -> list[Fault]:
    middle, others = num_nights // 2, [fault for fault in Fault if fault != Fault.CLOCK_CHANGED]
    drawn: list[Fault] = []
    while len(drawn) < num_nights:
        # All of them, before one comes again.
        drawn += draw.sample(others, len(others))
    return [*drawn[:middle], Fault.CLOCK_CHANGED, *drawn[middle : num_nights - 1]]


def _plan_night(number: int, fault: Fault, evening: date, draw: random.Random) -> Night:
    sweep = AWAY if draw.random() < 0.4 or fault in _SERVERS else HOME
    stage, delay = draw.choice(_STAGES), round(draw.uniform(0, 1.5), 2)
    n_jobs, choice = draw.randint(1, 2), draw.random()
    # There is nobody to be killed before.
    if fault == Fault.TRIAL_KILLED:
        stage = Stage.TRAINING
    elif fault == Fault.SEARCH_KILLED and stage == Stage.STARTED:
        stage = Stage.SEARCHING
    elif fault == Fault.CHECKPOINT_CORRUPTED:
        # Soon its trial is done, and has none any more.
        stage, delay = Stage.SAVING, 0.0
    if fault == Fault.CLOCK_CHANGED:
        end = CHANGES[evening]
        # The machine was off until shortly before its time was over; and comes again when that has passed, at ten past
        # two for the second time in autumn.
        moments = (end - timedelta(seconds=10), end + timedelta(minutes=40))
        rounds = tuple((Start(sweep, moment.astimezone(BERLIN)),) for moment in moments)
        return Night(number, fault, rounds, stage, delay, n_jobs, choice, until="02:30", end=end)
    moment = datetime.combine(evening, time(22, 30), BERLIN)
    starts = [Start(sweep, moment)]
    if fault == Fault.TWO_TIMERS:
        starts.append(Start(sweep, moment))
    elif fault == Fault.TWO_FILES:
        starts = [Start(HOME, moment), Start(AWAY, moment)]
    return Night(number, fault, (tuple(starts),), stage, delay, n_jobs, choice)
