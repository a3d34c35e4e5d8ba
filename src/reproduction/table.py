"""The figures of a reproduction as CSV, to compute with."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from src.reproduction.result import RecipeResult

#: The columns, in their order; accuracies are shares of one.
_COLUMNS = (
    "recipe",
    "seeds",
    "epochs",
    "published_epochs",
    "published_final",
    "published_best",
    "published_best_epoch",
    "published_at_epoch",
    "published_best_until_epoch",
    "final_mean",
    "final_deviation",
    "best_mean",
    "best_deviation",
    "best_epochs",
    "difference",
    "falls_short",
    "published_running",
    "running_mean",
    "train_eval_mean",
    "gap_mean",
    "published_test",
    "test_mean",
    "test_deviation",
)


def write_table(results: Sequence[RecipeResult]) -> str:
    """Returns the figures as CSV, a line per recipe that has a run."""
    file = io.StringIO()
    rows = [_tabulate(result) for result in results if result.records]
    writer = csv.DictWriter(file, list(_COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _tabulate(result: RecipeResult) -> dict[str, object]:
    published, test = result.published, result.test
    values = (
        published.recipe,
        " ".join(result.seeds),
        result.epochs,
        len(published),
        published.final.val_accuracy,
        published.best.val_accuracy,
        published.best.epoch,
        result.counterpart.val_accuracy,
        result.published_best.val_accuracy,
        result.final.mean,
        result.final.deviation,
        result.best.mean,
        result.best.deviation,
        " ".join(str(epoch.epoch) for epoch in result.bests),
        result.difference,
        result.falls_short,
        result.counterpart.train_accuracy,
        result.average_last("train_accuracy"),
        result.average_last("train_eval_accuracy"),
        result.average_last("gap_accuracy"),
        published.test_accuracy,
        None if test is None else test.mean,
        None if test is None else test.deviation,
    )
    return dict(zip(_COLUMNS, map(_round, values), strict=True))


def _round(value: object) -> object:
    return round(value, 6) if isinstance(value, float) else value
