"""The training loop: epochs over the training images, clean measurements after each, the best weights kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from src.config.run import RunConfig
from src.data.dataset import ImageDataset
from src.data.split import Split
from src.errors import DivergedError
from src.history import EpochMetrics, History
from src.models.build import Network
from src.training.classifier import TrainableClassifier, compile_classifier
from src.training.evaluation import Evaluation, evaluate_classifier
from src.training.features import Features
from src.training.inputs import Inputs, read_features, read_images
from src.training.optimizer import build_learning_rate, build_optimizer
from src.training.pipeline import build_training_batches, count_steps
from src.training.progress import Step, TrainingObserver


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
    ) -> None:
        """Compiles the network, or its head where there are features to train that on; nothing is computed yet."""
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
        self.learning_rate = build_learning_rate(
            config.optimizer, epochs=config.trainer.epochs, steps_per_epoch=self.steps_per_epoch
        )
        self.classifier: TrainableClassifier = compile_classifier(
            self.inputs.network,
            input_dtype=self.inputs.dtype,
            warp=self.inputs.warp,
            seed=config.seed,
            optimizer=build_optimizer(config.optimizer, learning_rate=self.learning_rate, precision=precision),
            head=config.model.head,
        )

    def execute(self, observers: Sequence[TrainingObserver]) -> None:
        """Trains until the last epoch, or until early stopping or an observer ends it.

        Afterwards the network has the weights of `kept_epoch`: of the best epoch, or of the last, as configured.

        Raises:
            DivergedError: The loss became NaN or infinite.
        """
        trainer = self.config.trainer
        batches = build_training_batches(
            self.inputs.train,
            num_views=self.inputs.num_views,
            batch_size=trainer.batch_size,
            epochs=trainer.epochs,
            seed=self.config.seed,
            head=self.config.model.head,
        )
        self.classifier.fit(
            batches,
            epochs=trainer.epochs,
            steps_per_epoch=self.steps_per_epoch,
            callbacks=[_EpochRecorder(self, observers)],
            shuffle=False,
            verbose=0,
        )
        self.restore_kept_weights()

    def restore_kept_weights(self) -> None:
        """Gives the network the weights of `kept_epoch`; does nothing where no epoch was finished."""
        if self._kept_weights is not None:
            self.inputs.network.set_weights(self._kept_weights)

    def evaluate(self, split: Split) -> Evaluation:
        """Measures the network on a split of the data set, without augmentation and dropout."""
        return evaluate_classifier(
            self.classifier, self.inputs.read(split), batch_size=self.config.trainer.eval_batch_size
        )

    def record(self, epoch: EpochMetrics, val_probabilities: np.ndarray) -> None:
        """Appends an epoch; if it is the one to keep, keeps its weights and what it makes of the validation images."""
        self.history = self.history.with_epoch(epoch)
        last = self.config.trainer.keep_weights == "last"
        if last or self.history.best() is epoch:
            self.kept_epoch = epoch.epoch
            self.val_probabilities = val_probabilities
            # Where the last epoch is kept, the network has its weights already.
            self._kept_weights = None if last else self.inputs.network.get_weights()

    def last_learning_rate(self) -> float:
        """Returns the learning rate of the last step taken."""
        if isinstance(self.learning_rate, float):
            return self.learning_rate
        # The optimizer counts a step when it is done, and would give the learning rate of the next one.
        return float(self.learning_rate(self.classifier.optimizer.iterations - 1))

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


class _EpochRecorder(keras.callbacks.Callback):
    """Measures each epoch and passes on what happens; the seam between Keras's `fit` and a `Training`."""

    def __init__(self, training: Training, observers: Sequence[TrainingObserver]) -> None:
        super().__init__()
        self.training = training
        self.observers = observers
        self.epoch = 0
        self.started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch = epoch + 1
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None
        training = self.training
        step = Step(self.epoch, batch + 1, training.steps_per_epoch, float(logs["loss"]), float(logs["accuracy"]))
        training.check_loss(step.loss, f"at step {step.step} of {step.num_steps} in epoch {step.epoch}")
        self._tell(lambda observer: observer.on_step(step))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None
        seconds = time.perf_counter() - self.started
        training = self.training
        train_eval = training.evaluate(training.dataset.train_eval)
        val = training.evaluate(training.dataset.val)
        metrics = EpochMetrics(
            epoch=self.epoch,
            train_accuracy=float(logs["accuracy"]),
            train_loss=float(logs["loss"]),
            train_eval_accuracy=train_eval.accuracy,
            train_eval_loss=train_eval.loss,
            val_accuracy=val.accuracy,
            val_loss=val.loss,
            learning_rate=training.last_learning_rate(),
            epoch_seconds=seconds,
        )
        training.record(metrics, val.probabilities)
        self._tell(lambda observer: observer.on_epoch(metrics))
        # The loss of a step is computed before its update; only an evaluation sees what the last update has broken.
        training.check_loss(train_eval.loss, f"on the training images after epoch {self.epoch}")
        training.check_loss(val.loss, f"on the validation images after epoch {self.epoch}")
        # Each is asked, whatever the others want: a pruner has to hear of every epoch.
        stoppers = [observer for observer in self.observers if observer.should_stop(training.history)]
        if stoppers and len(training.history) < training.config.trainer.epochs:
            training.stopped_early_by = stoppers[0]
        if stoppers or training.ran_out_of_patience():
            training.classifier.stop_training = True

    def _tell(self, message: Callable[[TrainingObserver], None]) -> None:
        for observer in self.observers:
            message(observer)
