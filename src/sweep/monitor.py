"""What a person sees while a search runs: arms, slots, what is done, the best so far, and the time left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from src.ending import COMPLETE, PRUNED
from src.study.study import ArmStudy
from src.study.view import TrialView
from src.sweep.budget import Budget
from src.sweep.clock import format_seconds
from src.sweep.job import Trial
from src.sweep.plan import Search
from src.sweep.values import describe_values

#: Colours of the states in which a trial can end; the other states are failures.
_STYLES = {COMPLETE: "green", PRUNED: "yellow"}


class Monitor(Protocol):
    """Whoever shows a search; a context manager around its loop."""

    def __enter__(self) -> Monitor:
        """Is called before the first trial."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Is called after the last trial."""

    def start(self, trial: Trial) -> None:
        """Is told of a trial that starts."""

    def end(self, trial: Trial, view: TrialView, retry: bool) -> None:
        """Is told of a trial that ended, and whether it will be run again."""

    def warn(self, message: str) -> None:
        """Is told what the person should know."""

    def refresh(self, running: Sequence[Trial], end: str | None) -> None:
        """Is called several times a second, with the reason for which no further trial is started, if there is one."""


class LineMonitor:
    """Prints a line when a trial ends, for output to a file; the base of the table for terminals."""

    def __init__(self, search: Search, studies: Sequence[ArmStudy], budget: Budget) -> None:
        """Takes the search and its studies."""
        self.console: Console = search.console
        self.search = search
        self.studies = studies
        self.budget = budget
        self._durations: list[float] = []
        self._said_end = False

    def __enter__(self) -> LineMonitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def start(self, trial: Trial) -> None:
        """Prints nothing."""

    def end(self, trial: Trial, view: TrialView, retry: bool) -> None:
        """Prints how the trial ended, with which parameters, and where the search stands."""
        if view.seconds is not None:
            self._durations.append(view.seconds)
        line = Text()
        line.append(time.strftime("%H:%M:%S "), style="dim")
        line.append(f"{trial.name} ")
        line.append(view.state, style=_STYLES.get(view.state, "red"))
        line.append(f" {self._describe_value(view)} ")
        line.append(describe_values(view.values), style="dim")
        if retry:
            line.append(" will be run again", style="red")
        elif view.error and view.state not in _STYLES:
            line.append(f" {view.error.splitlines()[0]}", style="red")
        line.append(f"  [{self._describe_progress()}]", style="dim")
        self.console.print(line, soft_wrap=True)

    def warn(self, message: str) -> None:
        """Prints the message."""
        self.console.print(message, style="yellow", soft_wrap=True)

    def refresh(self, running: Sequence[Trial], end: str | None) -> None:
        """Says once that the search ends, and what is waited for."""
        if end is None or self._said_end:
            return
        self._said_end = True
        if running:
            again = " Ctrl-C again ends them at once." if end == "interrupted" else ""
            self.warn(f"No further trial is started: {end}. Waiting for {len(running)} running.{again}")

    def _describe_value(self, view: TrialView) -> str:
        names = self.search.objectives.names
        values = [view.metrics[name] for name in names if name in view.metrics]
        return ", ".join(f"{value:.4g}" for value in values) or "-"

    def _describe_progress(self) -> str:
        counted = sum(study.counts().counted for study in self.studies)
        planned = sum(study.spec.n_trials for study in self.studies)
        left = self.estimate_left()
        text = f"{counted}/{planned}"
        return text if left is None else f"{text}, about {format_seconds(left)} left"

    def estimate_left(self) -> float | None:
        """Returns the seconds until the search ends, from the trials so far; None before the first one has ended."""
        if not self._durations:
            return self.budget.left
        open_trials = sum(max(0, study.spec.n_trials - study.counts().counted) for study in self.studies)
        mean = sum(self._durations) / len(self._durations)
        needed = open_trials * mean / self.search.launching.slots
        return needed if self.budget.left is None else min(needed, max(0.0, self.budget.left))


class TableMonitor(LineMonitor):
    """Keeps a table of arms and slots at the bottom of a terminal, below the lines."""

    def __init__(self, search: Search, studies: Sequence[ArmStudy], budget: Budget) -> None:
        """Takes the search and its studies."""
        super().__init__(search, studies, budget)
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._started: dict[tuple[str, int], float] = {}
        self._drawn = 0.0

    def __enter__(self) -> TableMonitor:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def start(self, trial: Trial) -> None:
        """Notes when the trial started."""
        self._started[trial.arm.name, trial.ask.number] = time.monotonic()

    def refresh(self, running: Sequence[Trial], end: str | None) -> None:
        """Draws the table anew, twice a second."""
        super().refresh(running, end)
        now = time.monotonic()
        if now - self._drawn < 0.5:
            return
        self._drawn = now
        self._live.update(Group(self._draw_arms(), self._draw_slots(running, now)), refresh=True)

    def _draw_arms(self) -> Table:
        names = self.search.objectives.names
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("arm")
        for heading in ("done", "pruned", "failed", "running", f"best {names[0]}"):
            table.add_column(heading, justify="right")
        table.add_column("with")
        for arm, study in zip(self.search.arms, self.studies, strict=True):
            counts, best = study.counts(), study.best()
            table.add_row(
                arm.name,
                f"{counts.counted}/{study.spec.n_trials}",
                str(counts.pruned),
                str(counts.failed),
                str(counts.running),
                "-" if best is None else f"{best.metrics[names[0]]:.4g}",
                "" if best is None else describe_values(best.values),
            )
        return table

    def _draw_slots(self, running: Sequence[Trial], now: float) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for slot in range(self.search.launching.slots):
            if slot < len(running):
                trial = running[slot]
                seconds = now - self._started.get((trial.arm.name, trial.ask.number), now)
                attempt = f" attempt {trial.ask.attempt}" if trial.ask.attempt > 1 else ""
                values = describe_values(trial.ask.values)
                table.add_row(f"slot {slot + 1}", f"{trial.name}{attempt}", format_seconds(seconds), values)
            else:
                table.add_row(f"slot {slot + 1}", "free", "", "")
        left = self.estimate_left()
        unknown = "known after the first trial" if left is None else f"about {format_seconds(left)}"
        table.add_row("time", f"{format_seconds(self.budget.used)} used", "left", unknown)
        return table


def open_monitor(search: Search, studies: Sequence[ArmStudy], budget: Budget) -> Monitor:
    """Returns the monitor that fits the console: a table on a terminal, lines elsewhere."""
    kind = TableMonitor if search.console.is_terminal else LineMonitor
    return kind(search, studies, budget)
