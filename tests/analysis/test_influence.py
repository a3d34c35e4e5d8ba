"""How much each searched key matters, on made-up searches whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from src.analysis.influence import Influences, Trial, estimate_influences


def make_trials(count: int, *, noise: float = 0.01, seed: int = 0) -> list[Trial]:
    """Makes up a search: the gap falls by .2 as dropout goes from 0 to 1, accuracy has its best learning rate at 1e-3.

    The batch size matters for nothing.
    """
    generator = np.random.default_rng(seed)
    trials = []
    for _ in range(count):
        dropout, exponent = generator.uniform(0, 1), generator.uniform(-5, -1)
        batch_size = generator.choice(["16", "32", "64"])
        optimizer = generator.choice(["adam", "sgd"])
        gap = 0.3 - 0.2 * dropout + generator.normal(0, noise)
        accuracy = 0.9 - 0.05 * (exponent + 3) ** 2 - (0.1 if optimizer == "sgd" else 0) + generator.normal(0, noise)
        trials.append(
            Trial(
                {
                    "model.dropout": repr(dropout),
                    "optimizer.learning_rate": repr(10**exponent),
                    "trainer.batch_size": str(batch_size),
                    "optimizer": str(optimizer),
                },
                {"gap": gap, "accuracy": accuracy},
            )
        )
    return trials


def estimate(trials: list[Trial], measure: str, **settings: object) -> Influences:
    """Estimates what must be there."""
    influences = estimate_influences(trials, measure, logarithmic=["optimizer.learning_rate"], **settings)  # type: ignore[arg-type]
    assert influences is not None
    return influences


def shares(influences: Influences) -> dict[str, float]:
    """Returns the share of each key."""
    return {each.key: each.share for each in influences.keys}


def test_the_key_that_decides_the_gap_has_nearly_all_of_its_variation() -> None:
    found = shares(estimate(make_trials(40), "gap"))
    assert found["model.dropout"] > 0.9
    assert max(share for key, share in found.items() if key != "model.dropout") < 0.05


def test_what_matters_for_accuracy_is_told_apart_from_what_matters_for_the_gap() -> None:
    found = shares(estimate(make_trials(60), "accuracy"))
    assert found["model.dropout"] < 0.05
    assert found["optimizer.learning_rate"] > 0.4
    assert found["optimizer"] > 0.2


def test_the_effect_is_that_between_the_ends_of_the_middle_four_fifths() -> None:
    dropout = next(each for each in estimate(make_trials(60), "gap").keys if each.key == "model.dropout")
    low, high = map(float, dropout.between)
    assert (low, high) == (pytest.approx(0.1, abs=0.08), pytest.approx(0.9, abs=0.08))
    assert dropout.effect.mean == pytest.approx(-0.2 * (high - low), abs=0.02)
    assert dropout.effect.excludes_zero


def test_a_key_that_matters_for_nothing_has_an_interval_across_zero() -> None:
    batch_size = next(each for each in estimate(make_trials(40), "gap").keys if each.key == "trainer.batch_size")
    assert not batch_size.effect.excludes_zero


def test_a_category_is_compared_between_its_lowest_and_its_highest() -> None:
    optimizer = next(each for each in estimate(make_trials(60), "accuracy").keys if each.key == "optimizer")
    assert optimizer.between == ("sgd", "adam")
    assert optimizer.effect.mean == pytest.approx(0.1, abs=0.02)


def test_a_category_can_be_compared_between_the_two_that_another_measure_has_found() -> None:
    trials = make_trials(60)
    turned = estimate(trials, "accuracy", contrasts={"optimizer": ("adam", "sgd")})
    optimizer = next(each for each in turned.keys if each.key == "optimizer")
    assert optimizer.between == ("adam", "sgd")
    assert optimizer.effect.mean == pytest.approx(-0.1, abs=0.02)


def test_noise_is_not_explained() -> None:
    generator = np.random.default_rng(3)
    trials = [Trial({"x": repr(generator.uniform())}, {"gap": generator.normal()}) for _ in range(30)]
    influences = estimate_influences(trials, "gap")
    assert influences is not None
    assert influences.explained < 0.1
    assert not influences.keys[0].effect.excludes_zero


def test_shares_sum_to_at_most_one_and_what_is_explained_is_less_than_all() -> None:
    influences = estimate(make_trials(40, noise=0.05), "gap")
    assert 0.3 < influences.explained < 1
    assert sum(shares(influences).values()) <= 1


@pytest.mark.parametrize("count", [0, 1, 7])
def test_few_trials_say_nothing(count: int) -> None:
    assert estimate_influences(make_trials(count), "gap") is None


def test_more_keys_need_more_trials() -> None:
    generator = np.random.default_rng(0)
    trials = [
        Trial({f"x{index}": repr(generator.uniform()) for index in range(6)}, {"gap": generator.normal()})
        for _ in range(10)
    ]
    assert estimate_influences(trials, "gap") is None


def test_equal_values_have_nothing_to_explain() -> None:
    trials = [Trial({"x": str(index)}, {"gap": 0.1}) for index in range(20)]
    assert estimate_influences(trials, "gap") is None


def test_a_key_that_never_changed_is_left_out() -> None:
    trials = [Trial({**trial.params, "same": "1"}, trial.values) for trial in make_trials(40)]
    assert "same" not in shares(estimate(trials, "gap"))


def test_trials_without_the_measure_are_left_out() -> None:
    trials = [*make_trials(40), Trial({"model.dropout": "0.5"}, {"gap": float("nan")}), Trial({}, {})]
    assert estimate(trials, "gap").count == 40


def test_a_key_that_only_some_trials_have_is_taken_as_a_category() -> None:
    generator = np.random.default_rng(1)
    trials = []
    for index in range(40):
        with_momentum = index % 2 == 0
        params = {"optimizer": "sgd" if with_momentum else "adam", **({"momentum": "0.9"} if with_momentum else {})}
        trials.append(Trial(params, {"gap": (0.2 if with_momentum else 0.1) + generator.normal(0, 0.01)}))
    influences = estimate_influences(trials, "gap")
    assert influences is not None
    # The two keys say the same of every trial, and share what they explain.
    assert sum(shares(influences).values()) == pytest.approx(1, abs=0.1)


def test_the_same_trials_give_the_same_answer() -> None:
    trials = make_trials(30)
    assert estimate(trials, "gap") == estimate(trials, "gap")
