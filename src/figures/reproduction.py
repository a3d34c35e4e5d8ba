"""Measured curves over published ones, a panel for each recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from src.figures.panels import LEGEND_LINE, Chart, Panel, write_legend
from src.figures.scales import Scale
from src.figures.sheet import LABEL_HEIGHT, LINE_SPACING, SMALL_HEIGHT
from src.figures.style import FAINT_INK, INK, percent
from src.history import History
from src.published.curves import PublishedRecipe

#: Recipes side by side before a new row begins.
COLUMNS = 4

LEGEND = {
    "val": "validation, ours: mean and range of the seeds",
    "running_mean": "training (running average), ours",
    "published_val": "validation, published",
    "published_running": "training (running average), published",
}

#: A panel; what is left free at the left of a row, between two panels, above one and below one.
PANEL_SIZE = (300, 200)
LEFT, BETWEEN, ABOVE, BELOW = 60, 26, 8 + (LABEL_HEIGHT + SMALL_HEIGHT) * LINE_SPACING, 64

#: The legend in one column.
LEGEND_WIDTH = 420


@dataclass(frozen=True)
class Reproduced:
    """A recipe's published curve and our trainings of it.

    Attributes:
        published: What was published.
        histories: One training for each seed, at least one, each of at least one epoch.
    """

    published: PublishedRecipe
    histories: tuple[History, ...]


def plot_reproduction(recipes: Sequence[Reproduced], title: str) -> Chart:
    """Draws validation accuracy and Keras's running average of each recipe, ours over the published ones.

    Args:
        recipes: The recipes, at least one, in the order in which they are to be read.
        title: The heading.

    Returns:
        A chart with one panel per recipe, row by row, all on the same vertical axis.
    """
    columns = min(COLUMNS, len(recipes))
    bands = -(-len(recipes) // columns)
    across, down = PANEL_SIZE[0] + BETWEEN, ABOVE + PANEL_SIZE[1] + BELOW
    legend_columns = 2 if columns > 1 else 1
    legend_height = -(-len(LEGEND) // legend_columns) * LEGEND_LINE
    width = max(LEFT + columns * across - BETWEEN, LEGEND_WIDTH)
    chart = Chart(width, bands * down + legend_height, title)
    scale = _compute_scale(recipes)
    for index, recipe in enumerate(recipes):
        band, column = divmod(index, columns)
        left, top = LEFT + column * across, band * down + ABOVE
        _write_head(chart, left, top - 4, recipe)
        panel = chart.add_panel((left, top), PANEL_SIZE, scale, _find_last_epoch(recipe), percent=True)
        _draw(panel, recipe)
        panel.finish(numbers=column == 0)
    write_legend(chart, bands * down, width, LEGEND, legend_columns)
    return chart


def _find_last_epoch(recipe: Reproduced) -> int:
    """Returns where a panel ends: with the published curve, unless ours are so short that they could not be seen."""
    ours = max(map(len, recipe.histories))
    return max(ours, min(len(recipe.published), 2 * ours))


def _draw(panel: Panel, recipe: Reproduced) -> None:
    published = recipe.published
    epochs = [epoch.epoch for epoch in published.epochs]
    panel.draw_line(epochs, published.series("train_accuracy"), "published_running")
    panel.draw_line(epochs, published.series("val_accuracy"), "published_val")
    for key, label in (("train_accuracy", "running_mean"), ("val_accuracy", "val")):
        # Of a training that is shorter than the others there is nothing to compare beyond its end.
        length = min(map(len, recipe.histories))
        values = np.array([history.series(key)[:length] for history in recipe.histories])
        ours = [epoch.epoch for epoch in recipe.histories[0].epochs[:length]]
        panel.draw_band(ours, values.min(axis=0), values.max(axis=0), label)
        panel.draw_line(ours, values.mean(axis=0), label, marked=length <= 3)


def _compute_scale(recipes: Sequence[Reproduced]) -> Scale:
    """Returns a scale from a multiple of ten percent below the lowest accuracy to a little above all of them."""
    keys = ("train_accuracy", "val_accuracy")
    values = [value for recipe in recipes for key in keys for value in recipe.published.series(key)]
    values += [value for recipe in recipes for one in recipe.histories for key in keys for value in one.series(key)]
    bottom = float(np.floor(np.nanmin(values) * 10) / 10)
    return Scale(bottom, 1 + 0.03 * (1 - bottom))


def _write_head(chart: Chart, left: float, bottom: float, recipe: Reproduced) -> None:
    """Writes a recipe's name, and below it both accuracies at the last epoch that ours has."""
    epoch = min(len(recipe.published), *map(len, recipe.histories))
    ours = float(np.mean([history.epochs[epoch - 1].val_accuracy for history in recipe.histories]))
    theirs = recipe.published.epochs[epoch - 1].val_accuracy
    text = f"epoch {epoch}: {percent(ours)}, published {percent(theirs)}"
    chart.write(left, bottom, text, height=SMALL_HEIGHT, colour=FAINT_INK, anchor="ld")
    name = recipe.published.recipe
    chart.write(left, bottom - SMALL_HEIGHT * LINE_SPACING, name, colour=INK, anchor="ld", bold=True)
