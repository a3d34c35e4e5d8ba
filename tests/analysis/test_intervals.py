"""Intervals are as wide as the number of observations asks for."""

from __future__ import annotations

import numpy as np
import pytest

from src.analysis.intervals import estimate_mean


def test_a_single_observation_bears_no_interval() -> None:
    estimate = estimate_mean([0.3])
    assert (estimate.mean, estimate.low, estimate.high, estimate.count) == (0.3, None, None, 1)
    assert not estimate.has_interval
    assert not estimate.excludes_zero


def test_two_observations_bear_students_wide_interval() -> None:
    estimate = estimate_mean([0.1, 0.2])
    # Student's t with one degree of freedom is 12.706, the standard error .05.
    assert estimate.low == pytest.approx(0.15 - 12.706 * 0.05, abs=1e-4)
    assert estimate.high == pytest.approx(0.15 + 12.706 * 0.05, abs=1e-4)


def test_equal_observations_have_an_interval_without_width() -> None:
    estimate = estimate_mean([-0.25, -0.25, -0.25])
    assert (estimate.low, estimate.mean, estimate.high) == (-0.25, -0.25, -0.25)
    assert estimate.excludes_zero


def test_the_interval_never_is_narrower_than_students() -> None:
    skewed = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    estimate = estimate_mean(skewed)
    assert estimate.low is not None
    assert estimate.high is not None
    # Student's interval is symmetric; where the observations are skewed, the bootstrap goes further out on one side.
    assert estimate.low <= 0.1 - 2.262 * 0.1
    assert estimate.high > 0.1 + 2.262 * 0.1


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_the_interval_holds_the_true_mean_as_often_as_it_says(count: int) -> None:
    generator = np.random.default_rng(7)
    estimates = [estimate_mean(generator.normal(0.0, 1.0, count)) for _ in range(400)]
    held = sum(each.low is not None and each.high is not None and each.low <= 0 <= each.high for each in estimates)
    # 380 are expected; four standard deviations below lie at 363.
    assert held >= 363


def test_the_same_observations_give_the_same_interval() -> None:
    values = [0.1, 0.4, 0.2, 0.3]
    assert estimate_mean(values) == estimate_mean(values)


@pytest.mark.parametrize("values", [[], [0.1, float("nan")], [float("inf")]])
def test_what_is_no_observation_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one observation, all of them finite"):
        estimate_mean(values)
