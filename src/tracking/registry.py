"""Which models MLflow's registry has: somebody uses them, so that nothing of ours deletes them."""

from __future__ import annotations

from mlflow.entities import LoggedModel
from mlflow.tracking import MlflowClient
from mlflow.utils.file_utils import local_file_uri_to_path

_PAGE = 100


def list_registered(client: MlflowClient) -> set[str]:
    """Returns what the versions in the registry were made from: the ids of runs and logged models, and places of files.

    Raises:
        MlflowException: The store does not answer.
    """
    names: set[str] = set()
    token = None
    while True:
        page = client.search_model_versions(max_results=_PAGE, page_token=token)
        for version in page:
            source = str(version.source or "").removeprefix("models:/")
            names |= {str(name) for name in (version.run_id, version.model_id, source) if name}
        token = page.token
        if not token:
            return names


def is_registered(model: LoggedModel, registered: set[str]) -> bool:
    """Returns whether a logged model, or another one of its run, is among what `list_registered` has returned."""
    folder = local_file_uri_to_path(model.artifact_location)  # type: ignore[no-untyped-call]
    names = {model.source_run_id, model.model_id, model.artifact_location, folder}
    return not registered.isdisjoint(str(name) for name in names if name)
