"""The models of a search: which are kept, and which are measured."""

from __future__ import annotations

import warnings

import pytest

with warnings.catch_warnings():
    # MLflow's own models use what SQLAlchemy is about to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    from src.study.view import TrialView
    from src.sweep.measuring import begin_measuring, end_measuring
    from src.sweep.models import ModelKeeper
    from src.tracking.run import start_run
    from src.tracking.store import connect
    from tests.sweep.searches import Opener, ScoredApplication, Stage, make_history


def log_model(stage: Stage, run_id: str | None) -> None:
    """Gives a run a model, of which no file is needed here."""
    connect(stage.store.uri).create_logged_model(stage.store.experiment_id, name="model", source_run_id=run_id)


def measure(stage: Stage, best: TrialView) -> dict[str, float]:
    """Returns the test score of a trial."""
    return end_measuring(begin_measuring(stage.search, stage.store, stage.search.arms[0], best, []))


def list_owners(stage: Stage) -> set[str]:
    """Returns the runs that have a model."""
    models = connect(stage.store.uri).search_logged_models([stage.store.experiment_id])
    return {str(model.source_run_id) for model in models}


def keep(stage: Stage, *, nested: bool = False) -> None:
    """Settles the models of the first arm."""
    tracking = stage.search.arms[0].checked.tracking
    ModelKeeper(stage.store, stage.search.objectives, tracking, nested=nested).settle(stage.studies[0])


def add_seeds(stage: Stage, view: TrialView) -> list[str]:
    """Adds two complete runs below a trial's, each with a model, one that failed, and a repetition without a model."""
    run_ids = []
    for state in ("complete", "complete", "failed"):
        tags = {"fitgap.kind": "seed", "fitgap.state": state}
        run = start_run(stage.store, name="seed", tags=tags, parent_run_id=view.run_id)
        run.finish("FINISHED" if state == "complete" else "FAILED")
        if state == "complete":
            log_model(stage, run.run_id)
            run_ids.append(run.run_id)
    tags = {"fitgap.kind": "repetition", "fitgap.state": "complete"}
    start_run(stage.store, name="repetition", tags=tags, parent_run_id=view.run_id).finish()
    return run_ids


def test_only_the_best_trials_of_an_arm_keep_their_models(stage: Opener) -> None:
    search = stage("tracking.keep_models=2")
    views = [search.run_trial(make_history(accuracy)) for accuracy in (0.5, 0.75, 0.25, 0.625)]
    for view in views:
        log_model(search, view.run_id)
    keep(search)
    assert list_owners(search) == {views[1].run_id, views[3].run_id}


def test_a_model_that_is_registered_stays_however_far_behind_its_trial_is(
    stage: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = stage("tracking.keep_models=1")
    views = [search.run_trial(make_history(accuracy)) for accuracy in (0.25, 0.5, 0.75)]
    # MLflow looks for the model in the store that it takes for its own.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", search.store.uri)
    client = connect(search.store.uri)
    for view in views:
        log_model(search, view.run_id)
    (model,) = client.search_logged_models(
        [search.store.experiment_id], filter_string=f"source_run_id = '{views[0].run_id}'"
    )
    client.create_registered_model("mine")
    client.create_model_version("mine", model.artifact_location, run_id=None, model_id=model.model_id)
    keep(search)
    assert list_owners(search) == {views[0].run_id, views[2].run_id}


def test_with_two_objectives_the_front_keeps_its_models(stage: Opener) -> None:
    search = stage(objective=["best_val_accuracy", "final_gap_accuracy"], direction=["maximize", "minimize"])
    scores = [(0.75, 1.0), (0.5, 0.5), (0.5, 0.75), (0.625, 0.75)]
    views = [search.run_trial(make_history(val, train_eval_accuracy=train)) for val, train in scores]
    for view in views:
        log_model(search, view.run_id)
    keep(search)
    assert list_owners(search) == {views[0].run_id, views[1].run_id, views[3].run_id}


def test_the_models_of_a_trial_with_seeds_are_those_of_its_seeds(stage: Opener) -> None:
    search = stage("tracking.keep_models=1", seeds=[0, 1])
    worse, best = (search.run_trial(make_history(accuracy)) for accuracy in (0.5, 0.75))
    add_seeds(search, worse)
    kept = add_seeds(search, best)
    keep(search, nested=True)
    assert list_owners(search) == set(kept)

    metrics = measure(search, best)

    application = search.search.application
    assert isinstance(application, ScoredApplication)
    assert application.measured == kept
    assert metrics == pytest.approx(
        {"test_accuracy": 0.5, "test_accuracy_std": 0, "test_loss": 1.25, "test_loss_std": 0}
    )


def test_a_search_that_keeps_no_models_measures_nothing(stage: Opener) -> None:
    search = stage("tracking.log_model=false")
    best = search.run_trial()
    assert measure(search, best) == {}
