from __future__ import annotations

import keras
import numpy as np
import pytest

from src.config.optimizer import AdamConfig
from src.training.optimizer import build_optimizer
from src.training.pipeline import StepBatches
from src.training.program import TrainingProgram


def build_network(seed: int, *, width: int = 8, trainable: bool = True) -> keras.Model:
    keras.utils.set_random_seed(seed)
    pixels = keras.Input((6,))
    # A bias in front of a normalization has no gradient but rounding errors, of which Adam makes whole steps.
    hidden = keras.layers.Dense(width, use_bias=False, trainable=trainable)(pixels)
    normalized = keras.layers.BatchNormalization(momentum=0.5)(hidden)
    return keras.Model(pixels, keras.layers.Dense(3)(keras.layers.Dropout(0.5)(normalized)))


def build_program(network: keras.Model) -> TrainingProgram:
    optimizer = build_optimizer(AdamConfig(name="adam"), precision="float32")
    return TrainingProgram(network, input_dtype="float32", augmentation=None, optimizer=optimizer, head="softmax")


def make_batches(steps: int = 5) -> StepBatches:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(steps, 16, 6)).astype(np.float32)
    return StepBatches(0, inputs, generator.integers(0, 3, (steps, 16)).astype(np.int32))


def train(program: TrainingProgram, batches: StepBatches) -> np.ndarray:
    program.begin(seed=0, dropout=0.3, strength=1.0)
    return program.take_steps(
        batches, np.full(len(batches), 0.01, np.float32), np.arange(len(batches), dtype=np.int32)
    )[0]


def test_a_program_that_is_restarted_has_forgotten_weights_moments_statistics_and_random_state() -> None:
    program, batches = build_program(build_network(1)), make_batches()
    train(program, batches)
    program.restart(build_network(2))
    again = train(program, batches)
    fresh = build_program(build_network(2))
    np.testing.assert_array_equal(again, train(fresh, batches))
    for mine, other in zip(program.network.variables, fresh.network.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), other.numpy())


def test_steps_come_to_the_same_taken_at_once_and_one_by_one() -> None:
    batches = make_batches()
    together, single = build_program(build_network(1)), build_program(build_network(1))
    losses = train(together, batches)
    parts = [StepBatches(0, batches.inputs[[index]], batches.labels[[index]]) for index in range(len(batches))]
    np.testing.assert_array_equal(losses, np.concatenate([train(single, part) for part in parts]))
    for mine, other in zip(together.network.variables, single.network.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), other.numpy())


def test_a_step_is_that_of_keras() -> None:
    batches = make_batches()
    network, other = build_network(1), build_network(1)
    losses = train(build_program(network), batches)
    # At the rate of the network's own dropout layer, Keras draws and drops alike.
    other.layers[-2].rate = 0.3
    other.compile(
        optimizer=keras.optimizers.Adam(0.01), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    expected = [
        other.train_on_batch(inputs, labels) for inputs, labels in zip(batches.inputs, batches.labels, strict=True)
    ]
    np.testing.assert_allclose(losses, np.array(expected).reshape(5), rtol=1e-5)
    for mine, theirs in zip(network.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("other", "fits"),
    [
        (lambda: build_network(2), True),
        (lambda: build_network(1, width=9), False),
        (lambda: build_network(1, trainable=False), False),
    ],
)
def test_only_a_network_of_the_same_structure_fits(other: object, fits: bool) -> None:
    assert build_program(build_network(1)).fits(other()) is fits  # type: ignore[operator]
