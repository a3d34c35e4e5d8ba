"""The charts of a sweep: there from its start, and linked from its parent run."""

from __future__ import annotations

from pathlib import Path

from src.comparison.charts import name_params
from src.study.address import sqlite_url
from src.study.storage import close_storage, open_storage
from src.study.study import ArmStudy
from src.sweep.parent import open_parent
from src.sweep.specification import build_spec
from src.tracking.records import load_run
from src.tracking.store import Store
from src.tracking.sweeps import find_view
from tests.sweep.searches import make_search


def test_a_choice_of_a_group_is_told_apart_by_its_name() -> None:
    settings = {"model.name": "vgg16", "model.dropout": "0.5", "seed": "0"}
    assert name_params(["model", "seed", "+model.dropout"], settings) == ["model.name", "seed", "model.dropout"]


def test_a_key_that_no_run_logs_stays_what_it_is() -> None:
    assert name_params(["trainer.callbacks"], {}) == ["trainer.callbacks"]


def test_a_search_that_starts_has_its_charts_and_says_where(tmp_path: Path, store: Store) -> None:
    search, url = make_search(tmp_path), sqlite_url(tmp_path / "optuna.db")
    storage = open_storage(url)
    try:
        studies = [ArmStudy.open(storage, url, build_spec(search, search.arms[0], {}, {}))]
        parent = open_parent(search, store, studies, [])
        assert parent.run is not None
        parent.run.finish()
        parent.release()
    finally:
        close_storage(storage)
    note = load_run(store, parent.run_id).tags["mlflow.note.content"]
    assert note == f"Which dropout is it?\n\n[Its runs in charts]({find_view(store, parent.run_id)})"
