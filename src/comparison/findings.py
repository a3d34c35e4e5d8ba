"""The answer of a sweep in sentences, and what must not be concluded from it."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence

from src.analysis.diagnosis import Verdict
from src.analysis.effects import GAP, SEED_KEYS, VAL_ACCURACY, Effect
from src.analysis.influence import Influences
from src.comparison.comparison import Comparison
from src.comparison.row import Row
from src.comparison.words import describe_change, describe_estimate
from src.ending import COMPLETE
from src.page.wording import percent
from src.page.wording import points as size

#: A share of explained variation below which it is chance.
_LEAST_EXPLAINED = 0.1
#: Effects that are told in sentences; the table has all of them.
_MOST_EFFECTS = 4
#: Runs whose verdicts are told by name; of more only the numbers are.
_MOST_NAMED = 6

#: Verdicts in the order in which they are told, and how.
_VERDICTS = {
    Verdict.OVERFITTING: "overfitting",
    Verdict.DIVERGED: "diverged",
    Verdict.UNDERFITTING: "underfitting",
    Verdict.HEALTHY: "healthy",
}


def state_findings(comparison: Comparison) -> tuple[str, ...]:
    """Returns the answer, a sentence each, the most important first."""
    evidence = comparison.evidence
    return (
        *_tell_best(comparison),
        *_tell_effects(evidence.effects),
        *_tell_influence(evidence.gap, "the gap"),
        *_tell_influence(evidence.accuracy, "validation accuracy"),
        *_tell_verdicts(comparison.runs),
    )


def state_caveats(comparison: Comparison) -> tuple[str, ...]:
    """Returns what the reader must not conclude."""
    caveats = []
    evidence = comparison.evidence
    if evidence.effects and evidence.num_seeds == 1:
        caveats.append(
            "Every choice was tried with a single seed. A difference of a few points may be chance: repeat the sweep "
            "with several, seed=0,1,2."
        )
    if evidence.gap is not None or evidence.accuracy is not None:
        caveats.append(
            "The trials of a search repeat nothing, and a sampler that learns tries again what has been good: how much "
            "a key matters is an estimate. Trials that were pruned are left out of it."
        )
    elif comparison.searched:
        complete = sum(row.state == COMPLETE for row in comparison.runs)
        caveats.append(
            f"How much each key matters cannot be told from {complete} complete trials. Search longer, or without a "
            "pruner."
        )
    if len(comparison.ranking) > 1:
        caveats.append(
            "The best of several validation accuracies is partly luck, and so a little too high. An accuracy on test "
            "images, measured once for the winner, is not."
        )
    return tuple(caveats)


def pool_seeds(rows: Sequence[Row]) -> list[list[Row]]:
    """Returns complete runs in groups that differ in their seeds alone, in the order of their first runs."""
    groups: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in rows:
        if row.state == COMPLETE and VAL_ACCURACY in row.values:
            rest = tuple((key, value) for key, value in row.params.items() if key not in SEED_KEYS)
            groups.setdefault(rest or (("arm", row.arm),), []).append(row)
    return list(groups.values())


def name_group(rows: Sequence[Row]) -> str:
    """Returns what tells a group of runs from the others; its seeds do not."""
    keys = [key for key in rows[0].params if key not in SEED_KEYS]
    if not keys or len(rows) == 1:
        return rows[0].name
    return ", ".join(f"{key.rpartition('.')[2]}={rows[0].params[key]}" for key in keys)


def _tell_best(comparison: Comparison) -> Iterator[str]:
    best = comparison.best
    if best is None:
        yield "No run has come to a result."
        return
    groups = pool_seeds(comparison.runs)
    repeated = [group for group in groups if len(group) > 1]
    if len(groups) > 1 and len(repeated) == len(groups) and not comparison.searched:
        group = max(groups, key=lambda each: _average(each, VAL_ACCURACY))
        yield (
            f"{name_group(group)} is best: {percent(_average(group, VAL_ACCURACY))} of the validation images right on "
            f"average over {len(group)} seeds, with a gap of {size(_average(group, GAP))} to the training images."
        )
        return
    if VAL_ACCURACY not in best.values or GAP not in best.values:
        return
    epoch = f" at epoch {best.values['best_epoch']:.0f}" if "best_epoch" in best.values else ""
    with_it = f" ({best.label})" if comparison.searched and best.label else ""
    test = f"; {percent(best.values['test_accuracy'])} of the test images" if "test_accuracy" in best.values else ""
    yield (
        f"{comparison.describe_best()}{with_it} is best: {percent(best.values[VAL_ACCURACY])} of the validation images "
        f"right{epoch}, with a gap of {size(best.values[GAP])} to the training images{test}."
    )


def _average(rows: Sequence[Row], key: str) -> float:
    return statistics.fmean(row.values[key] for row in rows)


def _tell_effects(effects: Sequence[Effect]) -> Iterator[str]:
    """Tells of each key the value that changes the gap most, of those with a clear effect if there are any."""
    told = (GAP, VAL_ACCURACY)
    clear = [effect for effect in effects if any(effect.differences[name].excludes_zero for name in told)]
    strongest: dict[str, Effect] = {}
    for effect in sorted(clear or effects, key=lambda effect: -abs(effect.differences[GAP].mean)):
        strongest.setdefault(effect.key, effect)
    for effect in list(strongest.values())[:_MOST_EFFECTS]:
        gap, accuracy = (describe_estimate(effect.differences[name]) for name in told)
        doubt = "" if effect in clear else ", which may be chance"
        yield f"{_capital(describe_change(effect))}: gap {gap}, validation accuracy {accuracy}{doubt}."


def _tell_influence(influences: Influences | None, measure: str) -> Iterator[str]:
    if influences is None:
        return
    if influences.explained < _LEAST_EXPLAINED:
        yield f"What decides {measure} cannot be told from these {influences.count} trials."
        return
    strongest = max(influences.keys, key=lambda each: each.share)
    yield (
        f"{_capital(strongest.key.rpartition('.')[2])} matters most for {measure}: it explains "
        f"{100 * strongest.share:.0f} % of its variation, {describe_estimate(strongest.effect)} from "
        f"{strongest.between[0]} to {strongest.between[1]}."
    )


def _tell_verdicts(rows: Sequence[Row]) -> Iterator[str]:
    judged = [row for row in rows if row.verdict is not None and row.state == COMPLETE]
    if not judged:
        return
    counts = Counter(row.verdict for row in judged)
    if len(judged) > _MOST_NAMED:
        parts = [f"{counts[verdict]} {word}" for verdict, word in _VERDICTS.items() if counts[verdict]]
        yield f"Of {len(judged)} runs: {', '.join(parts)}."
        return
    for verdict, word in _VERDICTS.items():
        names = [row.name for row in judged if row.verdict == verdict]
        if names:
            yield f"{_capital(word)}: {'; '.join(names)}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
