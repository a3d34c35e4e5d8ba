"""Finds the model that a person means by the id of a run, or says why there is none to use."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from src.config.paths import PROJECT_ROOT
from src.errors import TrackingError
from src.tracking.address import check_reachable, resolve_uri, short_reason, show_uri, sqlite_path
from src.tracking.identity import JOURNAL_TAG, is_provisional
from src.tracking.logged_model import locate_model, read_metadata
from src.tracking.store import connect

#: Characters of a whole run id.
_ID_LENGTH = 32


@dataclass(frozen=True)
class FoundModel:
    """A run's logged model, and what it takes to use it.

    Attributes:
        run_id: The run that trained it.
        run_name: The run's name.
        uri: Tracking URI of the store.
        place: Address of the model's files.
        image_size: Side of the square RGB images that it takes, in pixels.
        class_names: Names of the classes in the order of its outputs.
    """

    run_id: str
    run_name: str
    uri: str
    place: str
    image_size: int
    class_names: tuple[str, ...]


def find_model(run_id: str, uri: str | None = None) -> FoundModel:
    """Finds the model of a run, or of the best run of a sweep.

    Args:
        run_id: Id of a training's run or of a sweep's parent run, or the beginning of one that no other id has.
        uri: Tracking URI; None takes `MLFLOW_TRACKING_URI`, else MLflow's default place in the project's root.

    Raises:
        TrackingError: The store does not answer, has no such run, or not its model.
    """
    resolved = resolve_uri(uri, PROJECT_ROOT)
    path = sqlite_path(resolved)
    if path is not None and not path.is_file():
        # MLflow would make one, and find nothing in it.
        raise TrackingError(
            f"There is no database {path} to look for run {run_id} in. Name the runs' store: --uri URI."
        )
    check_reachable(resolved)
    client = connect(resolved)
    try:
        run = _find_run(client, run_id, show_uri(resolved))
        if run.data.tags.get("fitgap.kind") == "sweep":
            run = _find_best(client, run)
        try:
            place = locate_model(client, run.info.run_id)
        except LookupError as error:
            raise TrackingError(_explain_absence(client, run)) from error
        metadata = read_metadata(resolved, place)
    except TrackingError:
        raise
    except Exception as error:
        raise TrackingError(
            f"Cannot look for the model of run {run_id} at {show_uri(resolved)}: {short_reason(error)}."
        ) from error
    if not {"image_size", "class_names"} <= metadata.keys():
        raise TrackingError(f"The model of run {run.info.run_id} was not saved by fitgap: it names no classes.")
    names, size = tuple(map(str, metadata["class_names"])), int(metadata["image_size"])
    return FoundModel(str(run.info.run_id), str(run.info.run_name), resolved, place, size, names)


def _find_run(client: MlflowClient, run_id: str, shown: str) -> Run:
    """Returns the run with an id, or the only one whose id begins so."""
    if is_provisional(run_id):
        # The id that a run went by while the store was away, as its last lines and a study name it.
        runs = _search(client, _list_experiments(client), f"tags.`{JOURNAL_TAG}` = '{run_id}'")
    elif len(run_id) >= _ID_LENGTH:
        try:
            return client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            runs = []
    else:
        runs = _search(client, _list_experiments(client), f"attributes.run_id LIKE '{run_id}%'")
    if len(runs) > 1:
        several = ", ".join(f"{run.info.run_id} ({run.info.run_name})" for run in runs[:5])
        raise TrackingError(f"The ids of several runs at {shown} begin with {run_id}: {several}. Give more of it.")
    if not runs:
        raise TrackingError(
            f"There is no run {run_id} at {shown}. Its id is among the last lines of `python -m src.train` and on its "
            "page in `mlflow ui`; for another store give --uri URI or set MLFLOW_TRACKING_URI."
        )
    return runs[0]


def _find_best(client: MlflowClient, sweep: Run) -> Run:
    """Returns the run that a sweep's report has found to be the best."""
    sweep_id, best = sweep.info.run_id, sweep.data.tags.get("fitgap.best_run_id")
    if best:
        return client.get_run(best)
    if sweep.info.status == "RUNNING":
        raise TrackingError(
            f"The sweep {sweep_id} is still running and has no best run yet. Wait for its end, note the best so far "
            f"with `python -m src.report {sweep_id}`, or give the id of one of its runs."
        )
    raise TrackingError(
        f"The sweep {sweep_id} names no best run, as where none of its runs was complete. `python -m src.report "
        f"{sweep_id}` looks for one again; or give the id of one of its runs."
    )


def _explain_absence(client: MlflowClient, run: Run) -> str:
    """Returns why a run has no model, and which run may have one instead."""
    run_id, tags = run.info.run_id, run.data.tags
    if "fitgap.kind" not in tags:
        return f"Run {run_id} has no model that fitgap could use: it is no training of fitgap's."
    if run.info.status == "RUNNING":
        return (
            f"Run {run_id} is still running, or was killed; its model comes at the end. Wait for it; `python -m "
            "src.deliver` closes a run whose process has died, and delivers what a server has missed."
        )
    state = tags.get("fitgap.state", str(run.info.status).lower())
    if state != "complete":
        return f"Run {run_id} has no model: it ended as {state}, and only a run that is complete keeps one."
    seeds = _search(client, [run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'")
    kept = [seed.info.run_id for seed in seeds if _has_model(client, seed.info.run_id)]
    if kept:
        return (
            f"Run {run_id} stands for trainings with several seeds, each with a model of its own. Give the id of one "
            f"of them: {', '.join(kept)}."
        )
    parent_id = tags.get("mlflow.parentRunId")
    if parent_id:
        return (
            f"Run {run_id} has kept no model: in a sweep only the best few do (tracking.keep_models), and none with "
            f"tracking.log_model=false. For the best of its sweep give the parent run's id, {parent_id}."
        )
    return f"Run {run_id} has no model: it was trained with tracking.log_model=false, or its model was deleted since."


def _has_model(client: MlflowClient, run_id: str) -> bool:
    try:
        locate_model(client, run_id)
    except LookupError:
        return False
    return True


def _list_experiments(client: MlflowClient) -> list[str]:
    return [str(experiment.experiment_id) for experiment in client.search_experiments()]


def _search(client: MlflowClient, experiments: list[str], condition: str) -> list[Run]:
    return list(client.search_runs(experiments, filter_string=condition)) if experiments else []
