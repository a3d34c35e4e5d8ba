from __future__ import annotations

import math

import pytest

from src.analysis.intervals import Estimate
from src.page.links import find_run_id, leads_into_mlflow
from src.page.wording import change, count, describe, interval, loss, percent, points, shorten


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (-0.112, "−11.2"),
        (0.02, "+2.0"),
        (0.0, "0.0"),
        (-0.0002, "0.0"),
        (0.0004, "0.0"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_a_change_has_its_sign_unless_it_is_zero(given: float, written: str) -> None:
    assert change(given) == written


def test_shares_are_written_as_everywhere_in_the_project() -> None:
    assert percent(0.848) == "84.8\u00a0%"
    assert points(0.228) == "22.8\u00a0points"
    assert points(-0.031) == "−3.1\u00a0points"
    assert percent(math.nan) == points(math.inf) == "–"


def test_an_interval_or_why_there_is_none() -> None:
    assert interval(Estimate(-0.11, -0.14, -0.08, 3)) == "[−14.0,\u00a0−8.0]"
    assert interval(Estimate(-0.11, None, None, 1)) == "one observation, no interval"
    assert interval(Estimate(-0.11, None, None, 4)) == "no interval"
    assert describe(Estimate(0.05, None, None, 1)) == "+5.0 points (one observation, no interval)"
    assert describe(Estimate(math.nan, None, None, 0)) == "not known"


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (0.0412, "0.0412"),
        (3.1, "3.10"),
        (31.0, "31.0"),
        (123456.0, "1.2e5"),
        (2e-5, "2.0e−5"),
        (0.0, "0.00"),
        (math.nan, "–"),
    ],
)
def test_a_loss_has_three_digits(given: float, written: str) -> None:
    assert loss(given) == written


def test_an_absurd_number_does_not_fill_the_line() -> None:
    assert len(percent(1e300)) < 12


def test_one_is_singular() -> None:
    assert count(1, "run") == "1\u00a0run"
    assert count(0, "run") == "0\u00a0runs"


def test_a_long_text_keeps_its_two_ends() -> None:
    assert shorten("dropout=0.5 seed=1", 100) == "dropout=0.5 seed=1"
    assert shorten("abcdefghij", 7) == "abc…hij"
    assert len(shorten("x" * 100, 26)) == 26


def test_only_an_address_within_mlflow_leads_to_a_run() -> None:
    assert find_run_id("#/experiments/1/runs/abc123?tab=x") == "abc123"
    assert find_run_id("https://example.org/runs/abc123") == ""
    assert not leads_into_mlflow("javascript:alert(1)")
