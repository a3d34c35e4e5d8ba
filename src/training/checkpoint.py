"""Checkpoints: the state of a training after an epoch, from which it comes to the same weights as without a break.

    checkpoint.npz      a NumPy archive of plain arrays, each with a checksum
    ├── header          as JSON: whose training it is, the run it is recorded in, what its epochs were measured as
    ├── network-0 …     variables of the network, the random state of its dropout among them
    ├── optimizer-0 …   variables of the optimizer
    ├── kept-0 …        weights of the epoch that is to be kept, where that need not be the last one
    └── probabilities   what that epoch makes of the validation images

All else goes by number: the order of the images by the epoch, their warps and the learning rate by the step.
"""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from src.config.composition import flatten
from src.config.run import RunConfig
from src.data.dataset import ImageDataset
from src.errors import StorageError
from src.history import EpochMetrics, History
from src.naming import is_trifle
from src.whole_file import open_whole

#: With `trainer.checkpoint_epochs=auto`, the time between two checkpoints, in seconds: a hundred times what writing one
#: of a quarter of a gigabyte takes, and no more than anybody minds to lose.
AUTO_SECONDS = 60.0

#: Version of the format.
_VERSION = 1

#: What NumPy raises of a damaged archive depends on where it is damaged.
_DAMAGES = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    NotImplementedError,
    zipfile.BadZipFile,
)

Arrays = list[NDArray[Any]]


class UnusableCheckpointError(StorageError):
    """A checkpoint is damaged, or not of this training."""


@dataclass(frozen=True, eq=False)
class TrainingState:
    """All that a training has changed after an epoch.

    Attributes:
        history: The epochs until then.
        network: The network's variables.
        optimizer: The optimizer's variables.
        kept_epoch: The epoch whose weights are to be kept.
        kept_weights: Those weights; None where they are the network's.
        val_probabilities: What the network with them gives to each class, for the validation images.
    """

    history: History
    network: Arrays
    optimizer: Arrays
    kept_epoch: int
    kept_weights: Arrays | None
    val_probabilities: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training's state, and the run that it is recorded in."""

    state: TrainingState
    run_id: str


class CheckpointFile:
    """The file for the checkpoints of one training; a new one takes the place of the one before."""

    def __init__(self, path: Path, identity: dict[str, str]) -> None:
        """Takes its path, and what `describe_training` has returned."""
        self.path = path
        self.identity = identity

    def write(self, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint, such that a power cut leaves this one or the one before.

        Raises:
            OSError: It cannot be written.
        """
        state = checkpoint.state
        header = {
            "version": _VERSION,
            "identity": self.identity,
            "run_id": checkpoint.run_id,
            "kept_epoch": state.kept_epoch,
            "epochs": [asdict(epoch) for epoch in state.history.epochs],
        }
        arrays = {
            "header": np.array(json.dumps(header)),
            "probabilities": state.val_probabilities,
            **_number("network", state.network),
            **_number("optimizer", state.optimizer),
            **_number("kept", state.kept_weights or []),
        }
        with open_whole(self.path, lasting=True) as file:
            np.savez(file, allow_pickle=False, **arrays)

    def read(self) -> Checkpoint | None:
        """Returns the last checkpoint; None where there is none.

        Raises:
            UnusableCheckpointError: It is damaged, or of a training that goes otherwise.
        """
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = dict(archive)
            header = json.loads(str(arrays["header"]))
            if header["version"] != _VERSION:
                raise UnusableCheckpointError(f"{self.path} was written by another version of fitgap.")
            self._check_identity(header["identity"])
            kept = _collect("kept", arrays)
            state = TrainingState(
                history=History(tuple(EpochMetrics(**epoch) for epoch in header["epochs"])),
                network=_collect("network", arrays),
                optimizer=_collect("optimizer", arrays),
                kept_epoch=int(header["kept_epoch"]),
                kept_weights=kept or None,
                val_probabilities=arrays["probabilities"],
            )
            return Checkpoint(state, str(header["run_id"]))
        except FileNotFoundError:
            return None
        except _DAMAGES as error:
            raise UnusableCheckpointError(
                f"{self.path} is damaged or cannot be read ({type(error).__name__}: {error})."
            ) from error

    def _check_identity(self, written: dict[str, str]) -> None:
        keys = sorted(key for key in {*written, *self.identity} if written.get(key) != self.identity.get(key))
        if keys:
            changes = ", ".join(f"{key} was {written.get(key)} and is {self.identity.get(key)}" for key in keys[:3])
            raise UnusableCheckpointError(f"{self.path} is of another training: {changes}.")


class Checkpointer:
    """Writes a checkpoint after every so many epochs, or from time to time."""

    def __init__(
        self,
        file: CheckpointFile,
        every: int | str,
        name_run: Callable[[], str],
        warn: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begins to count the time.

        Args:
            file: Where to.
            every: A number of epochs, or `auto` for the first end of an epoch after a minute.
            name_run: Returns the id of the run that the training is recorded in.
            warn: Is told, once, that a checkpoint cannot be written; the training does without.
            clock: Seconds from any moment on.
        """
        self._file = file
        self._every = every
        self._name_run = name_run
        self._warn = warn
        self._clock = clock
        self._last = clock()
        self._warned = False

    def consider(self, epoch: int, take_state: Callable[[], TrainingState]) -> None:
        """Writes the state after an epoch, where it is time for that."""
        if isinstance(self._every, int):
            if epoch % self._every:
                return
        elif self._clock() - self._last < AUTO_SECONDS:
            return
        try:
            self._file.write(Checkpoint(take_state(), self._name_run()))
        except OSError as error:
            if not self._warned:
                self._warned = True
                self._warn(
                    f"The checkpoint {self._file.path} cannot be written ({error.strerror or error}). The training "
                    "goes on; should it be interrupted, it begins at an earlier epoch."
                )
        self._last = self._clock()


def describe_training(config: RunConfig, dataset: ImageDataset, precision: str) -> dict[str, str]:
    """Returns all that decides how a training goes: a checkpoint of another one is of no use."""
    values = flatten(config)
    settings = {key: value for key, value in values.items() if not is_trifle(key)}
    # It decides nothing but what is trained: the whole network, or the head alone.
    settings["trainer.features"] = values["trainer.features"]
    return {**settings, "data": dataset.fingerprint, "precision": precision, "keras": keras.__version__}


def _number(name: str, arrays: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {f"{name}-{index}": array for index, array in enumerate(arrays)}


def _collect(name: str, arrays: dict[str, NDArray[Any]]) -> Arrays:
    numbers = sorted(int(key.rpartition("-")[2]) for key in arrays if key.startswith(f"{name}-"))
    return [arrays[f"{name}-{number}"] for number in numbers]
