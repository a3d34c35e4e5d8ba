"""The comparison: the runs of one sweep side by side, computed from the tracking store alone."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.figures.comparison import Arm, plot_comparison
from src.figures.style import save_figure
from src.history import History
from src.tracking.records import RunRecord

#: Columns of the comparison: heading for people, key in the CSV.
COLUMNS = {
    "best val": "best_val_accuracy",
    "at epoch": "best_epoch",
    "gap there": "best_gap_accuracy",
    "final gap": "final_gap_accuracy",
    "overfits from": "overfit_epoch",
    "epochs": "epochs_run",
    "seconds": "seconds",
}


@dataclass(frozen=True)
class Row:
    """One run in a comparison.

    Attributes:
        run_id: The run.
        number: Its trial number.
        name: Its arm.
        state: Its `fitgap.state`.
        error: Why it did not complete; None if it did.
        values: What `COLUMNS` names, where the run has it.
        history: Its epochs.
    """

    run_id: str
    number: int
    name: str
    state: str
    error: str | None
    values: dict[str, float]
    history: History

    def cells(self) -> list[str]:
        """Returns the row as text: name, state, then a cell for each of `COLUMNS`."""
        return [self.name, self.state, *(_format(key, self.values.get(key)) for key in COLUMNS.values())]


@dataclass(frozen=True)
class Comparison:
    """The runs of a sweep, in the order in which they were planned."""

    rows: tuple[Row, ...]

    @property
    def ranking(self) -> list[Row]:
        """The complete runs by validation accuracy, the best first; of equals the one with the smaller gap."""
        complete = [row for row in self.rows if row.state == "complete" and row.history]
        return sorted(complete, key=lambda row: (-row.values["best_val_accuracy"], row.values["best_gap_accuracy"]))

    @property
    def best(self) -> Row | None:
        """The first of the ranking; None where no run completed."""
        return self.ranking[0] if self.ranking else None

    @property
    def failed(self) -> tuple[Row, ...]:
        """The runs that ended without being complete."""
        return tuple(row for row in self.rows if row.state not in ("complete", "running"))

    def summary(self) -> dict[str, float]:
        """Returns the metrics that the parent run gets."""
        summary = {"num_runs": float(len(self.rows)), "num_failed": float(len(self.failed))}
        if self.best is not None:
            summary |= {
                key: self.best.values[key]
                for key in ("best_val_accuracy", "best_gap_accuracy", "final_gap_accuracy")
                if key in self.best.values
            }
        return summary

    def describe(self) -> str:
        """Returns the comparison as a Markdown table, which MLflow shows as the parent run's description."""
        header = ["", "state", *COLUMNS]
        lines = [header, ["---"] * len(header), *(row.cells() for row in self.rows)]
        table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |" for cells in lines)
        if self.best is None:
            return table
        return f"Best: **{self.best.name}**\n\n{table}"

    def write_csv(self, path: Path) -> None:
        """Writes one line per run, with unrounded values.

        Raises:
            OSError: The file cannot be written.
        """
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["run_id", "arm", "state", "error", *COLUMNS.values()])
            for row in self.rows:
                values = (row.values.get(key) for key in COLUMNS.values())
                cells = ("" if value is None else repr(value) for value in values)
                writer.writerow([row.run_id, row.name, row.state, row.error or "", *cells])

    def draw(self, path: Path, title: str) -> None:
        """Draws the runs' train_eval and validation curves on shared axes."""
        arms = [
            Arm(
                name=row.name if row.state != "running" else f"{row.name} (running)",
                history=row.history,
                overfit_epoch=int(row.values["overfit_epoch"]) if "overfit_epoch" in row.values else None,
                failed=None if row not in self.failed else f"{row.state}: {row.error or 'no reason recorded'}",
            )
            for row in self.rows
        ]
        save_figure(plot_comparison(arms, title), path)


def compare_runs(records: Sequence[RunRecord]) -> Comparison:
    """Puts the child runs of a sweep side by side, in the order of their trial numbers."""
    return Comparison(tuple(sorted(map(_to_row, records), key=lambda row: row.number)))


def _to_row(record: RunRecord) -> Row:
    values = {key: record.metrics[key] for key in COLUMNS.values() if key in record.metrics}
    if record.history:
        values["best_gap_accuracy"] = record.history.best().gap_accuracy
        values["seconds"] = sum(record.history.series("epoch_seconds"))
    return Row(
        run_id=record.run_id,
        number=int(record.tags.get("fitgap.trial_number", "0")),
        name=record.tags.get("fitgap.arm", record.name),
        state=record.tags.get("fitgap.state", record.status.lower()),
        error=record.tags.get("fitgap.error"),
        values=values,
        history=record.history,
    )


def _format(key: str, value: float | None) -> str:
    if value is None:
        return "-"
    if key.endswith(("epoch", "epochs_run")):
        return f"{value:.0f}"
    if key == "seconds":
        return f"{value:.1f}"
    return f"{value:+.3f}" if "gap" in key else f"{value:.3f}"
