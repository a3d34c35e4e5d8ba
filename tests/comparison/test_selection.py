"""Which trials stand for a search, from what the store says of its runs."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest

from src.study.objective import parse_objectives

with warnings.catch_warnings():
    # MLflow's own models use what SQLAlchemy is about to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    from src.comparison.comparison import compare_trials
    from src.comparison.selection import RETRIED_TAG, Selection, Tally, select_trials
    from src.tracking.records import RunRecord

ACCURACY = parse_objectives("accuracy", "maximize", [])
BOTH = parse_objectives(["accuracy", "gap"], ["maximize", "minimize"], [])


def make_record(number: int, accuracy: float, *, arm: str = "a", state: str = "complete", **metrics: Any) -> RunRecord:
    """Makes up what the store says of a trial."""
    return RunRecord(
        run_id=f"{arm}{number}",
        name=f"{arm} #{number}",
        status="FINISHED",
        kind="trial",
        tags={"fitgap.arm": arm, "fitgap.trial_number": str(number), "fitgap.state": state},
        metrics={"accuracy": accuracy, **metrics},
    )


def ids(selection: Selection) -> list[str]:
    """Returns the ids of the selected runs."""
    return [record.run_id for record in selection.records]


def test_each_arm_stands_with_its_best_trial_and_the_best_arm_first() -> None:
    records = [make_record(0, 0.5), make_record(1, 0.7), make_record(0, 0.8, arm="b"), make_record(1, 0.6, arm="b")]
    selection = select_trials(records, ACCURACY, single=False)
    assert ids(selection) == ["b0", "a1"]
    assert selection.tallies == {"a": Tally(complete=2), "b": Tally(complete=2)}


def test_of_a_search_with_one_arm_the_five_best_are_selected() -> None:
    records = [make_record(number, number / 10) for number in range(7)]
    assert ids(select_trials(records, ACCURACY, single=True)) == ["a6", "a5", "a4", "a3", "a2"]


def test_an_objective_can_be_minimized() -> None:
    records = [make_record(number, number / 10) for number in range(3)]
    objectives = parse_objectives("accuracy", "minimize", [])
    assert ids(select_trials(records, objectives, single=True)) == ["a0", "a1", "a2"]


def test_of_equal_trials_the_earlier_is_the_better_as_in_the_study() -> None:
    records = [make_record(10, 0.5), make_record(9, 0.5), make_record(11, 0.5)]
    assert ids(select_trials(records, ACCURACY, single=False)) == ["a9"]


@pytest.mark.parametrize(
    "record",
    [
        make_record(1, 0.9, state="pruned"),
        make_record(1, 0.9, state="running"),
        make_record(1, math.inf),
        make_record(1, math.nan),
        RunRecord("a1", "a", "FINISHED", "trial", tags={"fitgap.arm": "a", "fitgap.state": "complete"}),
    ],
    ids=["pruned", "running", "infinite", "no number", "no objective"],
)
def test_a_trial_without_a_result_is_never_selected(record: RunRecord) -> None:
    assert ids(select_trials([make_record(0, 0.5), record], ACCURACY, single=True)) == ["a0"]


def test_a_trial_that_breaks_a_constraint_is_never_selected() -> None:
    objectives = parse_objectives("accuracy", "maximize", ["gap <= 0.05", "epochs < 3"])
    records = [
        make_record(0, 0.9, gap=0.06, epochs=1),
        make_record(1, 0.8, gap=0.05, epochs=3),
        make_record(2, 0.7, gap=0.05, epochs=2),
        make_record(3, 0.9, gap=0.01),
    ]
    assert ids(select_trials(records, objectives, single=True)) == ["a2"]


def test_with_two_objectives_the_front_is_selected_and_the_best_of_arms_that_have_none_there() -> None:
    records = [
        make_record(0, 0.9, gap=0.2),
        make_record(1, 0.8, gap=0.1),
        make_record(2, 0.7, gap=0.15),
        make_record(0, 0.8, gap=0.1, arm="b"),
        make_record(0, 0.6, gap=0.3, arm="c"),
        make_record(1, 0.5, gap=0.2, arm="c"),
    ]
    assert ids(select_trials(records, BOTH, single=False)) == ["a0", "b0", "a1", "c0"]


def test_what_was_run_again_or_interrupted_does_not_count_as_failed() -> None:
    again = make_record(0, 0.0, state="failed")
    again.tags[RETRIED_TAG] = "true"
    states = ["interrupted", "lost", "diverged", "oom", "pruned", "running", "complete"]
    records = [again, *(make_record(number, 0.5, state=state) for number, state in enumerate(states, start=1))]
    selection = select_trials(records, ACCURACY, single=True)
    assert selection.tallies["a"] == Tally(complete=1, pruned=1, failed=3, running=1)
    assert selection.total.describe() == "1 complete, 1 pruned, 3 failed, 1 running"


def test_an_arm_without_a_complete_trial_is_shown_last_with_the_state_of_its_last_run() -> None:
    records = [make_record(0, 0.0, state="failed"), make_record(1, 0.0, state="oom"), make_record(0, 0.5, arm="b")]
    comparison = compare_trials(select_trials(records, ACCURACY, single=False), ACCURACY, {})
    assert [(row.name, row.state, row.run_id) for row in comparison.rows] == [("b", "complete", "b0"), ("a", "oom", "")]
    assert [row.name for row in comparison.ranking] == ["b"]
    assert comparison.header == ["", "state", "trial", "accuracy", "complete", "pruned", "failed"]
    assert comparison.cells() == [["b", "complete", "0", "0.500", "1", "0", "0"], ["a", "oom", "-", "-", "0", "0", "2"]]


def test_an_objective_of_another_application_has_a_column_of_its_own() -> None:
    objectives = parse_objectives("mean_cost", "minimize", [])
    record = make_record(0, 0.5, mean_cost=0.000123456)
    comparison = compare_trials(select_trials([record], objectives, single=True), objectives, {})
    assert comparison.columns == {"mean cost": "mean_cost"}
    assert comparison.cells() == [["#0", "complete", "0.0001235"]]
    assert not comparison.has_curves


def test_a_search_without_any_run_has_an_empty_comparison() -> None:
    comparison = compare_trials(select_trials([], ACCURACY, single=False), ACCURACY, {"x": "0 to 1"})
    assert comparison.rows == ()
    assert comparison.best is None
    assert comparison.summary == {"num_trials": 0, "num_complete": 0, "num_pruned": 0, "num_failed": 0}


def test_searched_values_are_read_from_a_trainings_params_with_the_names_of_groups() -> None:
    record = make_record(0, 0.5)
    record.params.update({"optimizer.name": "sgd", "model.dropout": "0.123456", "model.layers": "10", "x": "text"})
    keys = dict.fromkeys(["optimizer", "model.dropout", "model.layers", "+x", "absent"], "searched")
    (row,) = compare_trials(select_trials([record], ACCURACY, single=True), ACCURACY, keys).rows
    assert row.label == "optimizer=sgd, dropout=0.123, layers=10, x=text"
