"""A trained model in a folder, in MLflow's format and with a signature."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from src.config.tracking import TrackingConfig
from src.errors import StorageError, TrackingError
from src.tracking.address import short_reason, show_uri
from src.tracking.identity import find_run_id
from src.tracking.logged_model import fetch, locate_model
from src.tracking.store import connect, open_store

if TYPE_CHECKING:
    import keras

#: What loading the model needs. Named here because MLflow would otherwise load it in another process to find out.
_REQUIREMENTS = ("tensorflow", "keras", "numpy")


def save_model(
    model: keras.Model,
    folder: Path,
    *,
    image_size: int,
    class_names: Sequence[str],
) -> None:
    """Saves a classifier so that `TrackedRun.log_model` can log it, and `mlflow.keras.load_model` load it.

    Args:
        model: Takes raw RGB images as uint8 and returns one float per class.
        folder: Where to; replaced if it exists.
        image_size: Width and height of the images, in pixels.
        class_names: Names of the classes in the order of the outputs; kept in the model's metadata.

    Raises:
        StorageError: The folder cannot be written.
    """
    import mlflow.keras  # Imports Keras, which the rest of the package does without.

    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, image_size, image_size, 3), name="images")]),
        outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, len(class_names)))]),
    )
    try:
        if folder.exists():
            shutil.rmtree(folder)
        mlflow.keras.save_model(
            model,
            str(folder),
            signature=signature,
            pip_requirements=_installed(_REQUIREMENTS),
            metadata={"class_names": list(class_names), "image_size": image_size},
        )
    except OSError as error:
        raise StorageError(f"The model cannot be saved to {folder}: {error}. Is the disk full?") from error


def load_model(config: TrackingConfig, run_id: str) -> keras.Model:
    """Loads a run's logged model.

    Raises:
        TrackingError: The store does not have it.
    """
    store = open_store(config)
    try:
        place = locate_model(connect(store.uri), find_run_id(store, run_id))
    except Exception as error:
        raise _cannot_load(run_id, store.uri, error) from error
    return load_model_from(store.uri, place, run_id)


def load_model_from(uri: str, place: str, run_id: str) -> keras.Model:
    """Loads a run's logged model from the place in a store where it was found.

    Raises:
        TrackingError: The store does not have it.
    """
    import mlflow.keras

    try:
        # By its place: MLflow resolves `runs:/` and `models:/` in the one store that is set for the whole process.
        with fetch(uri, place) as folder:
            return mlflow.keras.load_model(str(folder))
    except Exception as error:
        raise _cannot_load(run_id, uri, error) from error


def _cannot_load(run_id: str, uri: str, error: Exception) -> TrackingError:
    return TrackingError(f"Cannot load the model of run {run_id} from {show_uri(uri)}: {short_reason(error)}.")


def _installed(packages: Sequence[str]) -> list[str]:
    requirements = []
    for package in packages:
        try:
            requirements.append(f"{package}=={version(package)}")
        except PackageNotFoundError:
            continue
    return requirements
