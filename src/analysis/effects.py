"""What each change does to the gap and to validation accuracy, all else equal: the arms of a grid compared."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from src.analysis.intervals import CONFIDENCE, Estimate, estimate_mean

#: Keys that tell apart what should be alike: runs that differ in them alone repeat each other.
SEED_KEYS = ("seed",)

#: The measures that are compared, by their names in `Observation.values`.
GAP, FINAL_GAP, VAL_ACCURACY = "best_gap_accuracy", "final_gap_accuracy", "best_val_accuracy"
MEASURES = (GAP, FINAL_GAP, VAL_ACCURACY)


@dataclass(frozen=True)
class Observation:
    """One complete run, as evidence.

    Attributes:
        levels: What it was given of each key that differs between the runs, seeds included.
        values: Its figures; the keys of `MEASURES`.
    """

    levels: Mapping[str, str]
    values: Mapping[str, float]


#: Runs that differ in their seeds alone, by these.
_Seeds = dict[tuple[str, ...], Observation]


@dataclass(frozen=True)
class Effect:
    """What it does to give a key one value instead of another.

    Attributes:
        key: The key.
        level: The value.
        baseline: The one it is compared with: the first of the key.
        differences: The mean difference of each measure, with its interval.
        paired: Whether only runs were compared that agree in everything else, seeds included.
        num_contexts: In how many combinations of the other keys the two were compared.
        num_seeds: Most seeds of one combination.
    """

    key: str
    level: str
    baseline: str
    differences: Mapping[str, Estimate]
    paired: bool
    num_contexts: int
    num_seeds: int

    @property
    def count(self) -> int:
        """Observations on which the estimates rest."""
        return next(iter(self.differences.values())).count

    def describe_basis(self) -> str:
        """Returns in words what the estimates rest on."""
        contexts = f" in {self.num_contexts} combinations of the rest" if self.num_contexts > 1 else ""
        if not self.paired:
            return f"{self.num_seeds} seeds at most, none in common{contexts}"
        if self.count == 1:
            return "1 pair: effect and chance cannot be told apart"
        return f"{self.count} pairs of equal seed{contexts}"


def compare_levels(observations: Sequence[Observation], levels: Mapping[str, Sequence[str]]) -> list[Effect]:
    """Returns the effect of each value of each key against the key's first value.

    Runs that agree in all other keys, the seed included, are paired, which takes out what a seed does to both. Where
    two groups of runs have no seed in common, their means make one pair; where there are but these two groups,
    Welch's interval for the difference of two means is taken instead.

    Args:
        observations: The complete runs; those with a measure that is not finite are left out.
        levels: The values of each key in the order in which they were asked for; seeds included.
    """
    usable = [each for each in observations if all(math.isfinite(each.values.get(name, math.nan)) for name in MEASURES)]
    compared = [
        _compare(usable, key, level, values[0])
        for key, values in levels.items()
        if key not in SEED_KEYS
        for level in values[1:]
    ]
    return [effect for effect in compared if effect is not None]


def _compare(observations: Sequence[Observation], key: str, level: str, baseline: str) -> Effect | None:
    changed, unchanged = (
        _by_context([each for each in observations if each.levels.get(key) == value], key)
        for value in (level, baseline)
    )
    contexts = [context for context in changed if context in unchanged]
    if not contexts:
        return None
    shared = {context: [seed for seed in changed[context] if seed in unchanged[context]] for context in contexts}
    paired = any(shared.values())
    if len(contexts) == 1 and not paired:
        (context,) = contexts
        groups = [list(group[context].values()) for group in (changed, unchanged)]
        differences = {
            name: _estimate_difference(*([run.values[name] for run in group] for group in groups)) for name in MEASURES
        }
        num_seeds = max(map(len, groups))
    else:
        differences = {
            name: estimate_mean(
                [
                    difference
                    for context in contexts
                    for difference in _pair(changed[context], unchanged[context], shared[context], name)
                ]
            )
            for name in MEASURES
        }
        num_seeds = max(len(seeds) or 1 for seeds in shared.values())
    return Effect(key, level, baseline, differences, paired, len(contexts), num_seeds)


def _by_context(observations: Sequence[Observation], key: str) -> dict[frozenset[tuple[str, str]], _Seeds]:
    """Returns the runs by what they were given besides `key` and the seeds, and there by their seeds."""
    groups: dict[frozenset[tuple[str, str]], _Seeds] = {}
    for each in observations:
        rest = {(name, value) for name, value in each.levels.items() if name != key and name not in SEED_KEYS}
        seeds = tuple(each.levels.get(name, "") for name in SEED_KEYS)
        groups.setdefault(frozenset(rest), {})[seeds] = each
    return groups


def _pair(changed: _Seeds, unchanged: _Seeds, shared: Sequence[tuple[str, ...]], name: str) -> list[float]:
    """Returns the differences of the pairs with equal seeds; without any, that of the two means."""
    if shared:
        return [changed[seed].values[name] - unchanged[seed].values[name] for seed in shared]
    first, second = (statistics.fmean(run.values[name] for run in group.values()) for group in (changed, unchanged))
    return [first - second]


def _estimate_difference(a: Sequence[float], b: Sequence[float]) -> Estimate:
    """Returns the difference of the means of two independent groups, with Welch's interval.

    Source: B. L. Welch, "The generalization of 'Student's' problem when several different population variances are
    involved", Biometrika 34, 1947.
    """
    mean, count = statistics.fmean(a) - statistics.fmean(b), min(len(a), len(b))
    if count < 2:
        return Estimate(mean, None, None, count)
    parts = [statistics.variance(group) / len(group) for group in (a, b)]
    error = math.sqrt(sum(parts))
    if error == 0:
        return Estimate(mean, mean, mean, count)
    freedom = sum(parts) ** 2 / sum(part**2 / (len(g) - 1) for part, g in zip(parts, (a, b), strict=True))
    margin = float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)) * error
    return Estimate(mean, mean - margin, mean + margin, count)
