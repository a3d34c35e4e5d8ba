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
from src.tracking.logged_model import MODEL_NAME
from src.tracking.store import open_store

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
    pip_requirements: Sequence[str] | None = None,
) -> None:
    """Saves a classifier so that `TrackedRun.log_model` can log it, and `mlflow.keras.load_model` load it.

    Args:
        model: Takes raw RGB images as uint8 and returns one float per class.
        folder: Where to; replaced if it exists.
        image_size: Width and height of the images, in pixels.
        class_names: Names of the classes in the order of the outputs; kept in the model's metadata.
        pip_requirements: What loading it needs; null names the installed TensorFlow, Keras and NumPy.

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
            pip_requirements=list(pip_requirements or _installed(_REQUIREMENTS)),
            metadata={"class_names": list(class_names), "image_size": image_size},
        )
    except OSError as error:
        raise StorageError(f"The model cannot be saved to {folder}: {error}. Is the disk full?") from error


def load_model(config: TrackingConfig, run_id: str) -> keras.Model:
    """Loads a run's logged model.

    Raises:
        TrackingError: The store does not have it.
    """
    import mlflow.keras

    store = open_store(config)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(store.uri)
    try:
        return mlflow.keras.load_model(f"runs:/{run_id}/{MODEL_NAME}")
    except Exception as error:
        raise TrackingError(
            f"Cannot load the model of run {run_id} from {show_uri(store.uri)}: {short_reason(error)}."
        ) from error
    finally:
        mlflow.set_tracking_uri(before)


def _installed(packages: Sequence[str]) -> list[str]:
    requirements = []
    for package in packages:
        try:
            requirements.append(f"{package}=={version(package)}")
        except PackageNotFoundError:
            continue
    return requirements
