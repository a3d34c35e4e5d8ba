"""Waiting for GPUs that other scheduled sweeps have, or not waiting for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console

from src.claims import CPU, Claim, ClaimBook, HeldClaim
from src.clock import has_come, local_now
from src.config.paths import PROJECT_ROOT
from src.config.schedule import ScheduleConfig
from src.scheduling.window import find_end
from src.workers.gpus import find_gpus, identify_gpus

#: How often a sweep that waits looks whether it is its turn.
_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Turn:
    """What came of asking for GPUs.

    Attributes:
        held: The claim, which runs if nothing is in its way.
        until: When the sweep has to end.
        blocking: What was in its way at last; empty where it has what it asked for.
    """

    held: HeldClaim
    until: datetime | None
    blocking: list[Claim]


@contextmanager
def take_turn(
    book: ClaimBook, name: str, schedule: ScheduleConfig, planned: datetime, console: Console
) -> Iterator[Turn]:
    """Asks for a sweep's GPUs, and has them for the time of the block, if `blocking` is empty.

    A sweep that waits does so until it is its turn, or its time is over.

    Raises:
        ConfigError: There are not so many GPUs.
    """
    held = book.place(make_claim(name, schedule))
    try:
        yield _await(book, held, schedule, planned, console)
    finally:
        book.release(held)


def make_claim(name: str, schedule: ScheduleConfig) -> Claim:
    """Returns what a sweep claims.

    Raises:
        ConfigError: There are not so many GPUs.
    """
    asked = schedule.gpus
    devices: tuple[str, ...] | None = None
    count: int | None = None
    if asked != "auto":
        names = find_gpus(asked)
        if not names:
            devices = (CPU,)
        elif isinstance(asked, int):
            count = asked
        else:
            devices = tuple(identify_gpus(names))
    return Claim(name, str(PROJECT_ROOT), devices, count=count, priority=schedule.priority)


def _await(book: ClaimBook, held: HeldClaim, schedule: ScheduleConfig, planned: datetime, console: Console) -> Turn:
    gpus = identify_gpus(find_gpus("auto"))
    told: list[str] = []
    while True:
        now = local_now()
        until = find_end(schedule, planned, now)
        if until is not None and has_come(until, now):
            # What is in its way does not matter any more, but it is worth being told.
            return Turn(held, until, book.read_others(held))
        blocking = book.grant(held, gpus, None if until is None else until.isoformat(timespec="seconds"))
        if not blocking or schedule.if_running == "skip":
            return Turn(held, until, blocking)
        names = [claim.describe() for claim in blocking]
        if names != told:
            told = names
            console.print(f"Waiting for {held.claim.name_devices()}. In the way: {'; '.join(names)}.", soft_wrap=True)
        time.sleep(_POLL_SECONDS)
