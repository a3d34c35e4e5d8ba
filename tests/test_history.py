"""One epoch's measurements and their order; what a CSV keeps of them."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from src.history import EPOCH_METRICS, EpochMetrics, History

EPOCH = EpochMetrics(
    epoch=1,
    train_accuracy=0.7,
    train_loss=0.6,
    train_eval_accuracy=0.875,
    train_eval_loss=0.25,
    val_accuracy=0.75,
    val_loss=0.5,
    learning_rate=1e-3,
    epoch_seconds=1.5,
)


def make_history(*scores: tuple[float, float]) -> History:
    """Makes up a history from the validation accuracy and loss of each epoch."""
    return History(
        tuple(
            replace(EPOCH, epoch=epoch, val_accuracy=accuracy, val_loss=loss)
            for epoch, (accuracy, loss) in enumerate(scores, start=1)
        )
    )


def test_both_gaps_are_positive_where_validation_is_worse() -> None:
    assert EPOCH.gap_accuracy == 0.125
    assert EPOCH.gap_loss == 0.25


def test_both_gaps_are_negative_where_validation_is_better() -> None:
    lucky = replace(EPOCH, val_accuracy=1.0, val_loss=0.125)
    assert lucky.gap_accuracy == -0.125
    assert lucky.gap_loss == -0.125


def test_the_gap_is_taken_from_the_clean_slice_and_not_from_the_running_average() -> None:
    assert replace(EPOCH, train_accuracy=0.1, train_loss=9.0).gap_accuracy == EPOCH.gap_accuracy
    assert replace(EPOCH, train_accuracy=0.1, train_loss=9.0).gap_loss == EPOCH.gap_loss


def test_the_keys_of_an_epoch_are_those_of_the_design() -> None:
    assert set(EPOCH_METRICS) == {
        "train_accuracy",
        "train_loss",
        "train_eval_accuracy",
        "train_eval_loss",
        "val_accuracy",
        "val_loss",
        "gap_accuracy",
        "gap_loss",
        "learning_rate",
        "epoch_seconds",
    }
    assert len(EPOCH_METRICS) == 10


def test_an_epochs_metrics_are_its_keys_and_its_own_values() -> None:
    metrics = EPOCH.metrics()
    assert tuple(metrics) == EPOCH_METRICS
    assert metrics == {key: getattr(EPOCH, key) for key in EPOCH_METRICS}


def test_the_best_epoch_has_the_highest_validation_accuracy() -> None:
    assert make_history((0.6, 0.1), (0.9, 0.5), (0.8, 0.2)).best().epoch == 2


def test_of_equally_accurate_epochs_the_best_has_the_lower_loss() -> None:
    assert make_history((0.9, 0.5), (0.9, 0.3), (0.9, 0.4)).best().epoch == 2


def test_of_equal_epochs_the_best_is_the_first() -> None:
    assert make_history((0.8, 0.3), (0.9, 0.3), (0.9, 0.3)).best().epoch == 2


def test_a_history_without_epochs_has_no_best_epoch() -> None:
    with pytest.raises(ValueError, match="without epochs has no best epoch"):
        History().best()


def test_a_history_without_epochs_is_empty_in_every_way(tmp_path: Path) -> None:
    assert not History()
    assert History().series("val_loss") == []
    History().write_csv(tmp_path / "history.csv")
    assert (tmp_path / "history.csv").read_text(encoding="utf-8").split() == [",".join(("epoch", *EPOCH_METRICS))]
    assert History.from_rows([]) == History()


def test_a_history_grows_at_its_end_and_leaves_the_shorter_one_as_it_was() -> None:
    shorter = make_history((0.6, 0.7), (0.7, 0.6))
    longer = shorter.with_epoch(replace(EPOCH, epoch=3))
    assert [epoch.epoch for epoch in longer.epochs] == [1, 2, 3]
    assert len(shorter) == 2


def test_a_series_is_one_metric_over_all_epochs() -> None:
    history = make_history((0.5, 0.75), (0.75, 0.5))
    assert history.series("val_loss") == [0.75, 0.5]
    assert history.series("gap_accuracy") == [0.375, 0.125]


def test_a_csv_gives_the_history_back_to_the_last_digit(tmp_path: Path) -> None:
    awkward = replace(EPOCH, val_accuracy=0.1 + 0.2, val_loss=1 / 3, train_loss=5e-324, learning_rate=1e-4 / 3)
    history = History((awkward, replace(awkward, epoch=2, val_loss=float("inf"), train_eval_loss=2 / 7)))
    history.write_csv(tmp_path / "history.csv")
    with (tmp_path / "history.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert History.from_rows(rows) == history  # type: ignore[arg-type]
    assert [float(row["gap_accuracy"]) for row in rows] == history.series("gap_accuracy")


def test_a_csv_starts_with_the_epoch_and_goes_on_in_the_order_of_the_keys(tmp_path: Path) -> None:
    make_history((0.5, 0.75), (0.75, 0.5)).write_csv(tmp_path / "history.csv")
    header, first, second = (tmp_path / "history.csv").read_text(encoding="utf-8").splitlines()
    assert header.split(",") == ["epoch", *EPOCH_METRICS]
    assert first.split(",")[0] == "1"
    assert second.split(",")[header.split(",").index("val_loss")] == "0.5"


def test_rows_in_any_order_become_a_history_in_the_order_of_its_epochs() -> None:
    rows = [{"epoch": float(epoch), **replace(EPOCH, val_loss=epoch / 8).metrics()} for epoch in (3, 1, 2)]
    history = History.from_rows(rows)
    assert [epoch.epoch for epoch in history.epochs] == [1, 2, 3]
    assert history.series("val_loss") == [0.125, 0.25, 0.375]
    assert all(isinstance(epoch.epoch, int) for epoch in history.epochs)
