"""The effect of each change, on made-up grids whose effects are known."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest

from src.analysis.effects import FINAL_GAP, GAP, VAL_ACCURACY, Observation, compare_levels


def observe(levels: Mapping[str, str], gap: float, val_accuracy: float = 0.8) -> Observation:
    """Makes up a run."""
    return Observation(dict(levels), {GAP: gap, FINAL_GAP: 2 * gap, VAL_ACCURACY: val_accuracy})


def make_grid(noise: Mapping[str, float]) -> list[Observation]:
    """Makes up two dropouts and two models for the seeds of `noise`, which changes all runs of a seed alike.

    Dropout takes .1 of the gap, vgg16 adds .05, and neither depends on the other.
    """
    return [
        observe(
            {"model": model, "model.dropout": dropout, "seed": seed},
            gap=0.3 + noise[seed] - (0.1 if dropout == "0.5" else 0) + (0.05 if model == "vgg16" else 0),
        )
        for model, dropout, seed in itertools.product(("cnn", "vgg16"), ("0", "0.5"), noise)
    ]


LEVELS = {"model": ("cnn", "vgg16"), "model.dropout": ("0", "0.5"), "seed": ("0", "1", "2")}


def test_pairing_takes_out_what_a_seed_does_to_both() -> None:
    effects = compare_levels(make_grid({"0": -0.2, "1": 0.0, "2": 0.2}), LEVELS)
    assert [(effect.key, effect.level, effect.baseline) for effect in effects] == [
        ("model", "vgg16", "cnn"),
        ("model.dropout", "0.5", "0"),
    ]
    gap = effects[1].differences[GAP]
    assert gap.mean == pytest.approx(-0.1)
    assert gap.high == pytest.approx(-0.1)
    assert effects[1].differences[FINAL_GAP].mean == pytest.approx(-0.2)
    assert effects[1].differences[VAL_ACCURACY].mean == 0


def test_every_combination_of_the_rest_and_every_seed_makes_a_pair() -> None:
    effect = compare_levels(make_grid({"0": 0.0, "1": 0.0, "2": 0.0}), LEVELS)[1]
    assert (effect.count, effect.num_contexts, effect.num_seeds, effect.paired) == (6, 2, 3, True)
    assert effect.describe_basis() == "6 pairs of equal seed in 2 combinations of the rest"


def test_one_pair_has_an_effect_without_an_interval() -> None:
    runs = [observe({"dropout": "0"}, 0.3), observe({"dropout": "0.5"}, 0.1)]
    (effect,) = compare_levels(runs, {"dropout": ("0", "0.5")})
    assert effect.differences[GAP].mean == pytest.approx(-0.2)
    assert not effect.differences[GAP].has_interval
    assert effect.describe_basis() == "1 pair: effect and chance cannot be told apart"


def test_two_pairs_bear_hardly_any_certainty() -> None:
    runs = [
        observe({"dropout": dropout, "seed": seed}, gap)
        for dropout, seed, gap in [("0", "0", 0.30), ("0", "1", 0.30), ("0.5", "0", 0.20), ("0.5", "1", 0.18)]
    ]
    (effect,) = compare_levels(runs, {"dropout": ("0", "0.5"), "seed": ("0", "1")})
    gap = effect.differences[GAP]
    assert gap.mean == pytest.approx(-0.11)
    assert not gap.excludes_zero


def test_every_value_is_compared_with_the_first_of_its_key() -> None:
    runs = [observe({"dropout": dropout}, gap) for dropout, gap in [("0.3", 0.2), ("0.5", 0.1), ("0", 0.3)]]
    effects = compare_levels(runs, {"dropout": ("0", "0.3", "0.5")})
    assert [(each.level, each.baseline, round(each.differences[GAP].mean, 3)) for each in effects] == [
        ("0.3", "0", -0.1),
        ("0.5", "0", -0.2),
    ]


def test_seeds_are_no_cause() -> None:
    runs = [observe({"seed": seed}, 0.1) for seed in ("0", "1")]
    assert compare_levels(runs, {"seed": ("0", "1")}) == []


def test_a_failed_run_takes_its_pair_with_it_and_nothing_else() -> None:
    grid = [run for run in make_grid({"0": 0.0, "1": 0.0, "2": 0.0}) if run.levels["seed"] != "1"]
    grid.append(observe({"model": "cnn", "model.dropout": "0", "seed": "1"}, 9.0))
    grid.append(observe({"model": "cnn", "model.dropout": "0.5", "seed": "1"}, float("nan")))
    effect = compare_levels(grid, LEVELS)[1]
    assert effect.count == 4
    assert effect.differences[GAP].mean == pytest.approx(-0.1)


def test_groups_without_a_common_seed_are_compared_as_welch_does() -> None:
    runs = [observe({"dropout": "0", "seed": str(seed)}, gap) for seed, gap in enumerate([0.30, 0.34, 0.32])]
    runs += [observe({"dropout": "0.5", "seed": str(seed)}, gap) for seed, gap in enumerate([0.10, 0.12], start=3)]
    (effect,) = compare_levels(runs, {"dropout": ("0", "0.5"), "seed": tuple("01234")})
    gap = effect.differences[GAP]
    assert not effect.paired
    assert gap.mean == pytest.approx(-0.21)
    # Variances .0004 of three and .0002 of two: standard error .01528, 2.88 degrees of freedom, t = 3.27.
    assert gap.high == pytest.approx(-0.21 + 0.0499, abs=5e-4)
    assert effect.describe_basis() == "3 seeds at most, none in common"


def test_a_value_that_was_never_run_beside_its_baseline_has_no_effect() -> None:
    runs = [observe({"model": "cnn", "dropout": "0"}, 0.3), observe({"model": "vgg16", "dropout": "0.5"}, 0.1)]
    assert compare_levels(runs, {"model": ("cnn", "vgg16"), "dropout": ("0", "0.5")}) == []
