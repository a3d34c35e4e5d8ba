"""Which pictures a sweep leaves behind besides the curves: gap against accuracy, effects or influences."""

from __future__ import annotations

from pathlib import Path

from src.analysis.effects import GAP, VAL_ACCURACY
from src.comparison.comparison import Comparison
from src.comparison.page import build_influences, describe_influences, find_front, has_place
from src.comparison.words import describe_change
from src.figures.effects import Change, Weight, plot_effects, plot_weights
from src.figures.style import save_figure
from src.figures.tradeoff import Mark, plot_tradeoff

#: Effects and keys in one picture.
_MOST_LINES = 30


def draw_pictures(comparison: Comparison, title: str, folder: Path) -> list[Path]:
    """Draws what there is enough for, and returns the files.

    Raises:
        StorageError: A file cannot be written.
    """
    files = []
    placed = [row for row in comparison.runs if has_place(row)]
    if len(placed) > 1:
        front = find_front(placed)
        marks = [
            Mark(row.name, row.values[GAP], row.values[VAL_ACCURACY], on_front=row.run_id in front) for row in placed
        ]
        save_figure(plot_tradeoff(marks, title), folder / "tradeoff.png")
        files.append(folder / "tradeoff.png")
    effects = comparison.evidence.effects[:_MOST_LINES]
    if effects:
        changes = [
            Change(describe_change(effect), effect.differences[GAP], effect.differences[VAL_ACCURACY])
            for effect in effects
        ]
        save_figure(plot_effects(changes, title), folder / "effects.png")
        files.append(folder / "effects.png")
    influences = build_influences(comparison)[:_MOST_LINES]
    if influences:
        weights = [Weight(line.key, line.gap_share, line.accuracy_share) for line in influences]
        save_figure(plot_weights(weights, title, describe_influences(comparison)), folder / "influences.png")
        files.append(folder / "influences.png")
    return files
