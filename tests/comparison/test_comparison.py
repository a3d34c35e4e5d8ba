"""The runs of a sweep side by side, from what the store says of each."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import pytest
from matplotlib.image import imread

from src.analysis.overfitting import compute_summary
from src.history import EpochMetrics, History

with warnings.catch_warnings():
    # MLflow's own models use what SQLAlchemy is about to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    from src.comparison.comparison import compare_runs
    from src.comparison.row import COLUMNS
    from src.tracking.records import RunRecord

#: Validation accuracies of a training that overfits from its third epoch.
TURNING = (0.25, 0.5, 0.75, 0.625, 0.5, 0.375)


def make_history(*val_accuracies: float, train_eval_accuracy: float = 0.9375) -> History:
    """Makes up a history whose loss follows its accuracy."""
    return History(
        tuple(
            EpochMetrics(
                epoch=epoch,
                train_accuracy=0.6,
                train_loss=0.7,
                train_eval_accuracy=train_eval_accuracy,
                train_eval_loss=0.125,
                val_accuracy=accuracy,
                val_loss=1 - accuracy,
                learning_rate=1e-3,
                epoch_seconds=1.25,
            )
            for epoch, accuracy in enumerate(val_accuracies, start=1)
        )
    )


def make_record(number: int, history: History | None = None, *, state: str = "complete", **tags: str) -> RunRecord:
    """Makes up what the store says of a run, recorded as trainings record themselves."""
    history = make_history(0.5, 0.75) if history is None else history
    return RunRecord(
        run_id=f"run{number}",
        name=f"name{number}",
        status="FINISHED" if state == "complete" else "FAILED",
        kind="trial",
        tags={
            "fitgap.arm": f"arm={number}",
            "fitgap.trial_number": str(number),
            "fitgap.state": state,
            **{f"fitgap.{key}": value for key, value in tags.items()},
        },
        metrics=compute_summary(history) if history else {},
        history=history,
    )


def failed_record(number: int, history: History | None = None) -> RunRecord:
    """Makes up a run that diverged, before its first epoch unless it has a history."""
    history = History() if history is None else history
    return make_record(number, history, state="diverged", error="DivergedError: The loss became nan.")


def read_table(text: str) -> list[list[str]]:
    """Reads the cells of a Markdown table, taking an escaped pipe for a character."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [line.replace(r"\|", "\0").strip("|").split("|") for line in lines]
    return [[cell.strip().replace("\0", "|") for cell in row] for row in cells]


def test_runs_stand_in_the_order_of_their_trial_numbers_and_not_of_their_digits() -> None:
    comparison = compare_runs([make_record(10), failed_record(2), make_record(1), make_record(0)])
    assert [row.run_id for row in comparison.rows] == ["run0", "run1", "run2", "run10"]


def test_a_row_holds_what_the_run_measured() -> None:
    (row,) = compare_runs([make_record(0, make_history(*TURNING))]).rows
    assert {key: row.values[key] for key in COLUMNS.values()} == {
        "best_val_accuracy": 0.75,
        "best_epoch": 3.0,
        "best_gap_accuracy": 0.1875,
        "final_gap_accuracy": 0.5625,
        "overfit_epoch": 3.0,
        "epochs_run": 6.0,
        "seconds": 7.5,
    }
    assert row.cells(COLUMNS.values()) == ["arm=0", "complete", "0.750", "3", "+0.188", "+0.562", "3", "6", "7.5"]


def test_a_run_of_another_program_is_named_by_its_name_and_its_status() -> None:
    record = RunRecord(run_id="run", name="some name", status="FINISHED", kind="")
    (row,) = compare_runs([record]).rows
    assert (row.name, row.state) == ("some name", "finished")


def test_the_best_run_has_the_highest_validation_accuracy() -> None:
    records = [make_record(0, make_history(0.5)), make_record(1, make_history(0.75)), make_record(2, make_history(0.6))]
    best = compare_runs(records).best
    assert best is not None
    assert best.run_id == "run1"


def test_of_equally_accurate_runs_the_best_has_the_smaller_gap() -> None:
    gaps = [0.9375, 0.8125, 0.875]
    records = [make_record(number, make_history(0.75, train_eval_accuracy=gap)) for number, gap in enumerate(gaps)]
    best = compare_runs(records).best
    assert best is not None
    assert best.run_id == "run1"


def test_of_equal_runs_the_best_is_the_first() -> None:
    best = compare_runs([make_record(2), make_record(1), make_record(3)]).best
    assert best is not None
    assert best.run_id == "run1"


def test_a_run_that_did_not_complete_is_never_the_best() -> None:
    comparison = compare_runs([make_record(0, make_history(0.5)), failed_record(1, make_history(1.0))])
    assert comparison.best is not None
    assert comparison.best.run_id == "run0"
    assert comparison.summary["num_failed"] == 1


