"""Which models an SQLite store holds on this machine's disk, and of which runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow.tracking import MlflowClient
from mlflow.utils.file_utils import local_file_uri_to_path

from src.config.paths import PROJECT_ROOT
from src.errors import TrackingError
from src.tracking.address import locate_outbox, short_reason, show_uri
from src.tracking.logged_model import MODEL_NAME
from src.tracking.records import RunRecord, load_all
from src.tracking.registry import is_registered, list_registered
from src.tracking.store import Store, connect

_PAGE = 100


@dataclass(frozen=True)
class ModelFolder:
    """The files of a logged model on this machine's disk.

    Attributes:
        run_id: The run that it was logged by.
        folder: The folder of its files, which exists.
        made_at: When it was logged, in seconds since 1970.
        registered: Whether MLflow's registry has it, or another model of its run.
    """

    run_id: str
    folder: Path
    made_at: float
    registered: bool = False


@dataclass(frozen=True)
class ExperimentModels:
    """An experiment with its runs and the models that they have on this machine.

    Attributes:
        store: The store, opened at the experiment.
        records: All its runs that are not deleted, without their epochs.
        models: The models.
    """

    store: Store
    records: list[RunRecord]
    models: list[ModelFolder]


def load_models(uri: str, root: Path = PROJECT_ROOT) -> Iterator[ExperimentModels]:
    """Yields each experiment of a store that has models on this machine.

    Args:
        uri: The store's resolved tracking URI.
        root: The project's root.

    Raises:
        TrackingError: The store does not answer.
    """
    client = connect(uri)
    try:
        experiments = list(client.search_experiments())
        registered = list_registered(client)
        for experiment in experiments:
            models = list(_list_models(client, experiment.experiment_id, registered))
            if models:
                store = Store(uri, experiment.experiment_id, experiment.name, locate_outbox(uri, root))
                yield ExperimentModels(store, load_all(store), models)
    except TrackingError:
        raise
    except Exception as error:
        raise TrackingError(f"Cannot look for models at {show_uri(uri)}: {short_reason(error)}.") from error


def _list_models(client: MlflowClient, experiment_id: str, registered: set[str]) -> Iterator[ModelFolder]:
    token = None
    while True:
        page = client.search_logged_models(
            [experiment_id], filter_string=f"name = '{MODEL_NAME}'", max_results=_PAGE, page_token=token
        )
        for model in page:
            folder = Path(str(local_file_uri_to_path(model.artifact_location)))  # type: ignore[no-untyped-call]
            if model.source_run_id and folder.is_dir():
                made_at = model.creation_timestamp / 1000
                yield ModelFolder(str(model.source_run_id), folder, made_at, is_registered(model, registered))
        token = page.token
        if not token:
            return
