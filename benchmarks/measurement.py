"""What every benchmark here shares: measuring in turns, ratios round by round, one table, the machine in words.

Seconds differ from one machine to the next and from one minute to the next. So candidates take turns within one run,
and what a benchmark claims is the median of the ratios of measurements that lie next to each other in time.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ratio:
    """How many times one candidate's figure is another's: the median over all rounds, and the extremes."""

    median: float
    minimum: float
    maximum: float

    def __str__(self) -> str:
        """Returns for example `4.2 (3.9 to 4.4)`."""
        return f"{self.median:.2f} ({self.minimum:.2f} to {self.maximum:.2f})"


def interleave(candidates: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Measures all candidates in turns, and every other round in reverse order, so that a slow minute hits them alike.

    Args:
        candidates: Functions that do the work once and return its figure, for example seconds or images per second.
            Whatever has to be warm must be so beforehand.
        rounds: How often each candidate is measured.

    Returns:
        The figures of each candidate, by round.
    """
    figures: dict[str, list[float]] = {name: [] for name in candidates}
    for index in range(rounds):
        for name in list(candidates) if index % 2 == 0 else reversed(list(candidates)):
            figures[name].append(candidates[name]())
    return figures


def ratio(a: Sequence[float], b: Sequence[float]) -> Ratio:
    """Returns how many times `b` the figures `a` are, round by round.

    Raises:
        ValueError: The two were not measured in the same rounds.
    """
    ratios = [first / second for first, second in zip(a, b, strict=True)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))


def describe_machine(packages: Iterable[str] = ("tensorflow", "keras", "numpy")) -> str:
    """Returns the processor, the cores this process may use, Python and the packages' versions, in one line."""
    versions = [f"Python {platform.python_version()}"]
    versions += [f"{package} {importlib.metadata.version(package)}" for package in packages]
    return f"{describe_processor()}; {', '.join(versions)}"


def describe_processor() -> str:
    """Returns the processor and the cores this process may use, in words."""
    return f"{_processor_name()}, {_usable_cores()} cores"


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Prints rows of equal length, the head first, as a Markdown table whose columns after the first are numbers."""
    print(format_table(rows))


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Returns rows of equal length, the head first, as a Markdown table whose columns after the first are numbers."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for row in (rows[0], rule, *rows[1:]):
        first, *others = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("| " + " | ".join([first, *others]) + " |")
    return "\n".join(lines)


def _processor_name() -> str:
    """Returns the processor's name as the system states it, or its architecture."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _usable_cores() -> int:
    """Returns how many cores this process may run on, which a container or `taskset` can limit."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
