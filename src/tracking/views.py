"""Prepared views of an experiment: what a person who opens MLflow's pages finds arranged.

MLflow's pages keep a view as a tag of the experiment, and open it by an address that names the key. The views of the
experiment as a whole are also offered by name, in the menu Views above its runs. Those of sweeps, of which there may be
hundreds, are reached by their links alone.
"""

from __future__ import annotations

import base64
import json
import logging
import zlib
from collections.abc import Mapping, Sequence

from mlflow.tracking import MlflowClient

from src.tracking.address import short_reason
from src.tracking.charts import Item, arrange_page, draw_bars, draw_overfitting, draw_parallel, name_column

#: The view of all runs that were trained, the best first: in charts.
OVERVIEW = "fitgap-overfitting"

#: The view of all runs, those of a sweep under its parent run: a table.
TABLE = "fitgap-sweeps"

#: The experiment's description.
NOTE_TAG = "mlflow.note.content"

_VIEW_TAG = "mlflow.sharedViewState."

#: Beginning of a view that is compressed.
_COMPRESSED = "deflate;"

#: The longest value that MLflow takes for a tag of an experiment.
_MAX_LENGTH = 20_000

#: What the menu sorts views by, in milliseconds since 1970: always the same, so that a view does not change by itself.
_CREATED = 1_764_000_000_000

_COLUMNS = {
    "metrics": ["best_val_accuracy", "final_gap_accuracy", "best_epoch", "overfit_epoch", "epochs_run"],
    "params": ["model.name"],
    "tags": ["fitgap.state"],
}

_log = logging.getLogger(__name__)


def build_experiment_views() -> dict[str, str]:
    """Returns the views of an experiment, as its tags."""
    best = name_column("metrics", "best_val_accuracy")
    trained = "tags.`fitgap.kind` != 'sweep'"
    charts = draw_overfitting()
    return {
        **_build_tag(OVERVIEW, arrange_page(charts, columns=_COLUMNS, search=trained, order_by=best), "Overfitting"),
        **_build_tag(
            TABLE, arrange_page(charts, columns=_COLUMNS, search="", order_by="attributes.start_time"), "Sweeps"
        ),
    }


def build_sweep_view(
    parent_run_id: str, params: Sequence[str], objectives: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Returns the view of one sweep, as a tag of its experiment: its runs alone, the best first.

    Args:
        parent_run_id: The sweep's parent run.
        params: The params in which its runs differ.
        objectives: Direction of each metric that the sweep is about; the first is what the runs are sorted by.
    """
    objectives = objectives or {"best_val_accuracy": "maximize"}
    results = list(dict.fromkeys([*objectives, "final_gap_accuracy"]))
    own = [draw_bars(name) for name in objectives if name not in _COLUMNS["metrics"]]
    if params:
        # A foreign application may know no gap: a run that lacks one of the axes has no line.
        own.append(draw_parallel(params, list(objectives)))
    *charts, learning_rate = draw_overfitting()
    columns = {
        **_COLUMNS,
        "metrics": list(dict.fromkeys([*results, *_COLUMNS["metrics"]])),
        "params": list(params),
    }
    first, direction = next(iter(objectives.items()))
    page = arrange_page(
        [*charts, *own, learning_rate],
        columns=columns,
        search=f"tags.`mlflow.parentRunId` = '{parent_run_id}'",
        order_by=name_column("metrics", first),
        ascending=direction == "minimize",
    )
    return _build_tag(name_sweep_view(parent_run_id), page)


def name_sweep_view(parent_run_id: str) -> str:
    """Returns the key of a sweep's view, short enough for an address that people copy."""
    return f"fitgap-{parent_run_id[:12]}"


def has_view(tags: Mapping[str, str], key: str) -> bool:
    """Returns whether an experiment's tags hold a view."""
    return _VIEW_TAG + key in tags


def link_view(experiment_id: str, key: str, *, charts: bool = True) -> str:
    """Returns the address of a view, relative to MLflow's start page.

    MLflow's pages take the charts or the table from the address, not from the view, and show both of a training run
    only where they are asked for the pages for trainings.
    """
    mode = "CHART" if charts else "TABLE"
    query = f"viewStateShareKey={key}&compareRunsMode={mode}&workflowType=machine_learning"
    return f"#/experiments/{experiment_id}/runs?{query}"


def describe_experiment(experiment_id: str) -> str:
    """Returns the description of an experiment: what it holds, and how it is read."""
    charts, table = link_view(experiment_id, OVERVIEW), link_view(experiment_id, TABLE, charts=False)
    # Lists of experiments show the first words as they stand, and pages the first line until they are unfolded.
    return "\n\n".join(
        [
            f"Do they overfit? [All runs in charts]({charts}), best first, or [the sweeps]({table}) with their runs.",
            "Read `train_eval_…` against `val_…`: both are measured after each epoch in the same way, without dropout "
            "and augmentation. `gap_accuracy` and `gap_loss` are their difference; a gap that grows while `val_loss` "
            "rises is overfitting, and `overfit_epoch` is where it began. `train_…` is Keras's running average, which "
            "hides it.",
        ]
    )


def add_views(client: MlflowClient, experiment_id: str, tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Gives an experiment the tags that it lacks or has otherwise, and returns whether it has them all now.

    They are a convenience: what the store refuses is logged, and nothing else comes of it.

    Args:
        client: Client of the store.
        experiment_id: The experiment.
        tags: Its tags.
        wanted: Views or a description, as tags.
    """
    for key, value in wanted.items():
        if tags.get(key) == value:
            continue
        try:
            client.set_experiment_tag(experiment_id, key, value)
        except Exception as error:
            _log.warning("MLflow's pages will show no prepared charts: %s", short_reason(error))
            return False
    return True


def _build_tag(key: str, page: Item, name: str | None = None) -> dict[str, str]:
    """Returns a view as a tag; the pages list it in their menu if it has a name.

    A view that is too long, of a sweep over hundreds of params, is left out with a log line.
    """
    text = json.dumps(page, separators=(",", ":"))
    value = _COMPRESSED + base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    if name is not None:
        value = json.dumps({"name": name, "createdAt": _CREATED, "updatedAt": _CREATED, "state": value})
    if len(value) > _MAX_LENGTH:
        _log.warning("MLflow's pages will show no prepared charts: the view is longer than %s.", f"{_MAX_LENGTH:,}")
        return {}
    return {_VIEW_TAG + key: value}
