"""The runs of trials whose application records none: made in the background, and made up for after a kill."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from src.errors import TrackingError
from src.study.outcome import Outcome
from src.study.owner import Owner
from src.study.view import TrialView
from src.sweep.foreign import ForeignApplication
from src.sweep.parent import Parent
from src.sweep.recorder import Recorder
from src.sweep.recording import start_trial_run
from src.tracking.records import RunRecord, load_children
from src.tracking.store import Store, connect

if TYPE_CHECKING:
    from tests.sweep.searches import Opener, Stage

Maker = Callable[..., Recorder]


@pytest.fixture
def foreign(stage: Opener) -> Stage:
    opened = stage()
    return dataclasses.replace(opened, search=dataclasses.replace(opened.search, application=ForeignApplication("any")))


def make_recorder(
    stage: Stage, folder: Path, *, leads: bool = True, warn: Callable[[str], object] = pytest.fail
) -> Recorder:
    parent = Parent(stage.parent.run_id, stage.parent if leads else None, FileLock(folder / "lead.lock"))
    return Recorder(stage.search, stage.studies, stage.store, parent, warn)


def tell_trial(stage: Stage) -> tuple[TrialView, Outcome]:
    """Tells a study of a trial, of which the tracking store then knows nothing."""
    ask = stage.studies[0].ask(Owner.current())
    assert ask is not None
    outcome = Outcome("complete", {"best_val_accuracy": 0.5 + 0.125 * ask.number}, seconds=1.0)
    return stage.studies[0].tell(ask.number, outcome, retry=False), outcome


def read_children(stage: Stage) -> list[RunRecord]:
    return load_children(stage.store, stage.parent.run_id, histories=False)


def test_what_was_recorded_in_the_background_is_there_when_the_block_is_left(foreign: Stage, tmp_path: Path) -> None:
    study, arm = foreign.studies[0], foreign.search.arms[0].name
    with make_recorder(foreign, tmp_path) as recorder:
        for _ in range(3):
            recorder.record(arm, study, *tell_trial(foreign))
    runs = {record.tags["fitgap.trial_number"]: record for record in read_children(foreign)}
    assert {number: run.metrics["best_val_accuracy"] for number, run in runs.items()} == {
        "0": 0.5,
        "1": 0.625,
        "2": 0.75,
    }
    assert {run.status for run in runs.values()} == {"FINISHED"}
    assert [trial.run_id for trial in study.trials()] == [runs[str(number)].run_id for number in range(3)]


def test_a_trial_that_was_told_by_a_process_that_was_killed_is_recorded_by_the_next(
    foreign: Stage, tmp_path: Path
) -> None:
    tell_trial(foreign)
    with make_recorder(foreign, tmp_path):
        pass
    (run,) = read_children(foreign)
    assert (run.status, run.tags["fitgap.state"], run.metrics["best_val_accuracy"]) == ("FINISHED", "complete", 0.5)
    assert foreign.studies[0].trials()[0].run_id == run.run_id


def test_what_a_trial_reported_last_is_one_point_of_its_curve_though_it_came_to_the_same(
    foreign: Stage, tmp_path: Path
) -> None:
    study, arm = foreign.studies[0], foreign.search.arms[0].name
    ask = study.ask(Owner.current())
    assert ask is not None
    for step, value in ((1, 0.25), (2, 0.5)):
        study.report(ask.number, value, step)
    outcome = Outcome("complete", {"best_val_accuracy": 0.5, "cost": 3.0}, seconds=1.0)
    with make_recorder(foreign, tmp_path) as recorder:
        recorder.record(arm, study, study.tell(ask.number, outcome, retry=False), outcome)
    (run,) = read_children(foreign)
    assert run.metrics == outcome.metrics
    points = connect(foreign.store.uri).get_metric_history(run.run_id, "best_val_accuracy")
    assert [(point.step, point.value) for point in points] == [(1, 0.25), (2, 0.5)]


@pytest.mark.parametrize("told_before", [False, True])
def test_a_training_that_failed_before_it_had_begun_its_run_gets_one_that_says_why(
    told_before: bool, stage: Opener, tmp_path: Path
) -> None:
    opened = stage()
    study, arm = opened.studies[0], opened.search.arms[0].name
    ask = study.ask(Owner.current())
    assert ask is not None
    outcome = Outcome("failed", {}, "OSError: No space left on device", traceback="Traceback …")
    if told_before:
        # By a process that was killed then.
        study.tell(ask.number, outcome, retry=False)
    with make_recorder(opened, tmp_path) as recorder:
        if not told_before:
            recorder.record(arm, study, study.tell(ask.number, outcome, retry=False), outcome)
    (run,) = read_children(opened)
    assert (run.status, run.tags["fitgap.state"], run.tags["fitgap.trial_number"]) == ("FAILED", "failed", "0")
    assert run.tags["fitgap.error"] == "OSError: No space left on device"
    assert study.trials()[0].run_id == run.run_id


def test_a_trial_that_could_not_be_recorded_when_the_search_began_is_recorded_at_its_end(
    foreign: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_trial(foreign)
    answers = iter([False])

    def load(store: Store, parent_run_id: str, *, histories: bool) -> list[RunRecord]:
        if next(answers, True):
            return load_children(store, parent_run_id, histories=histories)
        raise TrackingError("The store is away.")

    monkeypatch.setattr("src.sweep.recorder.load_children", load)
    warnings: list[str] = []
    with make_recorder(foreign, tmp_path, warn=warnings.append) as recorder:
        recorder.catch_up()
        assert warnings == ["The store is away."]
        assert read_children(foreign) == []
    (run,) = read_children(foreign)
    assert foreign.studies[0].trials()[0].run_id == run.run_id


def test_a_run_that_was_begun_when_its_process_was_killed_is_finished_rather_than_begun_again(
    foreign: Stage, tmp_path: Path
) -> None:
    view, _ = tell_trial(foreign)
    arm = foreign.search.arms[0].name
    begun = start_trial_run(foreign.store, foreign.parent.run_id, f"{arm} #0", arm, 0, view.values)
    begun.finish("KILLED")
    with make_recorder(foreign, tmp_path):
        pass
    (run,) = read_children(foreign)
    assert (run.run_id, run.status, run.tags["fitgap.state"]) == (begun.run_id, "FINISHED", "complete")


def test_a_process_that_joins_a_search_leaves_the_runs_of_others_to_the_one_that_leads(
    foreign: Stage, tmp_path: Path
) -> None:
    tell_trial(foreign)
    with make_recorder(foreign, tmp_path, leads=False):
        pass
    assert read_children(foreign) == []


def test_what_goes_wrong_in_the_background_is_raised_where_the_block_is_left(foreign: Stage, tmp_path: Path) -> None:
    view, outcome = tell_trial(foreign)
    nameless = dataclasses.replace(view, number=99)
    with (
        pytest.raises(Exception, match="99"),
        make_recorder(foreign, tmp_path) as recorder,
    ):
        recorder.record(foreign.search.arms[0].name, foreign.studies[0], nameless, outcome)
