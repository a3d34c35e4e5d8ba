"""The answer of a sweep in sentences."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from src.comparison.comparison import GRID_OBJECTIVES, Comparison
from src.comparison.evidence import weigh_grid, weigh_search
from src.comparison.findings import name_group, pool_seeds, state_caveats
from src.comparison.findings import state_findings as state
from src.comparison.row import COLUMNS, Row
from tests.comparison.rows import make_row
from tests.comparison.test_evidence import make_search


def compare(rows: Sequence[Row], *, searched: bool = False) -> Comparison:
    """Puts rows into a comparison, the most accurate first in its ranking."""
    complete = [row for row in rows if row.state == "complete"]
    ranking = sorted(complete, key=lambda row: -row.values["best_val_accuracy"])
    evidence = weigh_search(rows, {"model.dropout": "0 to 0.7"}) if searched else weigh_grid(rows)
    return Comparison(
        rows=tuple(rows),
        ranking=tuple(ranking),
        objectives=GRID_OBJECTIVES,
        columns=COLUMNS,
        summary={},
        runs=tuple(rows),
        evidence=evidence,
        searched=searched,
    )


def state_findings(comparison: Comparison) -> tuple[str, ...]:
    """Returns the findings with plain spaces, also where a line must not be broken."""
    return tuple(finding.replace("\N{NO-BREAK SPACE}", " ") for finding in state(comparison))


def make_grid(gaps: dict[tuple[str, str], float]) -> list[Row]:
    """Makes up a grid of dropout and seed; what overfits less is more accurate."""
    return [
        make_row(
            number,
            {"model.dropout": dropout, "seed": seed},
            gap=gap,
            val_accuracy=0.9 - gap,
            verdict="overfitting" if gap > 0.1 else "healthy",
        )
        for number, ((dropout, seed), gap) in enumerate(gaps.items())
    ]


def test_the_best_of_single_runs_is_named_with_its_accuracy_and_its_gap() -> None:
    rows = [make_row(0, {"model": "vgg16"}, val_accuracy=0.848, gap=0.05), make_row(1, {"model": "cnn"}, gap=-0.0001)]
    assert state_findings(compare(rows))[0] == (
        "model=vgg16 is best: 84.8 % of the validation images right at epoch 4, with a gap of 5.0 points to the "
        "training images."
    )


def test_where_there_are_seeds_the_best_configuration_is_that_with_the_best_mean() -> None:
    gaps = {("0", "0"): 0.0, ("0", "1"): 0.4, ("0.5", "0"): 0.1, ("0.5", "1"): 0.1}
    assert state_findings(compare(make_grid(gaps)))[0] == (
        "dropout=0.5 is best: 80.0 % of the validation images right on average over 2 seeds, with a gap of 10.0 "
        "points to the training images."
    )


def test_a_clear_effect_is_told_with_its_interval() -> None:
    gaps = {(dropout, seed): 0.3 - 0.2 * (dropout == "0.5") for dropout, seed in itertools.product(("0", "0.5"), "012")}
    assert state_findings(compare(make_grid(gaps)))[1] == (
        "Dropout 0.5 instead of 0: gap \N{MINUS SIGN}20.0 points [\N{MINUS SIGN}20.0, \N{MINUS SIGN}20.0], validation "
        "accuracy +20.0 points [+20.0, +20.0]."
    )


def test_of_each_key_the_value_is_told_that_changes_the_gap_most() -> None:
    rows = [
        make_row(number, {"dropout": dropout, "seed": seed}, gap=0.3 - float(dropout) / 5)
        for number, (dropout, seed) in enumerate(itertools.product(("0", "0.3", "0.5", "0.7"), "01"))
    ]
    told = [finding for finding in state_findings(compare(rows)) if "instead of" in finding]
    assert len(told) == 1
    assert told[0].startswith("Dropout 0.7 instead of 0: gap \N{MINUS SIGN}14.0 points")


def test_what_one_pair_shows_is_told_with_its_doubt() -> None:
    rows = [make_row(0, {"recipe": "A1"}, gap=0.25, val_accuracy=0.75), make_row(1, {"recipe": "A2"}, gap=0.05)]
    comparison = compare(rows)
    assert (
        "Recipe A2 instead of A1: gap \N{MINUS SIGN}20.0 points, validation accuracy +5.0 points, which may be chance."
        in (state_findings(comparison))
    )
    assert any("single seed" in caveat for caveat in state_caveats(comparison))


def test_several_seeds_are_no_reason_for_that_caveat() -> None:
    gaps = {("0", "0"): 0.2, ("0", "1"): 0.2, ("0.5", "0"): 0.1, ("0.5", "1"): 0.1}
    assert not any("single seed" in caveat for caveat in state_caveats(compare(make_grid(gaps))))


def test_of_few_runs_the_verdicts_are_told_by_name_the_gravest_first() -> None:
    gaps = {("0", "0"): 0.2, ("0.5", "0"): 0.1}
    assert state_findings(compare(make_grid(gaps)))[-2:] == (
        "Overfitting: dropout=0, seed=0.",
        "Healthy: dropout=0.5, seed=0.",
    )


def test_of_many_runs_the_verdicts_are_counted() -> None:
    rows = [make_row(number, verdict="overfitting" if number % 3 else "healthy") for number in range(9)]
    assert state_findings(compare(rows))[-1] == "Of 9 runs: 6 overfitting, 3 healthy."


def test_a_search_tells_the_strongest_key_of_each_measure() -> None:
    findings = state_findings(compare(make_search(), searched=True))
    assert any(finding.startswith("Dropout matters most for the gap: it explains") for finding in findings)
    assert any(finding.startswith("Model matters most for validation accuracy") for finding in findings)
    assert any("repeat nothing" in caveat for caveat in state_caveats(compare(make_search(), searched=True)))


def test_a_search_that_shows_nothing_says_so() -> None:
    rows = [
        make_row(number, {"model.dropout": str(number / 30)}, gap=0.1 * (number * 7919 % 13), val_accuracy=0.8)
        for number in range(30)
    ]
    assert "What decides the gap cannot be told from these 30 trials." in state_findings(compare(rows, searched=True))


def test_a_search_with_few_complete_trials_says_what_it_cannot_tell() -> None:
    rows = [make_row(number, {"model.dropout": str(number / 10)}) for number in range(4)]
    caveats = state_caveats(compare([*rows, make_row(4, {"model.dropout": "0.5"}, state="pruned")], searched=True))
    assert any("cannot be told from 4 complete trials" in caveat for caveat in caveats)


def test_a_sweep_without_a_result_says_so() -> None:
    assert state_findings(compare([make_row(0, state="failed")])) == ("No run has come to a result.",)


def test_runs_are_pooled_over_their_seeds_and_named_without_them() -> None:
    gaps = {("0", "0"): 0.1, ("0.5", "0"): 0.1, ("0", "1"): 0.1}
    groups = pool_seeds(make_grid(gaps))
    assert [name_group(group) for group in groups] == ["dropout=0", "dropout=0.5, seed=0"]
