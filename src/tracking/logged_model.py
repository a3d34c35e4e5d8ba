"""Turns a saved model into a logged model of a run, as `mlflow.keras.log_model` would, without Keras."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow.artifacts
import yaml
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Metric, Run
from mlflow.tracking import MlflowClient
from mlflow.utils.file_utils import local_file_uri_to_path

from src.tracking.registry import is_registered

MODEL_NAME = "model"

#: Which journal record a logged model was made from; by it a second attempt finds what the first has begun.
_RECORD_TAG = "fitgap.record"
_COPIED_TAGS = ("mlflow.user", "mlflow.source.name", "mlflow.source.type", "mlflow.source.git.commit")


def deliver_model(client: MlflowClient, run_id: str, record: dict[str, Any], staged: Path | None) -> None:
    """Makes the logged model of a journal record, or completes the one that an interrupted attempt has left.

    Args:
        client: Client of the store.
        run_id: The run that the model belongs to.
        record: The journal's record, with `step` and `path`.
        staged: The folder with the journal's copy; null reads the folder that was logged.
    """
    run = client.get_run(run_id)
    model = _find_or_create(client, run, record)
    if model.status == LoggedModelStatus.READY:
        return
    outputs = run.outputs.model_outputs if run.outputs else []
    if all(output.model_id != model.model_id for output in outputs):
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=record["step"])])
    _link_metrics(client, run, model, record["step"])
    folder = staged / MODEL_NAME if staged else Path(record["path"])
    _sign(folder, run_id, model)
    client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)


def locate_model(client: MlflowClient, run_id: str) -> str:
    """Returns the address of the files of a run's logged model, of several the newest.

    Raises:
        LookupError: The run has none.
        MlflowException: The store does not answer, or does not have the run.
    """
    run = client.get_run(run_id)
    models = client.search_logged_models(
        [run.info.experiment_id],
        filter_string=f"name = '{MODEL_NAME}' AND source_run_id = '{run_id}'",
        order_by=[{"field_name": "creation_timestamp", "ascending": False}],
    )
    ready = [model for model in models if model.status == LoggedModelStatus.READY]
    if not ready:
        raise LookupError("it has none, or none that was delivered in full")
    return str(ready[0].artifact_location)


@contextmanager
def fetch(uri: str, place: str) -> Iterator[Path]:
    """Yields a file or folder of a logged model on this machine's disk: itself, or a copy that is removed afterwards.

    Args:
        uri: The store's tracking URI.
        place: Its address, as `locate_model` gives it, perhaps with a file's name behind it.

    Raises:
        MlflowException: It is not there, or the store does not answer.
    """
    local = Path(str(local_file_uri_to_path(place)))  # type: ignore[no-untyped-call]
    if local.exists():
        yield local
        return
    with TemporaryDirectory(prefix="fitgap-model-") as copy:
        yield Path(mlflow.artifacts.download_artifacts(artifact_uri=place, dst_path=copy, tracking_uri=uri))


def read_metadata(uri: str, place: str) -> dict[str, Any]:
    """Returns what `save_model` has kept about a logged model; empty for a model that something else has saved.

    Raises:
        MlflowException: The model's files are not there, or the store does not answer.
    """
    with fetch(uri, f"{place}/MLmodel") as path:
        description = yaml.safe_load(path.read_text(encoding="utf-8"))
    return dict(description.get("metadata") or {})


def discard_model(client: MlflowClient, experiment_id: str, run_id: str, registered: set[str]) -> None:
    """Deletes a run's logged model, and its files where they lie on this machine; one that is registered stays.

    Files that a server keeps stay until `mlflow gc` is run beside it: MLflow itself only marks a model as deleted, and
    gives clients no other way.

    Args:
        client: Client of the store.
        experiment_id: The run's experiment.
        run_id: The run.
        registered: What MLflow's registry has, as `list_registered` returns it.

    Raises:
        OSError: Its files cannot be deleted; the store has it still, so that somebody who looks finds it.
        MlflowException: The store does not answer.
    """
    models = client.search_logged_models([experiment_id], filter_string=f"source_run_id = '{run_id}'")
    if any(is_registered(model, registered) for model in models):
        return
    for model in models:
        folder = str(local_file_uri_to_path(model.artifact_location))  # type: ignore[no-untyped-call]
        if Path(folder).is_dir():
            shutil.rmtree(Path(folder).parent, onerror=_pass_over_vanished)
        client.delete_logged_model(model.model_id)


def _pass_over_vanished(function: object, path: str, info: tuple[Any, BaseException, Any]) -> None:
    """Has what another process deletes at the same moment be no error."""
    if not isinstance(info[1], FileNotFoundError):
        raise info[1]


def _find_or_create(client: MlflowClient, run: Run, record: dict[str, Any]) -> LoggedModel:
    label = f"{run.info.run_id}-{record['number']}-{record['time']}"
    found = client.search_logged_models(
        [run.info.experiment_id], filter_string=f"name = '{MODEL_NAME}' AND tags.`{_RECORD_TAG}` = '{label}'"
    )
    if found:
        model: LoggedModel = found[0]
        missing = {key: value for key, value in run.data.params.items() if key not in model.params}
        if missing:
            client.log_model_params(model.model_id, missing)
        return model
    tags = {key: run.data.tags[key] for key in _COPIED_TAGS if key in run.data.tags}
    return client.create_logged_model(
        run.info.experiment_id,
        name=MODEL_NAME,
        source_run_id=run.info.run_id,
        tags={**tags, _RECORD_TAG: label},
        params=run.data.params,
        model_type="image-classifier",
    )


def _link_metrics(client: MlflowClient, run: Run, model: LoggedModel, step: int) -> None:
    """Gives the model the run's metrics of its step, which is what MLflow's table of models shows."""
    run_id = run.info.run_id
    points = [
        Metric(point.key, point.value, point.timestamp, point.step, model_id=model.model_id, run_id=run_id)
        for key in run.data.metrics
        if not key.startswith("system/")
        for point in client.get_metric_history(run_id, key)
        if point.step == step and point.value == point.value  # A NaN has no place among a model's metrics.
    ]
    client.log_batch(run_id, metrics=points)


def _sign(folder: Path, run_id: str, model: LoggedModel) -> None:
    """Writes into the model's own description which run and which logged model it belongs to."""
    path = folder / "MLmodel"
    description = yaml.safe_load(path.read_text(encoding="utf-8"))
    description |= {
        "artifact_path": model.artifact_location,
        "model_id": model.model_id,
        "model_uuid": model.model_id,
        "run_id": run_id,
    }
    # A new file, because the old one may be a hard link to the caller's.
    draft = path.with_name("MLmodel.new")
    draft.write_text(yaml.safe_dump(description, sort_keys=True), encoding="utf-8")
    draft.replace(path)
