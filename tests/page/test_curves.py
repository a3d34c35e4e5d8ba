from __future__ import annotations

import math
import re

import pytest

from src.history import History
from src.page.content import Panel
from src.page.curves import PLOTS, Curves, describe
from tests.page.examples import make_epoch, make_history
from tests.page.reading import Element, read_page


def draw(*panels: Panel) -> list[Element]:
    curves = Curves(panels)
    return [read_page(curves.draw(panel, f"panel-{index}")) for index, panel in enumerate(panels)]


def heights(drawing: Element, name: str) -> list[float]:
    """Where a curve goes, from the top."""
    return [
        float(y) for path in drawing.find("path", class_=name) for y in re.findall(r",([-\d.]+)", path.attributes["d"])
    ]


def test_curves_stay_within_their_plots_and_are_marked_where_they_leave() -> None:
    usual = [Panel(f"run {seed}", make_history(10, 0.8, 0.1, seed)) for seed in range(4)]
    exploded = History(tuple(make_epoch(epoch, 0.5, 0.5, 10.0**epoch, 10.0**epoch) for epoch in range(1, 11)))
    panels = [*usual, Panel("exploded", exploded)]
    drawings = draw(*panels)
    (top, _), (_, bottom) = PLOTS["accuracy"], PLOTS["loss"]
    for drawing in drawings:
        assert all(top <= y <= bottom for y in heights(drawing, "train_eval") + heights(drawing, "val"))
    assert [len(drawing.find("polygon", class_="exit")) for drawing in drawings] == [0, 0, 0, 0, 2]
    assert Curves(usual).find_remarks(usual[0].history) == []
    assert Curves(panels).find_remarks(exploded) == ["▲ leaves the axis: loss up to 1.0e10."]


def test_a_curve_is_broken_where_a_value_is_no_number() -> None:
    values = [0.5, 0.6, math.nan, 0.7, 0.8]
    history = History(tuple(make_epoch(epoch, value, value, 0.5, 0.5) for epoch, value in enumerate(values, 1)))
    [drawing] = draw(Panel("run", history))
    accuracy = drawing.find("path", class_="train_eval")[0].attributes["d"]
    assert accuracy.count("M") == 2
    assert len(drawing.find("polygon", class_="gap")) == 3


def test_a_single_epoch_is_a_dot() -> None:
    [drawing] = draw(Panel("run", make_history(1, 0.8, 0.1, 0)))
    assert len(drawing.find("circle", class_="dot")) == 4
    assert drawing.find("path") == []
    assert [text.text for text in drawing.find("text", class_="middle")] == ["epoch 1"]


def test_losses_that_are_no_numbers_are_told_in_words() -> None:
    epochs = [make_epoch(epoch, 0.5, 0.5, 1.0, 1.0 if epoch < 4 else math.nan) for epoch in range(1, 7)]
    curves = Curves([Panel("run", History(tuple(epochs)))])
    assert curves.find_remarks(History(tuple(epochs))) == ["Loss is not a finite number from epoch 4 on."]
    mixed = History((epochs[4], *epochs[:2]))
    assert curves.find_remarks(mixed) == ["Loss is not a finite number in 1 epochs, first in epoch 5."]


def test_a_history_is_described_at_its_best_epoch() -> None:
    history = History(
        (make_epoch(1, 0.7, 0.6, 1, 1), make_epoch(2, 0.95, 0.8124, 1, 1), make_epoch(3, 0.99, 0.8, 1, 1))
    )
    assert describe(history).replace("\u00a0", " ") == "At its best epoch, 2 of 3: gap 13.8 points, validation 81.2 %."
    assert describe(History()) == "No epoch with a validation accuracy."


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 30, 100])
def test_the_axis_of_epochs_names_its_ends(epochs: int) -> None:
    [drawing] = draw(Panel("run", make_history(epochs, 0.8, 0.1, 0)))
    ticks = [
        text for text in drawing.find("text", class_="tick") if float(text.attributes["y"]) > PLOTS["loss"][1] + 10
    ]
    texts = [text.text for text in ticks]
    assert f"epoch {epochs}" in texts
    assert ("1" in texts) == (epochs > 1)
    assert len(texts) == len(set(texts))


def test_the_bracket_spans_the_gap_at_the_best_epoch() -> None:
    history = History((make_epoch(1, 0.7, 0.6, 1, 1), make_epoch(2, 1.0, 0.8, 1, 1)))
    curves = Curves([Panel("run", history)])
    [drawing] = draw(Panel("run", history))
    [bracket] = drawing.find("line", class_="bracket")
    top, bottom = PLOTS["accuracy"]
    scale = curves.scales["accuracy"]
    expected = (scale.place(1.0) - scale.place(0.8)) * (bottom - top)
    assert float(bracket.attributes["y2"]) - float(bracket.attributes["y1"]) == pytest.approx(expected, abs=0.02)
