from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from src.config.run import RunConfig
from src.data.dataset import open_dataset
from src.models.build import build_network
from src.runtime import begin_run, choose_precision
from src.training.keeper import ProgramKeeper
from src.training.training import Training

Compose = Callable[..., RunConfig]
Train = Callable[..., Training]


@pytest.fixture
def train() -> Train:
    """Trains as the process of a trial does: the run begun anew, the program from the keeper."""

    def train(config: RunConfig, keeper: ProgramKeeper | None = None) -> Training:
        precision = choose_precision(config.trainer.precision)
        begin_run(seed=config.seed, precision=precision, deterministic=True)
        dataset = open_dataset(config.dataset)
        network = build_network(config.model, dataset.image_size, dataset.num_classes)
        training = Training(config, dataset, network, precision=precision, keeper=keeper)
        training.execute([])
        return training

    return train


def history(training: Training) -> list[dict[str, float]]:
    epochs = [epoch.metrics() for epoch in training.history.epochs]
    return [{key: value for key, value in epoch.items() if key != "epoch_seconds"} for epoch in epochs]


WARPED = ("model.dropout=0.2", "augmentation=affine", "augmentation.strength=0.3")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (WARPED, ["seed=5"]),
        (WARPED, ["model.dropout=0.6"]),
        (WARPED, ["augmentation.strength=1"]),
        (WARPED, ["optimizer.learning_rate=0.02"]),
        (WARPED, ["optimizer.schedule=cosine", "optimizer.warmup_epochs=0.5"]),
        (WARPED, ["trainer.keep_weights=last", "trainer.batch_size=17", "trainer.epochs=3"]),
        (["optimizer=sgd", "optimizer.momentum=0.9"], ["optimizer.learning_rate=0.02"]),
        (["optimizer=rmsprop", "optimizer.momentum=0.9", "optimizer.centered=true"], ["seed=5"]),
        (["optimizer=adamw", "trainer.precision=bfloat16"], ["seed=5"]),
        (["trainer.precision=float16"], ["seed=5"]),
    ],
    ids=lambda overrides: " ".join(overrides),
)
def test_a_training_in_a_kept_program_is_equal_to_the_last_digit_to_one_of_its_own(
    first: Sequence[str], second: Sequence[str], tiny: Compose, train: Train
) -> None:
    keeper = ProgramKeeper()
    earlier = train(tiny(*first), keeper)
    kept, fresh = train(tiny(*first, *second), keeper), train(tiny(*first, *second))
    assert kept.program is earlier.program
    assert kept.program is not fresh.program
    assert history(kept) == history(fresh) != history(earlier)
    for mine, other in zip(kept.network.model.get_weights(), fresh.network.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_the_steps_are_traced_once_for_all(tiny: Compose, train: Train) -> None:
    keeper = ProgramKeeper()
    for dropout in (0.2, 0.5, 0.8):
        training = train(tiny(*WARPED, f"model.dropout={dropout}"), keeper)
    assert training.program._loop.experimental_get_tracing_count() == 1
    assert training.program.infer.experimental_get_tracing_count() == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "second",
    [
        ["model.dropout=0"],
        ["model.dense_units=[4]"],
        ["augmentation.strength=0"],
        ["augmentation.rotation_degrees=3"],
        ["optimizer=sgd"],
        ["optimizer.beta_1=0.5"],
        ["optimizer.clipnorm=1"],
        ["trainer.precision=bfloat16"],
    ],
    ids=lambda overrides: " ".join(overrides),
)
def test_what_is_part_of_a_program_makes_another_one(second: list[str], tiny: Compose, train: Train) -> None:
    keeper = ProgramKeeper()
    assert train(tiny(*WARPED), keeper).program is not train(tiny(*WARPED, *second), keeper).program


def test_the_memory_of_another_shape_is_released_before_the_next_network_is_built(tiny: Compose, train: Train) -> None:
    keeper = ProgramKeeper()
    program = weakref.ref(train(tiny(*WARPED), keeper).program)
    keeper.release_unless("another shape")
    # As every run begins.
    begin_run(seed=0, precision="float32", deterministic=False)
    assert program() is None


def test_a_network_keeps_its_own_weights_while_the_next_training_runs(tiny: Compose, train: Train) -> None:
    keeper = ProgramKeeper()
    train(tiny(*WARPED), keeper)
    second = train(tiny(*WARPED, "seed=5"), keeper)
    weights = second.network.model.get_weights()
    train(tiny(*WARPED, "seed=6"), keeper)
    for mine, before in zip(second.network.model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(mine, before)


def test_a_program_that_was_kept_over_several_beginnings_is_let_go_of_all_the_same(tiny: Compose, train: Train) -> None:
    keeper = ProgramKeeper()
    first = weakref.ref(train(tiny(*WARPED), keeper).program)
    train(tiny(*WARPED, "seed=5"), keeper)
    # Each beginning looks for garbage, and then sets aside what is in use.
    train(tiny(*WARPED, "model.dropout=0"), keeper)
    begin_run(seed=0, precision="float32", deterministic=False)
    assert first() is None


def test_weights_that_became_random_are_not_trained_in_the_program_of_pretrained_ones(
    tiny: Compose, train: Train
) -> None:
    keeper = ProgramKeeper()
    program = train(tiny(*WARPED), keeper).program
    arguments = (keeper._shape or "", program.network)
    assert keeper.obtain(*arguments, pretrained=False, build=pytest.fail) is program
    assert keeper.obtain(*arguments, pretrained=True, build=lambda: None) is None  # type: ignore[arg-type,return-value]
