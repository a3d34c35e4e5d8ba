"""The page of results: one section for each search, put in the place of the one that was there."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence

from benchmarks.measurement import format_table
from benchmarks.peers.breakdown import Part, list_parts
from benchmarks.peers.candidate import FITGAP
from benchmarks.peers.goals import judge_goals
from benchmarks.peers.result import Result, compare
from benchmarks.peers.search import Search

HEAD = """# fitgap beside its peers

Written by `python -m benchmarks.peers`, whose help says what is measured and how; nothing here is typed by hand.
"""


def write_section(
    search: Search, results: Sequence[Result], parts: Sequence[Part], *, title: str, command: str, machine: str
) -> str:
    """Returns the section of one search, in Markdown.

    Args:
        search: What was searched.
        results: All candidates, also those that could not be measured.
        parts: Where fitgap's time goes; may be empty.
        title: Its title.
        command: The command that measured it.
        machine: The machine in words.
    """
    measured = [result for result in results if result.rounds]
    ours = next(result for result in measured if result.candidate == FITGAP)
    rounds = len(ours.rounds)
    paragraphs = [
        f"## {title}",
        f"{search.title}: {search.num_train:,} images to train on, {search.num_val:,} to validate, in batches of "
        f"{search.batch_size}. Points: {len(search.points)}, {_describe_axes(search)}; epochs: {search.epochs}; "
        f"rounds: {rounds}, each with a seed of its own, after a trial run that is not counted. Seconds and ratios are "
        "medians, with their range over the rounds; accuracies are means over the rounds.",
        f"```bash\n{command}\n```",
        machine,
        format_table(list_speeds(measured, ours)),
        format_table(list_costs(measured, ours)),
        "\n".join(f"- {goal}" for goal in judge_goals(search, results)),
        *_list_missing(results),
    ]
    if parts:
        paragraphs.append(format_table(list_parts(parts)))
    paragraphs.append(format_table(list_versions(measured)))
    return "\n\n".join(paragraphs) + "\n"


def list_speeds(measured: Sequence[Result], ours: Result) -> list[tuple[str, ...]]:
    """Returns the rows of the table of seconds."""
    rows: list[tuple[str, ...]] = [("search", "seconds", "times fitgap's", "seconds per later trial", "times fitgap's")]
    for result in measured:
        later = "seconds_per_later_trial"
        rows.append(
            (
                result.candidate.title,
                f"{result.median('seconds'):.1f}",
                str(result.times(ours)),
                f"{result.median(later):.2f}",
                str(result.times(ours, later)),
            )
        )
    return rows


def list_costs(measured: Sequence[Result], ours: Result) -> list[tuple[str, ...]]:
    """Returns the rows of the table of accuracies and memory."""
    rows: list[tuple[str, ...]] = [
        (
            "search",
            "best val accuracy",
            "minus fitgap's",
            "mean of the points",
            "minus fitgap's",
            "largest process, MB",
            "all processes, MB",
        )
    ]
    for result in measured:
        best, mean = result.best_accuracies(), result.mean_accuracies()
        rows.append(
            (
                result.candidate.title,
                f"{statistics.fmean(best):.4f}",
                "" if result is ours else str(compare(best, ours.best_accuracies())),
                f"{statistics.fmean(mean):.4f}",
                "" if result is ours else str(compare(mean, ours.mean_accuracies())),
                f"{result.median('largest_mb'):,.0f}",
                f"{result.median('total_mb'):,.0f}",
            )
        )
    return rows


def list_versions(measured: Sequence[Result]) -> list[tuple[str, ...]]:
    """Returns the rows of the table of versions."""
    rows: list[tuple[str, ...]] = [("search", "environment", "versions")]
    for result in measured:
        environment = result.candidate.environment or "the project's"
        versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
        rows.append((result.candidate.title, environment, versions))
    return rows


def replace_section(page: str, name: str, section: str) -> str:
    """Returns the page with a section in place of the one of its name, or at the end; an empty page gets a head."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    block = f"{start}\n{section}{end}\n"
    page = page or HEAD
    before, found, after = page.partition(start)
    if not found:
        return f"{page.rstrip()}\n\n{block}"
    return before + block + re.sub(rf"\A.*?{re.escape(end)}\n?", "", after, flags=re.DOTALL)


def _describe_axes(search: Search) -> str:
    return " by ".join(f"{name} {', '.join(map(str, values))}" for name, values in search.axes.items())


def _list_missing(results: Sequence[Result]) -> list[str]:
    missing = [result for result in results if result.missing]
    if not missing:
        return []
    return ["\n".join(f"- {result.candidate.title} is left out: {result.missing}" for result in missing)]
