"""Gap against accuracy, effects and influences: the pictures hold what they are given."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from src.analysis.intervals import Estimate
from src.figures.effects import Change, Weight, plot_effects, plot_weights
from src.figures.style import save_figure
from src.figures.tradeoff import Mark, plot_tradeoff

CHANGES = [
    Change("dropout 0.5 instead of 0", Estimate(-0.11, -0.14, -0.08, 6), Estimate(0.02, 0.0, 0.04, 6)),
    Change("model vgg16 instead of $x", Estimate(0.03, None, None, 1), Estimate(-0.02, None, None, 1)),
]


def read_texts(figure: Figure) -> list[str]:
    """Returns all that is written in a figure."""
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def test_the_front_is_a_line_and_its_runs_are_named_under_their_numbers() -> None:
    marks = [
        Mark("a", 0.1, 0.9, on_front=True),
        Mark("b", 0.0, 0.8, on_front=True),
        Mark("c", 0.2, 0.7, on_front=False),
    ]
    figure = plot_tradeoff(marks, "some sweep")
    (axes,) = figure.axes
    assert list(axes.lines[0].get_xdata()) == [0.0, 0.1]
    assert list(axes.lines[0].get_ydata()) == [0.8, 0.9]
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert entries == ["run", "front: no run is better in both", "b", "a"]


def test_a_front_of_many_runs_names_the_first_ones() -> None:
    marks = [Mark(f"run{index}", index / 100, 0.5 + index / 100, on_front=True) for index in range(30)]
    entries = [text.get_text() for text in plot_tradeoff(marks, "some sweep").legends[0].get_texts()]
    assert entries[1:] == [f"run{index}" for index in range(8)]


def test_an_effect_has_a_point_in_points_and_a_line_for_its_interval() -> None:
    gap, accuracy = plot_effects(CHANGES, "some sweep").axes
    zero, interval, mean, single = gap.lines
    assert list(zero.get_xdata()) == [0, 0]
    assert list(interval.get_xdata()) == pytest.approx([-14, -8])
    assert (list(mean.get_xdata()), mean.get_markerfacecolor()) == ([pytest.approx(-11)], mean.get_color())
    assert (list(single.get_xdata()), single.get_markerfacecolor()) == ([pytest.approx(3)], "white")
    assert len(accuracy.lines) == 4
    assert "dropout 0.5 instead of 0" in read_texts(gap.figure)


def test_each_key_has_a_bar_for_the_gap_and_one_for_accuracy() -> None:
    figure = plot_weights([Weight("model.dropout", 0.62, 0.1), Weight("x", 0.0, 0.3)], "some sweep", "From 30 trials.")
    (axes,) = figure.axes
    assert [[bar.get_width() for bar in bars] for bars in axes.containers] == [[0.62, 0.0], [0.1, 0.3]]
    assert " 62 %" in read_texts(figure)


@pytest.mark.parametrize("count", [1, 30])
def test_they_can_be_saved_however_many_there_are(count: int, tmp_path: Path) -> None:
    figures = [
        plot_effects(CHANGES[:1] * count, "$5 sweep"),
        plot_weights([Weight("k" * 80, 0.0, 0.0)] * count, "$5 sweep", ""),
        plot_tradeoff([Mark("$x", 0.1, 0.5, on_front=True)] * count, "$5 sweep"),
    ]
    for number, figure in enumerate(figures):
        save_figure(figure, tmp_path / f"{number}.png")
        assert imread(tmp_path / f"{number}.png").ndim == 3
