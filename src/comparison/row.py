"""One run in a comparison: what the store says of it, as the cells of a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from src.ending import COMPLETE, INTERRUPTED, PRUNED
from src.history import History
from src.tracking.records import RunRecord

#: Columns of a comparison of trainings: heading for people, key in the CSV.
COLUMNS = {
    "best val": "best_val_accuracy",
    "at epoch": "best_epoch",
    "gap there": "best_gap_accuracy",
    "final gap": "final_gap_accuracy",
    "overfits from": "overfit_epoch",
    "epochs": "epochs_run",
    "seconds": "seconds",
}

#: Keys whose spread over seeds is shown beside the mean, besides those of the objectives.
_SPREAD_KEYS = ("best_val_accuracy", "best_gap_accuracy", "final_gap_accuracy")

#: States of rows that have no result and have not failed either.
_OPEN = ("running", PRUNED, INTERRUPTED)

#: Keys that count something.
_COUNTS = ("epoch", "epochs_run", "trials", "trial_number")


@dataclass(frozen=True)
class Row:
    """One run in a comparison.

    Attributes:
        run_id: The run; empty for an arm of which no trial has been complete.
        name: What tells it from the others.
        arm: Its arm.
        state: Its `fitgap.state`.
        error: Why it did not complete; None if it did.
        values: Its figures by key, as far as it has them.
        params: Its values of the keys in which the runs of the sweep differ.
        history: Its epochs.
        verdict: Its diagnosis in one word; None where it has none.
        reason: Its diagnosis in a sentence.
    """

    run_id: str
    name: str
    arm: str
    state: str
    error: str | None
    values: Mapping[str, float]
    params: Mapping[str, str] = field(default_factory=dict)
    history: History = field(default_factory=History)
    verdict: str | None = None
    reason: str = ""

    @property
    def failure(self) -> str | None:
        """Why it has no result; None where it has one, still runs, or was stopped on purpose."""
        if self.state == COMPLETE or self.state in _OPEN:
            return None
        return f"{self.state}: {self.error or 'no reason recorded'}"

    @property
    def label(self) -> str:
        """Its values in short: `dropout=0.31, learning_rate=0.00052`."""
        return ", ".join(f"{key.rpartition('.')[2]}={_shorten(value)}" for key, value in self.params.items())

    def cells(self, keys: Iterable[str], objectives: Collection[str] = ()) -> list[str]:
        """Returns the row as text: name, state, then a cell for each key."""
        return [self.name, self.state, *(self._format(key, objectives) for key in keys)]

    def _format(self, key: str, objectives: Collection[str]) -> str:
        value = self.values.get(key)
        if value is None:
            return "-"
        text, spread = format_value(key, value), self.values.get(f"{key}_std")
        if spread is None or key not in {*_SPREAD_KEYS, *objectives}:
            return text
        seeds = f" ({self.values['num_seeds']:.0f})" if "num_seeds" in self.values and key in objectives else ""
        return f"{text} ±{format_value(key, spread).lstrip('+')}{seeds}"


def to_row(record: RunRecord, keys: Collection[str] = ()) -> Row:
    """Returns the row of a run, with its values of some keys."""
    values = dict(record.metrics)
    if record.history:
        values.setdefault("best_gap_accuracy", record.history.best().gap_accuracy)
        values["seconds"] = sum(record.history.series("epoch_seconds"))
    elif record.duration_seconds is not None:
        values["seconds"] = record.duration_seconds
    arm = record.tags.get("fitgap.arm", record.name)
    if "fitgap.trial_number" in record.tags:
        values["trial_number"] = float(record.tags["fitgap.trial_number"])
    return Row(
        run_id=record.run_id,
        name=arm,
        arm=arm,
        state=record.tags.get("fitgap.state", record.status.lower()),
        error=record.tags.get("fitgap.error") or None,
        values=values,
        params=_find_params(record, keys),
        history=record.history,
        verdict=record.tags.get("fitgap.verdict"),
        reason=record.tags.get("fitgap.diagnosis", ""),
    )


def format_value(key: str, value: float) -> str:
    """Returns a figure with as many digits as people can use."""
    if key.endswith(_COUNTS):
        return f"{value:.0f}"
    if key == "seconds":
        return f"{value:.1f}"
    if "gap" in key:
        return f"{value:+.3f}"
    return f"{value:.3f}" if "accuracy" in key else f"{value:.4g}"


def _find_params(record: RunRecord, keys: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in keys:
        name = key.lstrip("+")
        # Of a group, such as `optimizer`, a training records the name of what was chosen.
        value = next((record.params[each] for each in (key, name, f"{name}.name") if each in record.params), None)
        if value is not None:
            found[name] = value
    return found


def _shorten(value: str) -> str:
    try:
        return value if value.lstrip("-").isdigit() else f"{float(value):.3g}"
    except ValueError:
        return value
