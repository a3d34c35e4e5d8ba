"""The training loop: epochs over the training images, clean measurements after each, the best weights kept."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from src.config.run import RunConfig
from src.data.dataset import ImageDataset
from src.data.split import Split
from src.errors import DivergedError
from src.history import EpochMetrics, History
from src.models.build import Network
from src.training.checkpoint import Checkpointer, TrainingState, UnusableCheckpointError
from src.training.evaluation import Evaluation, evaluate_split
from src.training.features import Features
from src.training.inputs import Inputs, read_features, read_images
from src.training.keeper import ProgramKeeper, describe_shape
from src.training.optimizer import build_optimizer
from src.training.pipeline import StepBatches, count_steps, load_ahead, load_steps, order_images
from src.training.program import TrainingProgram
from src.training.progress import Step, TrainingObserver
from src.training.schedule import LearningRate
from src.training.stride import Stride


class Training:
    """One training of one network, from the first step to the last.

    Attributes:
        history: The epochs measured so far, at any time and also after an exception.
        kept_epoch: The epoch whose weights the network has afterwards.
        val_probabilities: What the network with these weights gives to each class, for the validation images; None
            before the first epoch has ended.
        stopped_early_by: The first observer that asked for the end before the last epoch, where one did.
    """

    def __init__(
        self,
        config: RunConfig,
        dataset: ImageDataset,
        network: Network,
        *,
        precision: str,
        features: Features | None = None,
        keeper: ProgramKeeper | None = None,
    ) -> None:
        """Obtains a program for the network, or for its head where there are features; nothing is computed yet.

        Args:
            config: The whole configuration.
            dataset: The images.
            network: A new network.
            precision: The precision that it computes in.
            features: What its frozen backbone makes of the images, where that was computed ahead.
            keeper: May have the program of an earlier training, and keeps this one's for the next. Until then the
                network has its first weights, and is trained only with the program; afterwards it has its last ones.
        """
        self.config = config
        self.dataset = dataset
        self.network = network
        self.inputs: Inputs = (
            read_images(dataset, network, config.augmentation) if features is None else read_features(dataset, features)
        )
        self.history = History()
        self.kept_epoch = 0
        self.val_probabilities: np.ndarray | None = None
        self.stopped_early_by: TrainingObserver | None = None
        self._kept_weights: list[np.ndarray] | None = None
        self.steps_per_epoch = count_steps(dataset.train, config.trainer.batch_size)
        self._learning_rate = LearningRate(
            config.optimizer, epochs=config.trainer.epochs, steps_per_epoch=self.steps_per_epoch
        )
        self._stride = Stride()
        self.program = (keeper or ProgramKeeper()).obtain(
            describe_shape(config, dataset, precision),
            self.inputs.network,
            pretrained=network.weights.pretrained,
            build=lambda: self._build_program(precision, of_head=features is not None),
        )
        self.program.begin(seed=config.seed, dropout=config.model.dropout, strength=config.augmentation.strength)

    def _build_program(self, precision: str, *, of_head: bool) -> TrainingProgram:
        network = self.inputs.network
        if of_head:
            # Its layers lead back to the backbone, which whoever keeps the program would keep in memory too.
            network = keras.models.clone_model(network)
        program = TrainingProgram(
            network,
            input_dtype=self.inputs.dtype,
            augmentation=self.inputs.augmentation,
            optimizer=build_optimizer(self.config.optimizer, precision=precision),
            head=self.config.model.head,
        )
        if of_head:
            program.restart(self.inputs.network)
        return program

    def restore(self, state: TrainingState) -> None:
        """Sets the training to where another one of the same configuration was after an epoch; nothing is computed.

        Raises:
            UnusableCheckpointError: The state is that of another network or optimizer; nothing has been changed.
        """
        variables = [*self.program.network.variables, *self.program.optimizer.variables]
        values = [*state.network, *state.optimizer]
        shapes, others = [tuple(each.shape) for each in variables], [each.shape for each in values]
        if shapes != others:
            raise UnusableCheckpointError(
                f"The checkpoint holds {len(others)} variables, which are not the {len(shapes)} of this training."
            )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self.history = state.history
        self.kept_epoch = state.kept_epoch
        self.val_probabilities = state.val_probabilities
        self._kept_weights = state.kept_weights

    def take_state(self) -> TrainingState:
        """Returns the state after the epoch that has just been measured.

        Raises:
            ValueError: There is none yet.
        """
        if self.val_probabilities is None:
            raise ValueError("A training without epochs has no state to go on from.")
        return TrainingState(
            history=self.history,
            network=[np.asarray(variable) for variable in self.program.network.variables],
            optimizer=[np.asarray(variable) for variable in self.program.optimizer.variables],
            kept_epoch=self.kept_epoch,
            kept_weights=self._kept_weights,
            val_probabilities=self.val_probabilities,
        )

    def execute(self, observers: Sequence[TrainingObserver], checkpointer: Checkpointer | None = None) -> None:
        """Trains until the last epoch, or until early stopping or an observer ends it.

        Afterwards the network has the weights of `kept_epoch`: of the best epoch, or of the last, as configured.

        Args:
            observers: Who follows the training.
            checkpointer: Keeps the state from time to time.

        Raises:
            DivergedError: The loss became NaN or infinite.
        """
        done = len(self.history)
        if done:
            for observer in observers:
                observer.on_resume(self.history)
        last = done if done and self.ran_out_of_patience() else self.config.trainer.epochs
        for epoch in range(done + 1, last + 1):
            self._train_epoch(epoch, observers)
            # Each is asked, whatever the others want: a pruner has to hear of every epoch.
            stoppers = [observer for observer in observers if observer.should_stop(self.history)]
            if stoppers and epoch < self.config.trainer.epochs:
                self.stopped_early_by = stoppers[0]
            if not stoppers and checkpointer is not None:
                checkpointer.consider(epoch, self.take_state)
            if stoppers or self.ran_out_of_patience():
                break
        self._keep_weights()

    def _train_epoch(self, epoch: int, observers: Sequence[TrainingObserver]) -> None:
        """Takes the steps of an epoch, measures what came of them, and tells the observers."""
        started = time.perf_counter()
        average = self._take_steps(epoch, observers)
        seconds = time.perf_counter() - started
        train_eval = self.evaluate(self.dataset.train_eval)
        val = self.evaluate(self.dataset.val)
        last_step = np.array([epoch * self.steps_per_epoch - 1])
        metrics = EpochMetrics(
            epoch=epoch,
            train_accuracy=average.accuracy,
            train_loss=average.loss,
            train_eval_accuracy=train_eval.accuracy,
            train_eval_loss=train_eval.loss,
            val_accuracy=val.accuracy,
            val_loss=val.loss,
            learning_rate=float(self._learning_rate.at(last_step)[0]),
            epoch_seconds=seconds,
        )
        self.record(metrics, val.probabilities)
        for observer in observers:
            observer.on_epoch(metrics)
        # The loss of a step is computed before its update; only an evaluation sees what the last update has broken.
        self.check_loss(train_eval.loss, f"on the training images after epoch {epoch}")
        self.check_loss(val.loss, f"on the validation images after epoch {epoch}")

    def _take_steps(self, epoch: int, observers: Sequence[TrainingObserver]) -> _Average:
        """Takes the steps of an epoch, and returns the average of what the batches came to before their steps."""
        trainer, inputs = self.config.trainer, self.inputs
        order = order_images(
            len(self.dataset.train), epoch=epoch - 1, seed=self.config.seed, num_views=inputs.num_views
        )
        batches = load_steps(
            inputs.train,
            order,
            batch_size=trainer.batch_size,
            head=self.config.model.head,
            choose_steps=self._stride.choose_steps,
        )
        average = _Average()
        for loaded in load_ahead(batches):
            first = (epoch - 1) * self.steps_per_epoch + loaded.first
            numbers = np.arange(first, first + len(loaded), dtype=np.int32)
            with self._stride.measure(loaded):
                losses, accuracies = self.program.take_steps(loaded, self._learning_rate.at(numbers), numbers)
            self._follow_steps(epoch, loaded, losses, accuracies, average, observers)
        return average

    def _follow_steps(
        self,
        epoch: int,
        batches: StepBatches,
        losses: np.ndarray,
        accuracies: np.ndarray,
        average: _Average,
        observers: Sequence[TrainingObserver],
    ) -> None:
        """Adds steps that were taken to the epoch's average, and tells the observers of each."""
        for offset, (loss, accuracy) in enumerate(zip(losses.tolist(), accuracies.tolist(), strict=True)):
            number = batches.first + offset + 1
            self.check_loss(loss, f"at step {number} of {self.steps_per_epoch} in epoch {epoch}")
            average.add(loss, accuracy, batches.inputs.shape[1])
            step = Step(epoch, number, self.steps_per_epoch, average.loss, average.accuracy)
            for observer in observers:
                observer.on_step(step)

    def _keep_weights(self) -> None:
        """Gives the weights of `kept_epoch` to the network, and to the program, so that it measures them."""
        if self._kept_weights is not None:
            self.program.network.set_weights(self._kept_weights)
        if self.program.network is not self.inputs.network:
            self.inputs.network.set_weights(self.program.network.get_weights())

    def evaluate(self, split: Split) -> Evaluation:
        """Measures the network as it is now on a split of the data set, without augmentation and dropout."""
        return evaluate_split(
            self.program.infer, self.inputs.read(split), batch_size=self.config.trainer.eval_batch_size
        )

    def record(self, epoch: EpochMetrics, val_probabilities: np.ndarray) -> None:
        """Appends an epoch; if it is the one to keep, keeps its weights and what it makes of the validation images."""
        self.history = self.history.with_epoch(epoch)
        last = self.config.trainer.keep_weights == "last"
        if last or self.history.best() is epoch:
            self.kept_epoch = epoch.epoch
            self.val_probabilities = val_probabilities
            # Where the last epoch is kept, the network has its weights already.
            self._kept_weights = None if last else self.program.network.get_weights()

    def check_loss(self, loss: float, place: str) -> None:
        """Raises DivergedError where a loss is NaN or infinite."""
        if not math.isfinite(loss):
            raise DivergedError(
                f"The loss became {loss} {place}. Lower optimizer.learning_rate (now "
                f"{self.config.optimizer.learning_rate:g}), clip gradients with optimizer.global_clipnorm=1, or "
                "compute with trainer.precision=float32."
            )

    def ran_out_of_patience(self) -> bool:
        """Returns whether early stopping is on and its metric has not improved for `patience_epochs`."""
        trainer = self.config.trainer
        if trainer.patience_epochs is None:
            return False
        sign = -1.0 if trainer.monitor == "val_loss" else 1.0
        values = [sign * value for value in self.history.series(trainer.monitor)]
        return len(values) - 1 - int(np.argmax(values)) >= trainer.patience_epochs


@dataclass
class _Average:
    """Mean loss and accuracy of the images of an epoch so far, as their batches came to before their steps."""

    loss: float = 0.0
    accuracy: float = 0.0
    num_images: int = 0

    def add(self, loss: float, accuracy: float, num_images: int) -> None:
        """Adds the means of a batch of so many images."""
        self.num_images += num_images
        share = num_images / self.num_images
        self.loss += (loss - self.loss) * share
        self.accuracy += (accuracy - self.accuracy) * share
