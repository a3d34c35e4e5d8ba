"""Schema of the `schedule` block of a sweep's file: when it starts by itself, for how long, and on which GPUs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from src.config.bounds import bounded


@dataclass
class ScheduleConfig:
    """When a sweep starts by itself; a sweep that is started by hand takes no notice of it.

    Attributes:
        when: A cron expression, `30 22 * * 1-5`, or a calendar of systemd, `Mon..Fri 22:30`; local time.
        until: Clock time, `06:30`, at which it ends: no trial is started any more, and those that run are ended.
        time_limit: Time after which it ends in the same way, with its unit: `8h`, `90min`, `1h30min`.
        priority: Of several that wait for the same GPUs, the one with the highest goes first.
        gpus: GPUs that it takes, and that no other scheduled sweep gets meanwhile: `auto` for all, a number, or a list;
            0 is none.
        unfinished: What becomes of a sweep that did not come to its trials last time: `continue` goes on with it, `new`
            leaves it.
        if_running: What it does where another has its GPUs: `wait`, or `skip` this time.
        study: Whether a `new` study begins each time, or one study has to `grow` by `n_trials` each time.
        disk_gb: Budget for caches, checkpoints and models, in 10^9 bytes, kept before it starts and after it has ended:
            caches are deleted first, then the models furthest behind, never a winner.
        command: Program that is told how it ended, with arguments; it gets JSON on its standard input.
        webhook: Address that is told how it ended, with JSON by POST.
    """

    when: str | None = None
    until: str | None = None
    time_limit: str | None = None
    priority: int = bounded(0, minimum=-1000, maximum=1000)
    gpus: Any = "auto"
    unfinished: str = bounded("continue", choices=("continue", "new"))
    if_running: str = bounded("wait", choices=("wait", "skip"))
    study: str = bounded("new", choices=("new", "grow"))
    disk_gb: float | None = bounded(None, above=0)
    command: str | None = None
    webhook: str | None = None
