"""The prepared views of an experiment: what they hold, that they are written once, and that nothing depends on them."""

from __future__ import annotations

import base64
import json
import logging
import warnings
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from src.config.tracking import TrackingConfig
from src.history import EPOCH_METRICS

with warnings.catch_warnings():
    # MLflow's own models use what SQLAlchemy is about to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    from src.tracking.run import start_run
    from src.tracking.store import Store, connect, open_store
    from src.tracking.sweeps import arrange_sweep, find_view
    from src.tracking.views import OVERVIEW, TABLE, build_experiment_views, build_sweep_view, link_view

TAG = "mlflow.sharedViewState."


def read_view(value: str) -> dict[str, Any]:
    """Reads a view as MLflow's pages do: one with a name is wrapped once more."""
    state = json.loads(value)["state"] if value.startswith("{") else value
    assert state.startswith("deflate;")
    page = json.loads(zlib.decompress(base64.b64decode(state.removeprefix("deflate;"))))
    assert isinstance(page, dict)
    return page


def read_tags(store: Store) -> dict[str, str]:
    """Reads an experiment's tags."""
    return dict(connect(store.uri).get_experiment(store.experiment_id).tags)


def lines(page: Mapping[str, Any]) -> list[list[str]]:
    """Returns the metrics of each chart with curves."""
    return [card["selectedMetricKeys"] for card in page["compareRunCharts"] if card["type"] == "LINE"]


@pytest.mark.parametrize("key", [OVERVIEW, TABLE])
def test_training_and_validation_are_curves_of_one_chart(key: str) -> None:
    curves = lines(read_view(build_experiment_views()[TAG + key]))
    assert curves[:2] == [["train_eval_accuracy", "val_accuracy"], ["train_eval_loss", "val_loss"]]
    assert curves[2:] == [["gap_accuracy"], ["gap_loss"], ["learning_rate"]]
    # What a run does not log would be an empty chart.
    assert {metric for metrics in curves for metric in metrics} <= set(EPOCH_METRICS)


def test_every_chart_has_an_id_of_its_own_and_lies_in_a_section_that_is_unfolded() -> None:
    (value,) = build_sweep_view("abc", ["model.dropout"], {"test_f1": "maximize"}).values()
    page = read_view(value)
    ids = [card["uuid"] for card in page["compareRunCharts"]]
    assert len(set(ids)) == len(ids)
    shown = {section["uuid"] for section in page["compareRunSections"] if section["display"]}
    assert {card["metricSectionId"] for card in page["compareRunCharts"]} <= shown
    # Charts that MLflow makes itself would be lost without sections of these names.
    assert [section["name"] for section in page["compareRunSections"]] == [
        "Overfitting",
        "Model metrics",
        "System metrics",
    ]


def test_the_overview_leaves_parent_runs_out_and_the_table_puts_their_runs_beneath_them() -> None:
    views = {key: read_view(value) for key, value in build_experiment_views().items()}
    assert views[TAG + OVERVIEW]["searchFilter"] == "tags.`fitgap.kind` != 'sweep'"
    assert views[TAG + OVERVIEW]["orderByKey"] == "metrics.`best_val_accuracy`"
    # MLflow nests runs in this order alone.
    assert views[TAG + TABLE]["orderByKey"] == "attributes.start_time"
    assert views[TAG + TABLE]["searchFilter"] == ""


def test_a_sweeps_view_shows_its_own_runs_by_its_objective_and_what_they_differ_in() -> None:
    built = build_sweep_view("abc", ["model.name", "model.dropout"], {"best_val_loss": "minimize"})
    page = read_view(built[f"{TAG}fitgap-abc"])
    assert page["searchFilter"] == "tags.`mlflow.parentRunId` = 'abc'"
    assert (page["orderByKey"], page["orderByAsc"]) == ("metrics.`best_val_loss`", True)
    assert {"params.`model.dropout`", "metrics.`best_val_loss`"} <= set(page["selectedColumns"])
    assert len(set(page["selectedColumns"])) == len(page["selectedColumns"])
    (parallel,) = [card for card in page["compareRunCharts"] if card["type"] == "PARALLEL"]
    assert parallel["selectedParams"] == ["model.name", "model.dropout"]
    assert parallel["selectedMetrics"] == ["best_val_loss"]


def test_views_are_the_same_every_time() -> None:
    assert build_experiment_views() == build_experiment_views()
    assert build_sweep_view("abc", ["x"]) == build_sweep_view("abc", ["x"])


def test_a_view_longer_than_mlflow_takes_is_left_out_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    # Digits of square roots, which do not compress.
    params = [str(number**0.5) for number in range(4000)]
    assert build_sweep_view("abc", params) == {}
    assert "longer than 20,000" in caplog.text


def test_a_new_experiment_has_its_views_and_a_description_that_links_to_them(store: Store) -> None:
    tags = read_tags(store)
    assert build_experiment_views().items() <= tags.items()
    for key in (OVERVIEW, TABLE):
        assert f"#/experiments/{store.experiment_id}/runs?viewStateShareKey={key}&" in tags["mlflow.note.content"]


def test_opening_a_store_again_writes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("Nothing is to be written.")

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", refuse)
    assert open_store(TrackingConfig(uri=store.uri)).experiment_id == store.experiment_id


def test_a_view_that_is_out_of_date_is_renewed_and_a_description_is_left_alone(store: Store) -> None:
    client = connect(store.uri)
    client.set_experiment_tag(store.experiment_id, TAG + OVERVIEW, "{}")
    client.set_experiment_tag(store.experiment_id, "mlflow.note.content", "Mine.")
    open_store(TrackingConfig(uri=store.uri))
    tags = read_tags(store)
    assert tags[TAG + OVERVIEW] == build_experiment_views()[TAG + OVERVIEW]
    assert tags["mlflow.note.content"] == "Mine."


def test_a_store_that_refuses_views_is_as_good_as_any_other(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*arguments: object) -> None:
        raise MlflowException("Permission denied")

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", refuse)
    with caplog.at_level(logging.WARNING):
        other = open_store(TrackingConfig(uri=store.uri, experiment="other"))
        parent = start_run(other, name="sweep", tags={"fitgap.kind": "sweep"})
        assert arrange_sweep(other, parent.run_id, ["x"]) == ""
        assert find_view(other, parent.run_id) == ""
    parent.finish()
    assert "no prepared charts: Permission denied" in caplog.text


def test_the_view_of_a_sweep_is_found_again(store: Store) -> None:
    assert find_view(store, "abc") == ""
    address = arrange_sweep(store, "abc", ["model.dropout"])
    assert address == find_view(store, "abc") == link_view(store.experiment_id, "fitgap-abc")
    assert address.startswith(f"#/experiments/{store.experiment_id}/runs?viewStateShareKey=fitgap-abc&")


def test_a_store_that_is_away_has_no_view(dead_store: Store) -> None:
    assert find_view(dead_store, "abc") == ""
