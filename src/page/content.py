"""What a page shows, as plain values: whoever writes the page needs to know of nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from src.analysis.intervals import Estimate
from src.history import History


@dataclass(frozen=True)
class Panel:
    """One run among the small multiples.

    Attributes:
        name: What tells it from the others: `dropout=0.5`.
        history: Its epochs; may be empty, and may hold values that are not finite.
        onset: Epoch from which it overfits, if it does.
        verdict: `underfitting`, `healthy`, `overfitting` or `diverged`; None where there is nothing to judge.
        reason: The verdict in a sentence.
        failed: Why it has no result; None if it has one.
        link: Address of its page, relative to MLflow's start page; may be empty.
    """

    name: str
    history: History
    onset: int | None = None
    verdict: str | None = None
    reason: str = ""
    failed: str | None = None
    link: str = ""


@dataclass(frozen=True)
class Point:
    """One run in the picture of gap against validation accuracy.

    Attributes:
        name: What tells it from the others.
        gap: Its generalization gap in accuracy, at its best epoch.
        val_accuracy: Its best validation accuracy.
        group: Its arm: points of one arm look alike.
        on_front: Whether no other run has both a smaller gap and a higher validation accuracy.
        link: Address of its page, relative to MLflow's start page; may be empty.
    """

    name: str
    gap: float
    val_accuracy: float
    group: str = ""
    on_front: bool = False
    link: str = ""


@dataclass(frozen=True)
class EffectLine:
    """What one change does, all else equal.

    Attributes:
        change: The change in words: `dropout 0.5 instead of 0`.
        gap: Difference of the gap in accuracy at the best epoch; below 0 is less overfitting.
        val_accuracy: Difference of the best validation accuracy; above 0 is better.
        basis: What the estimate rests on: `3 pairs with equal seeds`.
        verdict: The line in words: `less overfitting, no clear change of validation accuracy`.
        final_gap: Difference of the gap at the last epoch; None where it is not known.
    """

    change: str
    gap: Estimate
    val_accuracy: Estimate
    basis: str
    verdict: str
    final_gap: Estimate | None = None


@dataclass(frozen=True)
class InfluenceLine:
    """How much one searched key matters, for the gap beside validation accuracy.

    Attributes:
        key: The searched key.
        gap_share: Share of the gap's variation that it explains, 0 to 1.
        accuracy_share: Share of the validation accuracy's variation that it explains, 0 to 1.
        gap_effect: Change of the gap from the lower to the upper end of what was searched, or between its categories.
        accuracy_effect: Change of validation accuracy between the same two.
        between: The two: `0.1 → 0.6`.
        verdict: The line in words.
    """

    key: str
    gap_share: float
    accuracy_share: float
    gap_effect: Estimate
    accuracy_effect: Estimate
    between: str
    verdict: str


@dataclass(frozen=True)
class LeaderCell:
    """One cell of the leaderboard.

    Attributes:
        text: As it is shown.
        value: As it is sorted; None sorts by the text, after all numbers.
        link: Where it leads, relative to MLflow's start page; may be empty.
    """

    text: str
    value: float | None = None
    link: str = ""


@dataclass(frozen=True)
class Leaderboard:
    """All runs as a table.

    Attributes:
        header: Headings of the columns; the first one is the run.
        rows: The rows, the best first.
        caption: What the table holds.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[LeaderCell, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Page:
    """All that the page of one sweep shows, in the order in which it is read.

    Attributes:
        title: Name of the sweep.
        question: What it shall answer.
        findings: The answer, a sentence each, the most important first.
        facts: What it was: data set, runs, seeds, state, as name and text.
        caveats: What the reader must not conclude, a sentence each.
        panels: Curves as small multiples, on shared axes.
        panels_note: Which of all runs the panels are; empty where they are all.
        points: Gap against validation accuracy.
        effects: What each change does; of a grid.
        influences: How much each searched key matters; of a search.
        influences_note: What the influences rest on.
        leaderboard: All runs as a table.
        pictures: Further pictures of the sweep, address relative to the page by what they show; may be empty.
        footer: Where the page comes from.
    """

    title: str
    question: str
    findings: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    caveats: tuple[str, ...]
    panels: tuple[Panel, ...]
    panels_note: str
    points: tuple[Point, ...]
    effects: tuple[EffectLine, ...]
    influences: tuple[InfluenceLine, ...]
    influences_note: str
    leaderboard: Leaderboard
    pictures: Mapping[str, str]
    footer: str
