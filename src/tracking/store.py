"""The store that holds the runs: a local SQLite file by default, or a tracking server."""

from __future__ import annotations

import logging
import os
import re
import shlex
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from src.config.paths import PROJECT_ROOT
from src.config.tracking import TrackingConfig
from src.errors import TrackingError
from src.tracking.address import (
    check_reachable,
    is_away,
    locate_outbox,
    resolve_uri,
    short_reason,
    show_uri,
    sqlite_path,
)
from src.tracking.database import lock_database, prepare_database
from src.tracking.views import NOTE_TAG, add_views, build_experiment_views, describe_experiment

#: Without it MLflow's pages guess what the experiment is about, and ask.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Store:
    """Where runs are recorded, ready to use; a plain value that may be sent to other processes.

    Attributes:
        uri: MLflow tracking URI; an SQLite path in it is absolute.
        experiment_id: Id of the MLflow experiment; empty where the store was away when it was opened, and then
            `find_experiment_id` of `src.tracking.identity` says it.
        experiment_name: Its name.
        outbox: Folder that keeps what is logged until the store has it.
    """

    uri: str
    experiment_id: str
    experiment_name: str
    outbox: Path


@lru_cache(maxsize=8)
def connect(uri: str) -> MlflowClient:
    """Returns the client of a tracking URI, one per process: each opens a database or a pool of connections."""
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def open_store(config: TrackingConfig, root: Path = PROJECT_ROOT) -> Store:
    """Makes the store ready: database and experiment exist afterwards, and it answers.

    Safe for several processes at once, also on an empty folder. Artifacts of an SQLite store lie in `mlruns` beside the
    database; those of a server where it keeps them. A run of a sweep, whose store was ready when the sweep began, asks
    nobody: the store may have gone since. Nor need a server answer where runs may begin without it.

    Args:
        config: The `tracking` block.
        root: The project's root, which holds the default database and the outbox of servers.

    Raises:
        TrackingError: The store cannot be used; known within a few seconds, before any training has begun.
    """
    uri = resolve_uri(config.uri, root)
    name = config.experiment.strip()
    if not name:
        raise TrackingError("tracking.experiment must not be empty. Name it, as in tracking.experiment=fitgap.")
    outbox = locate_outbox(uri, root)
    if config.parent_run_id and config.experiment_id is not None:
        return Store(uri=uri, experiment_id=config.experiment_id, experiment_name=name, outbox=outbox)
    path = sqlite_path(uri)
    with nullcontext() if path is None else lock_database(path):
        artifacts = None
        if path is not None:
            folder = path.parent / "mlruns"
            prepare_database(path, folder)
            artifacts = (folder / _folder_name(name)).as_uri()
        try:
            check_reachable(uri)
            experiment_id = find_experiment(connect(uri), name, artifacts)
        except Exception as error:
            if path is None and is_away(error) and may_be_away(config):
                _log.warning(
                    "The tracking server at %s is away (%s). What is recorded is kept in %s, and delivered once it is "
                    "back.", show_uri(uri), short_reason(error), outbox,
                )  # fmt: skip
                experiment_id = ""
            elif isinstance(error, TrackingError):
                raise
            else:
                raise _refused(uri, error) from error
    try:
        outbox.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrackingError(f"{outbox} cannot be written ({error}); it keeps what a server does not take.") from error
    return Store(uri=uri, experiment_id=experiment_id, experiment_name=name, outbox=outbox)


def may_be_away(config: TrackingConfig) -> bool:
    """Returns whether a run or a sweep may begin while its store is away: `tracking.offline`, else `FITGAP_OFFLINE`.

    Raises:
        TrackingError: The variable says neither `fail` nor `continue`.
    """
    chosen = config.offline or os.environ.get("FITGAP_OFFLINE") or "fail"
    if chosen not in ("fail", "continue"):
        raise TrackingError(f"FITGAP_OFFLINE must be fail or continue, but is '{chosen}'.")
    return chosen == "continue"


def name_viewer(store: Store) -> str:
    """Returns where a person looks at the store: a server's address, else the command that shows a database."""
    path, shown = sqlite_path(store.uri), show_uri(store.uri)
    if path == PROJECT_ROOT / "mlflow.db":
        return "mlflow ui"
    if path is None and store.uri.startswith(("http:", "https:", "databricks")):
        return shown
    return f"mlflow ui --backend-store-uri {shlex.quote(shown)}"


def find_experiment(client: MlflowClient, name: str, artifacts: str | None = None) -> str:
    """Returns the id of an experiment, which is created if there is none; its views are made as they should be."""
    experiment = client.get_experiment_by_name(name)
    views = build_experiment_views()
    if experiment is None:
        try:
            created = str(client.create_experiment(name, artifact_location=artifacts, tags=_EXPERIMENT_TAGS))
            # The description is a beginning, people may write another. It comes last: it names the views.
            add_views(client, created, {}, {**views, NOTE_TAG: describe_experiment(created)})
            return created
        except MlflowException as error:
            # Another process, perhaps on another machine, was faster.
            experiment = client.get_experiment_by_name(name)
            if error.error_code != "RESOURCE_ALREADY_EXISTS" or experiment is None:
                raise
    if experiment.lifecycle_stage == LifecycleStage.DELETED:
        client.restore_experiment(experiment.experiment_id)
        _log.warning("The MLflow experiment '%s' had been deleted and was restored, with its runs.", name)
    add_views(client, experiment.experiment_id, experiment.tags, views)
    return str(experiment.experiment_id)


def _folder_name(experiment: str) -> str:
    """Returns a folder for the experiment's artifacts that differs from `outbox` and from what sweeps keep there."""
    return "experiment-" + re.sub(r"[^A-Za-z0-9._-]+", "-", experiment)[:100]


def _refused(uri: str, error: Exception) -> TrackingError:
    return TrackingError(
        f"The tracking store at {show_uri(uri)} cannot be used: {short_reason(error)}. Check tracking.uri, "
        "MLFLOW_TRACKING_URI and, for a server, the user's rights."
    )
