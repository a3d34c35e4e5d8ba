from __future__ import annotations

from pathlib import Path

import pytest

from src.config.tracking import TrackingConfig
from src.errors import TrackingError
from src.tracking.identity import JOURNAL_TAG, PARENT_TAG
from src.tracking.records import load_run
from src.tracking.run import TrackedRun, start_run
from src.tracking.store import Store, open_store
from src.tracking.sweeps import add_to_run, exchange_id, find_sweep


def _start(store: Store, kind: str) -> TrackedRun:
    run = start_run(store, name=f"a {kind}", tags={"fitgap.kind": kind})
    run.finish()
    return run


def test_the_newest_sweep_of_all_experiments_is_found(store: Store, tmp_path: Path) -> None:
    _start(store, "sweep")
    other = open_store(TrackingConfig(experiment="another"), tmp_path)
    newest = _start(other, "sweep")
    _start(store, "run")

    found, parent = find_sweep(None, store.uri)

    assert parent.run_id == newest.run_id
    assert found == other


def test_a_sweep_is_found_by_its_id(store: Store) -> None:
    wanted = _start(store, "sweep")
    _start(store, "sweep")
    assert find_sweep(wanted.run_id, store.uri)[1].run_id == wanted.run_id


def test_a_store_without_a_sweep_says_how_to_start_one(store: Store) -> None:
    _start(store, "run")
    with pytest.raises(TrackingError, match=r"There is no sweep at .* Start one with"):
        find_sweep(None, store.uri)


def test_a_run_that_is_no_sweep_is_refused(store: Store) -> None:
    run = _start(store, "run")
    with pytest.raises(TrackingError, match="is no sweep's parent run"):
        find_sweep(run.run_id, store.uri)


def test_a_sweep_that_is_not_there_is_an_error_with_its_id(store: Store) -> None:
    with pytest.raises(TrackingError, match="0123456789abcdef0123456789abcdef"):
        find_sweep("0123456789abcdef0123456789abcdef", store.uri)


def test_files_metrics_and_tags_are_added_to_a_run_of_another_process(store: Store, tmp_path: Path) -> None:
    run = _start(store, "sweep")
    path = tmp_path / "comparison.csv"
    path.write_text("arm\n", encoding="utf-8")
    add_to_run(store, run.run_id, files=[path], metrics={"num_runs": 2.0}, tags={"fitgap.best_arm": "model=cnn"})
    record = load_run(store, run.run_id)
    assert record.metrics == {"num_runs": 2.0}
    assert record.tags["fitgap.best_arm"] == "model=cnn"


def test_a_run_that_was_begun_without_its_store_is_named_by_the_stores_own_id(store: Store) -> None:
    parent = start_run(store, name="deferred", tags={}, defer=True)
    parent.finish()
    begun_with = load_run(store, parent.run_id).tags[JOURNAL_TAG]
    assert exchange_id(store.uri, begun_with) == parent.run_id
    assert exchange_id(store.uri, "local-0123") == "local-0123"

    seed = _start(store, "run")
    add_to_run(store, seed.run_id, tags={PARENT_TAG: begun_with})
    assert load_run(store, seed.run_id).tags[PARENT_TAG] == parent.run_id
