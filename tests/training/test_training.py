from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from src.config.run import RunConfig
from src.data.dataset import ImageDataset
from src.errors import DivergedError
from src.history import EpochMetrics, History
from src.models.build import build_classifier, unwrap_network
from src.training import stride
from src.training.evaluation import evaluate_network, measure_logits
from src.training.progress import Step
from src.training.training import Training

Compose = Callable[..., RunConfig]
Start = Callable[[RunConfig], Training]


class Recorder:
    """An observer that remembers what it is told and asks for an end after a given epoch."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.steps: list[Step] = []
        self.epochs: list[EpochMetrics] = []
        self.stop_after = stop_after
        self.asked = 0

    def on_step(self, step: Step) -> None:
        self.steps.append(step)

    def on_epoch(self, epoch: EpochMetrics) -> None:
        self.epochs.append(epoch)

    def should_stop(self, history: History) -> bool:
        self.asked += 1
        return len(history) == self.stop_after


def without_time(history: History) -> list[dict[str, float]]:
    return [
        {key: value for key, value in epoch.metrics().items() if key != "epoch_seconds"} for epoch in history.epochs
    ]


@pytest.mark.parametrize("augmentation", ["none", "affine"])
def test_two_trainings_with_one_seed_are_equal_to_the_last_digit(
    augmentation: str, tiny: Compose, start: Start
) -> None:
    config = tiny(f"augmentation={augmentation}", "model.dropout=0.3", "seed=7")
    first, second = start(config), start(config)
    first.execute([])
    second.execute([])
    assert without_time(first.history) == without_time(second.history)
    for one, other in zip(first.network.model.get_weights(), second.network.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_seed_gives_another_training(tiny: Compose, start: Start) -> None:
    first, second = start(tiny("seed=1")), start(tiny("seed=2"))
    first.execute([])
    second.execute([])
    assert without_time(first.history) != without_time(second.history)


def test_observers_see_every_step_and_every_epoch(tiny: Compose, start: Start) -> None:
    recorder = Recorder()
    training = start(tiny("trainer.batch_size=50"))
    training.execute([recorder])
    assert [(step.epoch, step.step, step.num_steps) for step in recorder.steps] == [
        (epoch, step, 3) for epoch in (1, 2) for step in (1, 2, 3)
    ]
    assert [epoch.epoch for epoch in recorder.epochs] == [1, 2]
    assert tuple(recorder.epochs) == training.history.epochs


def test_train_eval_and_validation_are_measured_alike(tiny: Compose, start: Start, digits: ImageDataset) -> None:
    training = start(tiny("model.dropout=0.5", "augmentation=affine", "trainer.keep_weights=last"))
    training.execute([])
    last = training.history.epochs[-1]
    classifier = build_classifier(training.network.model)
    for split, accuracy, loss in (
        (digits.train_eval, last.train_eval_accuracy, last.train_eval_loss),
        (digits.val, last.val_accuracy, last.val_loss),
    ):
        probabilities = classifier.predict(split.load(), batch_size=100, verbose=0)
        assert np.mean(probabilities.argmax(axis=1) == split.labels) == pytest.approx(accuracy, abs=1e-6)
        true = probabilities[np.arange(len(split)), split.labels]
        assert -np.log(true).mean() == pytest.approx(loss, rel=1e-4)


def test_the_running_training_accuracy_is_not_the_clean_one(tiny: Compose, start: Start) -> None:
    training = start(tiny("trainer.epochs=3", "model.dropout=0.8", "optimizer.learning_rate=0.01"))
    training.execute([])
    last = training.history.epochs[-1]
    assert last.train_accuracy < last.train_eval_accuracy


def test_an_observer_can_end_the_training_after_an_epoch(tiny: Compose, start: Start) -> None:
    training = start(tiny("trainer.epochs=5"))
    recorder, stopper, other = Recorder(), Recorder(stop_after=2), Recorder(stop_after=2)
    training.execute([recorder, stopper, other])
    assert len(training.history) == 2
    assert training.stopped_early_by is stopper
    assert [observer.asked for observer in (recorder, stopper, other)] == [2, 2, 2]


def test_an_end_that_is_asked_for_after_the_last_epoch_is_not_early(tiny: Compose, start: Start) -> None:
    training = start(tiny("trainer.epochs=2"))
    training.execute([Recorder(stop_after=2)])
    assert training.stopped_early_by is None


def test_early_stopping_ends_after_the_epochs_of_its_patience(tiny: Compose, start: Start) -> None:
    # With a learning rate this small nothing improves by more than it worsens: the accuracy never changes.
    config = tiny(
        "trainer.epochs=9", "optimizer.learning_rate=1e-30", "trainer.patience_epochs=2", "trainer.monitor=val_accuracy"
    )
    training = start(config)
    training.execute([])
    assert len(training.history) == 3
    assert training.stopped_early_by is None


def test_the_best_epochs_weights_are_kept(tiny: Compose, start: Start, digits: ImageDataset) -> None:
    config = tiny("trainer.epochs=6", "optimizer.learning_rate=0.02", "trainer.batch_size=16", "seed=3")
    training = start(config)
    training.execute([])
    best = training.history.best()
    assert training.kept_epoch == best.epoch
    kept = training.evaluate(digits.val)
    assert (kept.accuracy, kept.loss) == (best.val_accuracy, best.val_loss)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_what_was_made_of_the_validation_images_belongs_to_the_kept_weights(
    keep: str, tiny: Compose, start: Start, digits: ImageDataset
) -> None:
    training = start(tiny("trainer.epochs=4", "optimizer.learning_rate=0.02", f"trainer.keep_weights={keep}", "seed=3"))
    assert training.val_probabilities is None
    training.execute([])
    assert training.val_probabilities is not None
    np.testing.assert_array_equal(training.val_probabilities, training.evaluate(digits.val).probabilities)
    classifier = build_classifier(training.network.model)
    expected = classifier.predict(digits.val.load(), verbose=0)
    np.testing.assert_allclose(training.val_probabilities, expected, atol=1e-5)


@pytest.mark.parametrize("classes", [1, 5])
def test_accuracy_and_loss_are_those_that_keras_computes(classes: int) -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(scale=30, size=(200, classes)).astype(np.float32)
    labels = generator.integers(0, max(classes, 2), 200)
    measured = measure_logits(logits, labels)
    loss: keras.losses.Loss
    if classes == 1:
        loss, predicted = keras.losses.BinaryCrossentropy(from_logits=True), logits[:, 0] > 0
        expected = float(loss(labels[:, None], logits))
    else:
        loss, predicted = keras.losses.SparseCategoricalCrossentropy(from_logits=True), logits.argmax(axis=1)
        expected = float(loss(labels, logits))
    assert measured.loss == pytest.approx(expected, rel=1e-5)
    assert measured.accuracy == np.mean(predicted == labels)
    np.testing.assert_allclose(measured.probabilities.sum(axis=1), 1, atol=1e-6)
    assert measured.probabilities.shape == (200, max(classes, 2))


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_logits_that_are_no_numbers_have_no_loss(broken: float) -> None:
    logits = np.zeros((4, 3), np.float32)
    logits[2, 1] = broken
    assert math.isnan(measure_logits(logits, np.zeros(4, int)).loss)


def test_the_last_epochs_weights_are_kept_on_request(tiny: Compose, start: Start, digits: ImageDataset) -> None:
    training = start(tiny("trainer.epochs=3", "optimizer.learning_rate=0.02", "trainer.keep_weights=last"))
    training.execute([])
    last = training.history.epochs[-1]
    assert training.kept_epoch == 3
    kept = training.evaluate(digits.val)
    assert (kept.accuracy, kept.loss) == (last.val_accuracy, last.val_loss)


@pytest.fixture
def single_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every step be a call of its own, so that an observer can change what the next one begins with."""
    monkeypatch.setattr(stride, "SECONDS_PER_CALL", 0)


