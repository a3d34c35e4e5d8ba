"""Effects and influences as tables, unrounded, for everybody who wants to look at them with tools of their own."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from src.analysis.effects import MEASURES, Effect
from src.analysis.influence import Influences
from src.analysis.intervals import Estimate
from src.comparison.evidence import Evidence


def write_evidence(evidence: Evidence, folder: Path) -> list[Path]:
    """Writes `effects.csv` of a grid, `influences.csv` of a search, where there is something to write.

    Raises:
        OSError: A file cannot be written.
    """
    files = []
    if evidence.effects:
        files.append(_write_effects(evidence.effects, folder / "effects.csv"))
    measured = [each for each in (evidence.gap, evidence.accuracy) if each is not None]
    if measured:
        files.append(_write_influences(measured, folder / "influences.csv"))
    return files


def _write_effects(effects: Sequence[Effect], path: Path) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        ends = [f"{name}_{end}" for name in MEASURES for end in ("change", "low", "high")]
        writer.writerow(["key", "value", "instead_of", *ends, "pairs", "seeds", "paired"])
        for effect in effects:
            figures = [cell for name in MEASURES for cell in _cells(effect.differences[name])]
            basis = [effect.count, effect.num_seeds, effect.paired]
            writer.writerow([effect.key, effect.level, effect.baseline, *figures, *basis])
    return path


def _write_influences(measured: Sequence[Influences], path: Path) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["measure", "key", "share", "from", "to", "change", "low", "high", "trials", "explained"])
        for influences in measured:
            for each in influences.keys:
                figures = [repr(each.share), *each.between, *_cells(each.effect)]
                writer.writerow([influences.measure, each.key, *figures, influences.count, repr(influences.explained)])
    return path


def _cells(estimate: Estimate) -> list[str]:
    return ["" if value is None else repr(value) for value in (estimate.mean, estimate.low, estimate.high)]
