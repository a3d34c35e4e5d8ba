from __future__ import annotations

import math

import pytest

from src.history import History
from src.page.scales import (
    Scale,
    choose_accuracy_scale,
    choose_loss_scale,
    choose_scatter_scale,
    find_round_numbers,
    find_usual_range,
)
from tests.page.examples import make_epoch, make_history


def explode(epochs: int = 6) -> History:
    return History(tuple(make_epoch(epoch, 0.1, 0.1, 10.0**epoch, 10.0**epoch) for epoch in range(1, epochs + 1)))


def test_one_run_that_explodes_does_not_press_the_others_into_one_line() -> None:
    usual = [make_history(20, 0.8, 0.1, seed) for seed in range(5)]
    scale = choose_loss_scale([*usual, explode()])
    assert not scale.logarithmic
    assert scale == choose_loss_scale(usual)


def test_a_run_that_explodes_alone_is_shown_on_a_logarithmic_axis() -> None:
    history = explode()
    scale = choose_loss_scale([history])
    assert scale.logarithmic
    assert scale.place(10.0**6) < 1
    assert 0 < scale.place(10.0**4) < scale.place(10.0**5) < 1


def test_an_axis_holds_all_runs_that_are_alike() -> None:
    histories = [make_history(20, 0.7 + 0.05 * seed, 0.1, seed) for seed in range(5)]
    accuracy, loss = choose_accuracy_scale(histories), choose_loss_scale(histories)
    for history in histories:
        assert all(accuracy.holds(value) for value in history.series("val_accuracy"))
        assert all(loss.holds(value) for value in history.series("val_loss"))


def test_histories_without_a_number_still_have_axes() -> None:
    lost = History((make_epoch(1, math.nan, math.nan, math.inf, math.nan),))
    for histories in ([], [History()], [lost]):
        assert choose_accuracy_scale(histories).place(0.5) == pytest.approx(0.5, abs=0.02)
        assert choose_loss_scale(histories).bottom == 0


def test_the_usual_range_leaves_out_what_lies_far_apart_and_only_that() -> None:
    assert find_usual_range([0.1, 0.11, 0.12, 0.13, 55.0], [0.1, 0.11, 0.12, 0.13, 55.0]) == (0.1, 0.13)
    assert find_usual_range([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]) == (0.1, 0.3)
    assert find_usual_range([0.1, 0.9], [0.1, 0.9]) == (0.1, 0.9)


def test_equal_values_have_an_axis_of_some_width() -> None:
    scale = choose_scatter_scale([0.5, 0.5], 0.04)
    assert scale.top - scale.bottom >= 0.04
    assert scale.place(0.5) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("bottom", "top", "count", "expected"),
    [
        (0.0, 1.0, 5, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-14.0, 14.0, 4, [-10, 0, 10]),
        (1, 30, 4, [10, 20, 30]),
        (3, 4, 1, [3, 4]),
    ],
)
def test_ticks_are_round_numbers(bottom: float, top: float, count: int, expected: list[float]) -> None:
    assert find_round_numbers(bottom, top, count) == pytest.approx(expected)


def test_ticks_are_written_with_real_minus_signs_and_units() -> None:
    assert [tick.text for tick in Scale(-0.12, 0.12).ticks(4, hundredfold=True)] == ["−10", "0", "10"]
    assert [tick.text for tick in Scale(0.4, 1.0).ticks(3, hundredfold=True, unit=" %")] == [
        "40 %",
        "60 %",
        "80 %",
        "100 %",
    ]
    assert [tick.text for tick in Scale(0.05, 200.0, logarithmic=True).ticks(3)] == ["10⁻¹", "10⁰", "10¹", "10²"]
