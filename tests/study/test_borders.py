"""Best values at the ends of their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from src.study.borders import find_borders, is_border_warning
from src.study.space import SearchSpace, parse_space


def make_space(*overrides: str) -> SearchSpace:
    """Makes a space of overrides."""
    return parse_space(OverridesParser.create().parse_overrides(list(overrides)), {}, {})


def find(space: SearchSpace, values: Mapping[str, Any], arm: str | None = None) -> list[str]:
    """Finds the borders where everything can be configured."""
    return find_borders(space, values, arm=arm, allows=lambda point: True)


def test_a_value_at_a_border_is_told_with_its_arm_and_interval() -> None:
    space = make_space("optimizer.learning_rate=tag(log,interval(1e-5,1e-2))", "model.dropout=interval(0,0.7)")
    values = {"optimizer.learning_rate": 0.0098, "model.dropout": 0.3}
    (sentence,) = find(space, values, "model=vgg16")
    assert sentence == (
        "model=vgg16: the best optimizer.learning_rate, 0.0098, lies at the upper border of its interval "
        "1e-05 to 0.01: widen it."
    )
    assert is_border_warning(sentence)
    assert not is_border_warning("No ImageNet weights: widen it.")


def test_with_one_arm_the_sentence_names_none() -> None:
    (sentence,) = find(make_space("x=interval(0,10)"), {"x": 0.2})
    assert sentence == "The best x, 0.2, lies at the lower border of its interval 0 to 10: widen it."


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("x=interval(0,1)", 0.5),
        ("x=choice(1,2,3)", 1),
        ("x=choice(a,b)", "a"),
        ("x=tag(log,interval(1e-5,1e-2))", 5e-4),
    ],
)
def test_a_value_within_its_interval_or_of_a_list_is_not_told(override: str, value: object) -> None:
    assert find(make_space(override), {"x": value}) == []


def test_a_key_that_was_not_searched_in_the_trial_is_not_told() -> None:
    assert find(make_space("x=interval(0,1)", "y=interval(0,1)"), {"x": 0.5}) == []


@pytest.mark.parametrize(
    ("override", "value", "beyond"),
    [
        ("x=interval(0,0.5)", 0.0, -0.05),
        ("x=interval(0,0.5)", 0.5, 0.55),
        ("x=int(interval(1,9))", 9, 10),
        ("x=int(interval(1,9))", 1, 0),
        ("x=range(0,50,10)", 40, 50),
        ("x=tag(log,interval(1e-4,1e6))", 1e6, 1e7),
        ("x=tag(log,int(interval(1,1024)))", 1, 0),
    ],
)
def test_an_interval_that_cannot_be_wider_is_not_told(override: str, value: float, beyond: float) -> None:
    asked: list[Mapping[str, Any]] = []

    def allows(point: Mapping[str, Any]) -> bool:
        asked.append(point)
        return False

    assert find_borders(make_space(override), {"x": value, "other": 1}, arm=None, allows=allows) == []
    assert asked == [{"x": pytest.approx(beyond), "other": 1}]
