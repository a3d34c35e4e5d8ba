"""Progress of a long preparation: a bar on a terminal, two plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

Unit = Literal["bytes", "images"]


@contextmanager
def report_progress(task: str, total: int | None, unit: Unit, start: int = 0) -> Iterator[Callable[[int], None]]:
    """Reports on stderr how far a task is; yields the function that is told each further amount.

    Args:
        task: What is being done, for example `Downloading http://…`.
        total: The amount at the end; None if it is not known.
        unit: What is counted.
        start: The amount that is there already.
    """
    if sys.stderr.isatty():
        columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False), BarColumn()]
        columns += [DownloadColumn(), TransferSpeedColumn()] if unit == "bytes" else [MofNCompleteColumn()]
        with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
            row = bar.add_task(task, total=total, completed=start)
            yield lambda amount: bar.update(row, advance=amount)
        return
    done, began = start, time.monotonic()

    def advance(amount: int) -> None:
        nonlocal done
        done += amount

    known = f" ({_amount(total, unit)})" if total is not None else ""
    print(f"{task}{known} …", file=sys.stderr, flush=True)
    yield advance
    seconds = time.monotonic() - began
    print(f"{task}: {_amount(done, unit)} in {seconds:.1f} s.", file=sys.stderr, flush=True)


def _amount(number: int, unit: Unit) -> str:
    return f"{number / 1e6:.1f} MB" if unit == "bytes" else f"{number:,} images"
