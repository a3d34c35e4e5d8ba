"""Our curves over the published ones hold what they are given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from src.figures.reproduction import Reproduced, plot_reproduction
from src.figures.style import save_figure
from src.history import EpochMetrics, History
from src.published.curves import load_published


def make_history(num_epochs: int, val_accuracy: float) -> History:
    epoch = EpochMetrics(1, 0.7, 0.5, 0.9, 0.4, val_accuracy, 0.6, 0.001, 1.0)
    return History(tuple(replace(epoch, epoch=number) for number in range(1, num_epochs + 1)))


def test_a_panel_shows_the_published_curves_whole_and_the_mean_of_ours_as_far_as_they_go() -> None:
    published = load_published("A1")
    (panel,) = plot_reproduction([Reproduced(published, (make_history(5, 0.6), make_history(5, 0.7)))], "t").panels
    assert panel.lines["published_val"] == ([*range(1, 101)], published.series("val_accuracy"))
    assert panel.lines["published_running"][1] == published.series("train_accuracy")
    epochs, values = panel.lines["val"]
    assert epochs == [1, 2, 3, 4, 5]
    assert values == pytest.approx([0.65] * 5)
    assert panel.lines["running_mean"][1] == pytest.approx([0.7] * 5)


@pytest.mark.parametrize(("num_epochs", "last_epoch"), [(5, 10), (50, 100), (80, 100), (120, 120)])
def test_a_panel_ends_where_ours_can_still_be_seen(num_epochs: int, last_epoch: int) -> None:
    recipe = Reproduced(load_published("A1"), (make_history(num_epochs, 0.6),))
    assert plot_reproduction([recipe], "t").panels[0].last_epoch == last_epoch


def test_all_curves_lie_within_their_panels() -> None:
    recipes = [Reproduced(load_published(name), (make_history(3, 0.31),)) for name in ("A1", "B4", "E1")]
    for panel in plot_reproduction(recipes, "t").panels:
        for _, values in panel.lines.values():
            assert all(0 <= share <= 1 for share in panel.scale.place(values))


def test_a_head_compares_at_the_last_epoch_that_both_have() -> None:
    published = load_published("B1")
    chart = plot_reproduction([Reproduced(published, (make_history(4, 0.625),))], "t")
    assert f"epoch 4: 62.5 %, published {100 * published.epochs[3].val_accuracy:.1f} %" in chart.texts


@pytest.mark.parametrize("num_recipes", [1, 2, 5])
def test_a_picture_of_any_number_of_recipes_is_drawn(num_recipes: int, tmp_path: Path) -> None:
    names = ("A1", "A2", "B1", "B2", "B3")[:num_recipes]
    recipes = [Reproduced(load_published(name), (make_history(1, 0.6), make_history(2, 0.7))) for name in names]
    chart = plot_reproduction(recipes, "some title")
    assert len(chart.panels) == num_recipes
    save_figure(chart, tmp_path / "reproduction.png")
    assert (tmp_path / "reproduction.png").stat().st_size > 1000
