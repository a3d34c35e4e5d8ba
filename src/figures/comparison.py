"""The arms of a sweep side by side: whose gap opens, and when."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from src.figures.panels import LEGEND_LINE, Chart, Note, draw_history, write_legend
from src.figures.scales import compute_accuracy_scale, compute_shared_loss_scale, find_best
from src.figures.sheet import LABEL_HEIGHT, LINE_SPACING, SMALL_HEIGHT
from src.figures.style import FAINT_INK, INK, VAL_COLOUR, percent, points, shorten
from src.history import History

#: Arms side by side before a new row begins, and arms in one picture.
COLUMNS, MAX_ARMS = 4, 24

#: What the shared legend says of each label under which something is drawn.
LEGEND = {
    "train_eval": "training images (train_eval)",
    "val": "validation images (val)",
    "gap": "gap",
    "best": "best validation accuracy",
    "overfit": "overfitting from here",
}


@dataclass(frozen=True)
class Arm:
    """One of the things that a sweep compares.

    Attributes:
        name: What tells it from the others, for example `model=vgg16`.
        history: The epochs of its best training; may be empty if it failed.
        overfit_epoch: Where validation loss turned for good, if it did.
        failed: Why it has no result, if it has none.
    """

    name: str
    history: History
    overfit_epoch: int | None
    failed: str | None = None


#: A panel; what is left free at the left of a row, between two panels side by side, between two of one arm, and below.
PANEL_SIZE = (320, 190)
LEFT, BETWEEN, MIDDLE, BELOW = 82, 24, 14, 58


def plot_comparison(arms: Sequence[Arm], title: str) -> Chart:
    """Draws for every arm accuracy above loss, all on the same axes.

    Args:
        arms: The arms in the order in which they are to be read; of more than `MAX_ARMS` the first ones are drawn.
        title: The question that the sweep answers.

    Returns:
        A chart with two panels per arm, row by row.
    """
    shown = list(arms[:MAX_ARMS])
    hidden = len(arms) - len(shown)
    subtitle = f"the first {len(shown)} of {len(arms)} arms" if hidden else ""
    if not shown:
        chart = Chart(500, 60, title)
        chart.write(250, 30, "There is no arm to compare.", colour=FAINT_INK, anchor="mm")
        return chart
    columns = min(COLUMNS, len(shown))
    bands = -(-len(shown) // columns)
    histories = [arm.history for arm in shown]
    names = [break_name(arm.name) for arm in shown]
    scales = {"accuracy": compute_accuracy_scale(histories), "loss": compute_shared_loss_scale(histories)}
    last_epoch = max((epoch.epoch for history in histories for epoch in history.epochs), default=1)
    legend = {key: text for key, text in LEGEND.items() if key in _find_labels(shown)}
    legend_columns = len(legend) if columns > 2 else columns
    above = 8 + (SMALL_HEIGHT + max(1 + name.count("\n") for name in names) * LABEL_HEIGHT) * LINE_SPACING
    across, down = PANEL_SIZE[0] + BETWEEN, above + 2 * PANEL_SIZE[1] + MIDDLE + BELOW
    width = LEFT + columns * across - BETWEEN
    legend_height = -(-len(legend) // legend_columns) * LEGEND_LINE if legend else 0
    chart = Chart(width, bands * down + legend_height, title, subtitle)
    for index, arm in enumerate(shown):
        band, column = divmod(index, columns)
        left, top = LEFT + column * across, band * down
        _write_head(chart, left, top + above - 5, arm)
        for half, (measure, scale) in enumerate(scales.items()):
            place = (left, top + above + half * (PANEL_SIZE[1] + MIDDLE))
            panel = chart.add_panel(place, PANEL_SIZE, scale, last_epoch, percent=measure == "accuracy")
            if arm.history.epochs:
                draw_history(panel, arm.history, measure)
            if arm.overfit_epoch is not None:
                panel.mark_overfit(arm.overfit_epoch, f"epoch {arm.overfit_epoch}" if half else "")
            if arm.failed and not half:
                reason = textwrap.fill(shorten(arm.failed, 160), 34)
                panel.notes.append(Note(reason, 0.5, 0.5, colour=VAL_COLOUR, frame=VAL_COLOUR))
            # Equal axes need their numbers only once per row and once per column.
            panel.finish(numbers=column == 0, epochs=bool(half))
            if column == 0:
                middle = place[1] + PANEL_SIZE[1] / 2
                chart.write_slanted(left - 70, middle, measure, 90, height=LABEL_HEIGHT, anchor="mm")
    if legend:
        write_legend(chart, bands * down, width, legend, legend_columns)
    return chart


def _find_labels(arms: Sequence[Arm]) -> set[str]:
    """Returns the labels under which something is drawn for any of the arms."""
    labels = {"overfit"} if any(arm.overfit_epoch is not None for arm in arms) else set()
    if any(arm.history.epochs for arm in arms):
        labels |= {"train_eval", "val", "gap"}
    return labels | ({"best"} if any(find_best(arm.history) for arm in arms) else set())


def break_name(name: str, width: int = 31) -> str:
    """Returns a name on at most two lines of `width` characters, broken after a comma between two overrides."""
    if len(name) <= width:
        return name
    end = name.rfind(",", 0, width) + 1 or width
    return f"{name[:end]}\n{shorten(name[end:].lstrip(), width)}"


def _write_head(chart: Chart, left: float, bottom: float, arm: Arm) -> None:
    """Writes an arm's name and its result, which end above its upper panel."""
    best = find_best(arm.history)
    if best is None or arm.failed:
        result = "failed" if arm.failed else "no finished epoch"
    else:
        result = f"best {percent(best.val_accuracy)} at epoch {best.epoch}, gap {points(best.gap_accuracy)}"
    colour = VAL_COLOUR if arm.failed else FAINT_INK
    chart.write(left, bottom, result, height=SMALL_HEIGHT, colour=colour, anchor="ld")
    bottom -= SMALL_HEIGHT * LINE_SPACING
    chart.write(left, bottom, break_name(arm.name), height=LABEL_HEIGHT, colour=INK, anchor="ld", bold=True)
