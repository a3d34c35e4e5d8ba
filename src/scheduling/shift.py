"""A shift: one execution of a scheduled sweep, as it is recorded and told."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from src.scheduling.goal import Goal
from src.sweep.clock import format_seconds

# States of a shift. Beside them `complete`: it has come to its trials, or to the end of its patience.
COMPLETE = "complete"
#: Its time was over before it had come to its trials.
TIMEOUT = "timeout"
#: A signal has ended it.
INTERRUPTED = "interrupted"
FAILED = "failed"
#: Another sweep had its GPUs, and it does not wait.
SKIPPED = "skipped"
#: Its time was over before it could start.
MISSED = "missed"
#: Its process was killed, or the machine lost.
LOST = "lost"
RUNNING = "running"

#: Those in which nothing was run.
NOT_STARTED = (SKIPPED, MISSED)
#: Those that somebody has to look at.
TROUBLE = (FAILED, MISSED, LOST)


@dataclass(frozen=True)
class Shift:
    """One execution of a scheduled sweep.

    Attributes:
        sweep: The sweep's name.
        started: When it started, in ISO 8601; tells it from the sweep's other shifts.
        state: How it ended.
        ended: When it ended.
        until: When it had to end.
        gpus: What it had.
        study: Its study.
        begun_with: Trials that each arm of the study had before.
        n_trials: Trials that each arm was to get.
        counted: Trials that are done of the arm that has the fewest, with those before.
        counted_before: The same when it started; None where it did not come to that.
        failed: Trials of all arms that failed during the shift.
        objective: Name of what is optimized.
        best: The best value that the study has.
        change: Its difference to that of the last shift which had one.
        compared_to: When that shift started.
        best_run_id: The best trial's run.
        parent_run_id: The parent run in the tracking store.
        undelivered: Runs of its tracking store, this sweep's or others', that the store does not have in full.
        reason: Why it ended as it did.
        exit_code: The search's.
        log: File that holds what the search has printed.
        pid: The process that led it.
        host: Its machine.
    """

    sweep: str
    started: str
    state: str = RUNNING
    ended: str | None = None
    until: str | None = None
    gpus: str | None = None
    study: str | None = None
    begun_with: int = 0
    n_trials: int = 0
    counted: int = 0
    counted_before: int | None = None
    failed: int = 0
    objective: str | None = None
    best: float | None = None
    change: float | None = None
    compared_to: str | None = None
    best_run_id: str | None = None
    parent_run_id: str | None = None
    undelivered: int = 0
    reason: str | None = None
    exit_code: int | None = None
    log: str | None = None
    pid: int | None = None
    host: str | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took; None where it has not ended, or nobody has seen it end."""
        if self.ended is None:
            return None
        return (datetime.fromisoformat(self.ended) - datetime.fromisoformat(self.started)).total_seconds()

    @property
    def new_trials(self) -> int:
        """Trials of each arm that are done and were not before."""
        return max(0, self.counted - self.begun_with)

    @property
    def goal(self) -> Goal | None:
        """What it was to come to; None where it was never begun."""
        return None if self.study is None else Goal(self.study, self.begun_with, self.n_trials)

    @property
    def is_trouble(self) -> bool:
        """Whether somebody has to look at it: it did not start, failed, or ended with nothing, or nothing new."""
        if self.state in TROUBLE:
            return True
        if self.state in (SKIPPED, RUNNING):
            return False
        unfinished = self.goal is not None and self.counted < self.goal.total
        return self.best is None or (unfinished and self.counted == self.counted_before)

    def describe(self) -> str:
        """Returns what came of it, in a line."""
        parts = [f"{self.sweep}: {self.state}"]
        if self.study is not None:
            parts.append(f"{self.new_trials} of {self.n_trials} trials")
        if self.seconds is not None and self.state not in NOT_STARTED:
            parts[-1] += f" in {format_seconds(self.seconds)}"
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.best is not None:
            change = f" ({self.change:+.4g} against {self.compared_to})" if self.change is not None else ""
            parts.append(f"{self.objective} {self.best:.4g}{change}")
        elif self.study is not None and self.state != RUNNING:
            parts.append("no trial has come to a value")
        sentences = [", ".join(parts), *([self.reason] if self.reason else [])]
        if self.undelivered:
            runs = "1 run is" if self.undelivered == 1 else f"{self.undelivered} runs are"
            sentences.append(
                f"{runs} not in the tracking store in full: the next shift delivers what it takes, or python -m "
                "src.deliver."
            )
        return ". ".join(sentence.removesuffix(".") for sentence in sentences) + ("." if sentences[1:] else "")

    def to_json(self) -> str:
        """Returns it as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Shift:
        """Returns a shift that `to_json` has written, also one of a version that knew more of it, or less."""
        values: dict[str, Any] = json.loads(line)
        return cls(**{key: value for key, value in values.items() if key in cls.__dataclass_fields__})