def test_the_parent_gets_the_counts_and_the_best_runs_metrics() -> None:
    records = [make_record(0, make_history(*TURNING)), failed_record(1)]
    assert compare_runs(records).summary == {
        "num_runs": 2.0,
        "num_failed": 1.0,
        "best_val_accuracy": 0.75,
        "best_gap_accuracy": 0.1875,
        "final_gap_accuracy": 0.5625,
    }


def test_the_onset_of_the_best_run_is_no_metric_of_the_parent() -> None:
    # A metric cannot be taken back, and the next best run may have no such epoch.
    assert "overfit_epoch" not in compare_runs([make_record(0, make_history(*TURNING))]).summary


def test_a_run_that_still_runs_has_not_failed() -> None:
    comparison = compare_runs([make_record(0), make_record(1, state="running")])
    assert comparison.summary["num_failed"] == 0
    assert comparison.best is not None
    assert comparison.best.run_id == "run0"


def test_of_a_sweep_in_which_all_failed_there_is_no_best_run() -> None:
    comparison = compare_runs([failed_record(0), failed_record(1, make_history(0.5))])
    assert comparison.best is None
    assert comparison.summary == {"num_runs": 2.0, "num_failed": 2.0}
    assert "Best" not in comparison.describe()
    rows = read_table(comparison.describe())[2:]
    assert [row[:2] for row in rows] == [["arm=0", "diverged"], ["arm=1", "diverged"]]


def test_the_description_is_a_table_under_the_best_runs_name() -> None:
    text = compare_runs([make_record(0, make_history(0.5)), make_record(1)]).describe()
    assert text.startswith("Best: **arm=1**\n\n|")
    header, rule, *rows = read_table(text)
    assert header == ["", "state", *COLUMNS]
    assert rule == ["---"] * len(header)
    assert [row[0] for row in rows] == ["arm=0", "arm=1"]
    assert all(len(row) == len(header) for row in rows)


def test_a_run_without_epochs_has_empty_cells() -> None:
    (row,) = compare_runs([failed_record(0)]).rows
    assert row.cells(COLUMNS.values()) == ["arm=0", "diverged", *["-"] * len(COLUMNS)]


def test_a_verdict_has_a_column_where_any_run_has_one() -> None:
    comparison = compare_runs([make_record(0, verdict="overfitting"), failed_record(1)])
    assert comparison.header == ["", "state", "verdict", *COLUMNS]
    assert [cells[:3] for cells in comparison.cells()] == [
        ["arm=0", "complete", "overfitting"],
        ["arm=1", "diverged", "-"],
    ]


def test_a_pipe_in_a_name_does_not_break_the_table() -> None:
    header, _, row = read_table(compare_runs([make_record(0, arm="name=a|b")]).describe())
    assert len(row) == len(header)
    assert row[0] == "name=a|b"


def test_the_csv_keeps_every_digit(tmp_path: Path) -> None:
    history = make_history(1 / 3, 2 / 3, train_eval_accuracy=0.1 + 0.7)
    comparison = compare_runs([make_record(0, history)])
    comparison.write_csv(tmp_path / "comparison.csv")
    with (tmp_path / "comparison.csv").open(newline="", encoding="utf-8") as file:
        (line,) = csv.DictReader(file)
    written = {key: value for key, value in comparison.rows[0].values.items() if key in COLUMNS.values()}
    assert {key: float(line[key]) for key in written} == written
    assert float(line["best_gap_accuracy"]) == (0.1 + 0.7) - 2 / 3
    assert line["overfit_epoch"] == ""


def test_the_csv_names_each_run_and_why_it_failed(tmp_path: Path) -> None:
    error = 'OSError: "no", it said,\nand stopped'
    records = [make_record(0), make_record(1, History(), state="failed", arm="name='a, b'", error=error)]
    compare_runs(records).write_csv(tmp_path / "comparison.csv")
    with (tmp_path / "comparison.csv").open(newline="", encoding="utf-8") as file:
        complete, failed = csv.DictReader(file)
    assert list(complete) == ["run_id", "arm", "state", "verdict", "error", *COLUMNS.values()]
    assert [complete[key] for key in ("run_id", "arm", "state", "error")] == ["run0", "arm=0", "complete", ""]
    assert [failed[key] for key in ("run_id", "arm", "state", "error")] == ["run1", "name='a, b'", "failed", error]
    assert {failed[key] for key in COLUMNS.values()} == {""}


PICTURES = {
    "complete, failed and empty runs": [
        make_record(0, make_history(*TURNING)),
        failed_record(1),
        failed_record(2, make_history(0.5, 0.25)),
        make_record(3, History(), state="running"),
    ],
    "nothing but failures": [failed_record(0), failed_record(1)],
    "no run": [],
}


@pytest.mark.parametrize("records", PICTURES.values(), ids=PICTURES.keys())
def test_a_picture_is_drawn_of(records: list[RunRecord], tmp_path: Path) -> None:
    compare_runs(records).draw(tmp_path / "comparison.png", "some sweep")
    assert imread(tmp_path / "comparison.png").ndim == 3
