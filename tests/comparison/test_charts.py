"""The charts of a sweep: there from its start, and linked from its parent run."""

from __future__ import annotations

from pathlib import Path

from src.comparison.charts import arrange_charts, name_params
from src.comparison.report import build_report, link_artifact
from src.comparison.subject import Subject
from src.study.address import sqlite_url
from src.study.storage import close_storage, open_storage
from src.study.study import ArmStudy
from src.sweep.parent import open_parent
from src.sweep.specification import build_spec
from src.tracking.records import load_run
from src.tracking.run import start_run
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


def test_the_report_of_a_sweep_leads_to_its_charts_above_its_table(tmp_path: Path, store: Store) -> None:
    parent = start_run(store, name="grid", tags={"fitgap.kind": "sweep"})
    arrange_charts(parent, "Which one?", ["seed"], {"seed": "0"})
    parent.finish()
    start_run(store, name="seed=0", tags={"fitgap.kind": "trial"}, parent_run_id=parent.run_id).finish()

    report = build_report(store, parent.run_id, tmp_path / "out", Subject("grid", "Which one?"))

    note = report.tags["mlflow.note.content"]
    # MLflow's page folds a description behind its first lines.
    address = link_artifact(store.experiment_id, parent.run_id, "report.html")
    charts = f"[Its runs in charts]({find_view(store, parent.run_id)})"
    assert note.startswith(f"Which one?\n\n[Its report]({address}) · {charts} · [Compare")
    assert note.index("[Compare") < note.index("| --- |")
