"""What the model of a run makes of images in files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.decoding import BadImageError
from src.data.loose import find_images, read_images
from src.data.progress import report_progress
from src.errors import ConfigError, DataError
from src.tracking.lookup import FoundModel, find_model

#: A run's id as MLflow makes them, or enough of one to look for it.
_RUN_ID = re.compile(r"[0-9a-f]{6,32}")

#: Kinds of characters that would end a line, or do something to a terminal, if they were printed as they are.
_UNSAFE = ("Cc", "Cs", "Zl", "Zp")

Infer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model makes of one image.

    Attributes:
        path: The image's file.
        probabilities: float32 `[classes]`.
    """

    path: Path
    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class Predictions:
    """What a model makes of several images.

    Attributes:
        model: The model.
        images: The images that could be read, in the order in which they were named.
        unreadable: The others, each as `path: reason`.
    """

    model: FoundModel
    images: tuple[Prediction, ...]
    unreadable: tuple[str, ...]

    def rank(self, image: Prediction, top: int) -> list[tuple[str, float]]:
        """Returns the most probable classes of an image, each with its probability."""
        order = np.argsort(-image.probabilities, kind="stable")[:top]
        return [(self.model.class_names[label], float(image.probabilities[label])) for label in order]

    def check_complete(self) -> None:
        """Does nothing if all images could be read.

        Raises:
            DataError: Some could not; the message names each, with the reason.
        """
        if self.unreadable:
            count = len(self.unreadable) + len(self.images)
            lines = "\n  ".join(map(escape, self.unreadable))
            raise DataError(f"{len(self.unreadable):,} of {count:,} images cannot be read:\n  {lines}")


def predict_images(
    run_id: str | None, paths: Sequence[Path], *, uri: str | None = None, batch_size: int = 32
) -> Predictions:
    """Asks the model of a run for the classes of images; TensorFlow is loaded once there is an image to show to it.

    Args:
        run_id: A training's run, a sweep's parent run for its best run, or the first six or more characters of either.
        paths: Image files, and folders of them.
        uri: Tracking URI; None takes `MLFLOW_TRACKING_URI`, else MLflow's default place in the project's root.
        batch_size: Images that the model is shown at a time; bounds the memory that is needed.

    Raises:
        ConfigError: The run id is none.
        DataError: There is no image at a path.
        TrackingError: The store does not answer, has no such run, or not its model.
    """
    if run_id is None or not _RUN_ID.fullmatch(run_id):
        raise ConfigError(
            "RUN_ID must come first and be a run's id, or six or more characters that it begins with, but is "
            f"{'missing' if run_id is None else repr(run_id)}. It is among the last lines of `python -m src.train` and "
            "on the run's page in `mlflow ui`; a sweep's parent run stands for its best run."
        )
    if not paths:
        raise ConfigError(f"No image is named. Name files or folders: python -m src.predict {run_id} IMAGE …")
    files = find_images(paths)
    return _classify(find_model(run_id, uri), files, batch_size)


def escape(name: str) -> str:
    """Returns a name in one line of harmless characters, from which the name can be had back."""
    return "".join(map(_escape_character, name))


def _escape_character(character: str) -> str:
    if character != "\\" and unicodedata.category(character) not in _UNSAFE:
        return character
    return character.encode("unicode_escape").decode("ascii")


def _classify(model: FoundModel, files: Sequence[Path], batch_size: int) -> Predictions:
    images: list[Prediction] = []
    unreadable: list[str] = []
    infer: Infer | None = None
    # What is done in a moment needs no bar.
    bar = report_progress("Classifying", len(files), "images") if len(files) > batch_size else nullcontext(_ignore)
    with bar as advance:
        for start in range(0, len(files), batch_size):
            batch = files[start : start + batch_size]
            readable: list[tuple[Path, NDArray[np.uint8]]] = []
            for path, image in zip(batch, read_images(batch, model.image_size), strict=True):
                if isinstance(image, BadImageError):
                    unreadable.append(f"{path}: {image}")
                else:
                    readable.append((path, image))
            if readable:
                infer = infer or _load(model)
                probabilities = infer(np.stack([image for _, image in readable]))
                images += [Prediction(path, row) for (path, _), row in zip(readable, probabilities, strict=True)]
            advance(len(batch))
    return Predictions(model, tuple(images), tuple(unreadable))


def _ignore(amount: int) -> None:
    """Reports no progress."""


def _load(model: FoundModel) -> Infer:
    """Loads the model, as the function from uint8 images `[n, size, size, 3]` to probabilities `[n, classes]`."""
    from src.runtime import load_tensorflow

    load_tensorflow()
    from src.tracking.model import load_model_from

    network = load_model_from(model.uri, model.place, model.run_id)
    return lambda images: np.asarray(network.predict_on_batch(images), dtype=np.float32)
