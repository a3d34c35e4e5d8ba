"""A model is found by its run, or the reason is said why there is none. The models here are descriptions alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from src.errors import TrackingError
from src.tracking.lookup import find_model
from src.tracking.run import TrackedRun, start_run
from src.tracking.store import Store, connect
from src.tracking.sweeps import add_to_run, discard_models

METADATA = {"image_size": 8, "class_names": ["cat", "dog"]}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder as `save_model` writes it, without the network."""
    return save(tmp_path / "saved", METADATA)


def save(folder: Path, metadata: dict[str, object] | None) -> Path:
    folder.mkdir()
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {}, "metadata": metadata}), encoding="utf-8")
    return folder


def begin(store: Store, kind: str, parent: TrackedRun | None = None) -> TrackedRun:
    tags = {"fitgap.kind": kind, "fitgap.state": "running"}
    return start_run(store, name=f"a {kind}", tags=tags, parent_run_id=parent.run_id if parent else None)


def end(run: TrackedRun, model: Path | None = None, state: str = "complete", status: str = "FINISHED") -> TrackedRun:
    if model is not None:
        run.log_model(model, step=1)
    run.set_tags({"fitgap.state": state})
    assert run.finish(status).delivered
    return run


def test_the_model_of_a_run_is_found_with_its_size_and_its_classes(store: Store, saved: Path) -> None:
    run = end(begin(store, "run"), saved)

    found = find_model(run.run_id, store.uri)

    assert (found.run_id, found.run_name, found.uri) == (run.run_id, "a run", store.uri)
    assert (found.image_size, found.class_names) == (8, ("cat", "dog"))
    assert found.place == connect(store.uri).search_logged_models([store.experiment_id])[0].artifact_location


def test_a_model_on_a_server_is_found_too(server_store: Store, saved: Path) -> None:
    run = end(begin(server_store, "run"), saved)
    assert find_model(run.run_id, server_store.uri).class_names == ("cat", "dog")


def test_a_run_is_found_by_how_its_id_begins(store: Store, saved: Path) -> None:
    run = end(begin(store, "run"), saved)
    assert find_model(run.run_id[:6], store.uri).run_id == run.run_id


def test_a_beginning_that_several_ids_share_is_refused_with_their_names(store: Store) -> None:
    runs = [connect(store.uri).create_run(store.experiment_id, run_name="a run") for _ in range(17)]
    ids = [run.info.run_id for run in runs]  # Of 17 ids two begin with the same digit.
    shared = next(digit for digit in "0123456789abcdef" if sum(id_.startswith(digit) for id_ in ids) > 1)
    with pytest.raises(TrackingError, match=rf"several runs at .* begin with {shared}: [0-9a-f]{{32}} \(a run\), "):
        find_model(shared, store.uri)


@pytest.mark.parametrize("run_id", ["0123456789abcdef0123456789abcdef", "0123456"])
def test_a_run_that_is_not_there_is_an_error_that_says_where_was_looked(run_id: str, store: Store) -> None:
    with pytest.raises(TrackingError, match=f"There is no run {run_id} at .*mlflow.db.*--uri"):
        find_model(run_id, store.uri)


def test_a_database_that_is_not_there_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match=r"There is no database .*other\.db"):
        find_model("0123456", f"sqlite:///{tmp_path / 'other.db'}")
    assert not (tmp_path / "other.db").exists()


def test_a_server_that_does_not_answer_is_an_error_at_once(dead_uri: str) -> None:
    with pytest.raises(TrackingError, match="connection refused"):
        find_model("0123456", dead_uri)


def test_a_sweep_stands_for_its_best_run(store: Store, saved: Path) -> None:
    sweep = begin(store, "sweep")
    end(begin(store, "trial", sweep), saved)
    best = end(begin(store, "trial", sweep), saved)
    end(sweep)
    add_to_run(store, sweep.run_id, tags={"fitgap.best_run_id": best.run_id})

    assert find_model(sweep.run_id, store.uri).run_id == best.run_id


def test_a_sweep_without_a_best_run_says_whether_there_may_be_one_yet(store: Store) -> None:
    sweep = begin(store, "sweep")
    with pytest.raises(TrackingError, match="still running and has no best run yet"):
        find_model(sweep.run_id, store.uri)
    end(sweep)
    with pytest.raises(TrackingError, match="names no best run"):
        find_model(sweep.run_id, store.uri)


def test_a_run_that_is_going_on_has_no_model_yet(store: Store) -> None:
    run = begin(store, "run")
    with pytest.raises(TrackingError, match=f"Run {run.run_id} is still running"):
        find_model(run.run_id, store.uri)
    end(run)


def test_a_run_that_ended_early_has_no_model_and_says_how_it_ended(store: Store) -> None:
    run = end(begin(store, "run"), state="diverged", status="FAILED")
    with pytest.raises(TrackingError, match="it ended as diverged"):
        find_model(run.run_id, store.uri)


def test_a_run_of_a_sweep_whose_model_was_deleted_names_the_setting_and_the_sweep(store: Store, saved: Path) -> None:
    sweep = begin(store, "sweep")
    worse = end(begin(store, "trial", sweep), saved)
    discard_models(store, [worse.run_id])
    with pytest.raises(TrackingError, match=rf"tracking\.keep_models.* parent run's id, {sweep.run_id}"):
        find_model(worse.run_id, store.uri)
    end(sweep)


def test_a_trial_with_several_seeds_names_the_runs_that_have_its_models(store: Store, saved: Path) -> None:
    sweep = begin(store, "sweep")
    trial = begin(store, "trial", sweep)
    seeds = [end(begin(store, "seed", trial), saved) for _ in range(2)]
    end(begin(store, "repetition", trial))
    end(trial)

    with pytest.raises(TrackingError, match="several seeds") as raised:
        find_model(trial.run_id, store.uri)

    assert set(str(raised.value).split("them: ")[1].rstrip(".").split(", ")) == {seed.run_id for seed in seeds}
    end(sweep)


def test_a_run_that_was_told_to_keep_no_model_says_so(store: Store) -> None:
    run = end(begin(store, "run"))
    with pytest.raises(TrackingError, match=r"trained with tracking\.log_model=false"):
        find_model(run.run_id, store.uri)


def test_a_run_of_another_program_says_that_it_is_none_of_ours(store: Store) -> None:
    run = start_run(store, name="other", tags={})
    run.finish()
    with pytest.raises(TrackingError, match="no training of fitgap's"):
        find_model(run.run_id, store.uri)


def test_a_model_that_something_else_has_saved_is_refused(store: Store, tmp_path: Path) -> None:
    run = end(begin(store, "run"), save(tmp_path / "foreign", None))
    with pytest.raises(TrackingError, match="not saved by fitgap"):
        find_model(run.run_id, store.uri)


def test_a_model_whose_files_are_gone_is_an_error_with_the_place(store: Store, saved: Path) -> None:
    run = end(begin(store, "run"), saved)
    place = find_model(run.run_id, store.uri).place
    (Path(place.removeprefix("file://")) / "MLmodel").unlink()
    with pytest.raises(TrackingError, match=f"Cannot look for the model of run {run.run_id}.*MLmodel"):
        find_model(run.run_id, store.uri)
