"""What fitgap claims of a search, held against what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers.candidate import FITGAP, PLAIN
from benchmarks.peers.result import Result, compare
from benchmarks.peers.search import Search

#: Megabytes that a slot of fitgap may have more than plain Keras.
MORE_MEMORY_MB = 300


@dataclass(frozen=True)
class Goal:
    """One claim.

    Attributes:
        claim: What was to be.
        found: What was measured.
        met: Whether it is so; None where it was not measured.
    """

    claim: str
    found: str
    met: bool | None

    def __str__(self) -> str:
        """Returns a sentence that begins with whether the claim is met."""
        verdict = {True: "met", False: "not met", None: "not measured"}[self.met]
        return f"**{verdict}**: {self.claim}; {self.found}"


def judge_goals(search: Search, results: Sequence[Result]) -> list[Goal]:
    """Returns the claims of a search, each with what was found; results without rounds are left out."""
    measured = {result.candidate.key: result for result in results if result.rounds}
    ours, plain = measured.get(FITGAP.key), measured.get(PLAIN.key)
    tracked = [result for result in measured.values() if result.candidate.tracked]
    if ours is None:
        return []
    return [
        _judge_tracked(search, ours, tracked),
        *_judge_plain(search, ours, plain),
    ]


def _judge_tracked(search: Search, ours: Result, tracked: Sequence[Result]) -> Goal:
    claim = f"at least {search.times_tracked:g} times as fast as every tracked peer"
    if not tracked:
        return Goal(claim, "no tracked peer took part", None)
    nearest = min(tracked, key=lambda result: result.times(ours).median)
    times = nearest.times(ours)
    return Goal(claim, f"{times} times {nearest.candidate.title}, the nearest", times.median >= search.times_tracked)


def _judge_plain(search: Search, ours: Result, plain: Result | None) -> list[Goal]:
    fast = f"at least {search.times_plain:g} times as fast as plain Keras"
    accurate = "no worse a best validation accuracy than plain Keras's, beyond twice the standard error over the seeds"
    small = f"at most {MORE_MEMORY_MB} MB more in the largest process than plain Keras"
    if plain is None:
        return [Goal(claim, "plain Keras took no part", None) for claim in (fast, accurate, small)]
    times = plain.times(ours)
    difference = compare(ours.best_accuracies(), plain.best_accuracies())
    more = ours.median("largest_mb") - plain.median("largest_mb")
    return [
        Goal(fast, f"{times} times", times.median >= search.times_plain),
        Goal(accurate, f"{difference} on average", None if math.isnan(difference.noise) else not difference.is_worse),
        Goal(small, f"{more:+,.0f} MB", more <= MORE_MEMORY_MB),
    ]