@pytest.mark.usefixtures("single_steps")
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_loss_that_is_no_number_ends_the_training_at_its_step_and_says_so(
    broken: float, tiny: Compose, start: Start
) -> None:
    class Poisoner(Recorder):
        def on_step(self, step: Step) -> None:
            super().on_step(step)
            if (step.epoch, step.step) == (2, 1):
                bias = training.network.model.get_layer("head").bias
                bias.assign(np.full(bias.shape, broken))

    training, poisoner = start(tiny("trainer.epochs=3")), Poisoner()
    with pytest.raises(
        DivergedError, match=r"became nan at step 2 of 4 in epoch 2\. Lower optimizer.learning_rate \(now 0.0005\)"
    ):
        training.execute([poisoner])
    assert all(math.isfinite(step.loss) for step in poisoner.steps)


def test_weights_that_the_last_step_of_an_epoch_broke_end_the_training_too(tiny: Compose, start: Start) -> None:
    class Poisoner(Recorder):
        def on_step(self, step: Step) -> None:
            if step.step == step.num_steps:
                bias = training.network.model.get_layer("head").bias
                bias.assign(np.full(bias.shape, np.nan))

    training = start(tiny("trainer.epochs=1"))
    with pytest.raises(DivergedError, match="became nan on the training images after epoch 1"):
        training.execute([Poisoner()])
    assert len(training.history) == 1


def test_the_learning_rate_of_an_epoch_is_that_of_its_last_step(tiny: Compose, start: Start) -> None:
    training = start(tiny("optimizer.schedule=cosine", "optimizer.learning_rate=0.01"))
    training.execute([])
    # Eight steps in all: the epochs end with the fourth and the eighth, numbered 3 and 7.
    expected = [0.01 * (1 + math.cos(math.pi * step / 8)) / 2 for step in (3, 7)]
    assert training.history.series("learning_rate") == pytest.approx(expected, rel=1e-5)


def test_a_loaded_network_measures_exactly_what_its_training_measured(
    tiny: Compose, start: Start, digits: ImageDataset, tmp_path: Path
) -> None:
    training = start(tiny("optimizer.learning_rate=0.02"))
    training.execute([])
    path = tmp_path / "model.keras"
    build_classifier(training.network.model).save(path)
    network = unwrap_network(keras.saving.load_model(path))
    expected = training.evaluate(digits.test)
    measured = evaluate_network(network, digits.test, batch_size=100)
    assert measured == (expected.accuracy, expected.loss)


def test_what_was_measured_before_an_exception_is_kept(tiny: Compose, start: Start) -> None:
    class Interrupter(Recorder):
        def on_step(self, step: Step) -> None:
            if step.epoch == 2:
                raise KeyboardInterrupt

    training = start(tiny("trainer.epochs=4"))
    with pytest.raises(KeyboardInterrupt):
        training.execute([Interrupter()])
    assert len(training.history) == 1


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_reduced_precision_learns_and_keeps_its_weights_in_float32(precision: str, tiny: Compose, start: Start) -> None:
    config = tiny(f"trainer.precision={precision}", "optimizer.learning_rate=0.01", "trainer.epochs=5")
    training = start(config)
    training.execute([])
    losses = training.history.series("train_eval_loss")
    assert losses[-1] < losses[0]
    assert {variable.dtype for variable in training.network.model.weights} == {"float32"}


def test_float16_scales_its_loss(tiny: Compose, start: Start) -> None:
    optimizer = start(tiny("trainer.precision=float16")).program.optimizer
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
