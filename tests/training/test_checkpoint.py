"""Checkpoints: a training that was broken off comes to the same weights as one that was not."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from src.config.run import RunConfig
from src.data.dataset import ImageDataset
from src.history import EpochMetrics, History
from src.models.build import build_network
from src.runtime import begin_run, choose_precision
from src.training import checkpoint as checkpoint_module
from src.training.checkpoint import (
    AUTO_SECONDS,
    Checkpoint,
    Checkpointer,
    CheckpointFile,
    TrainingState,
    UnusableCheckpointError,
    describe_training,
)
from src.training.keeper import ProgramKeeper
from src.training.progress import Step
from src.training.training import Training

Compose = Callable[..., RunConfig]
Start = Callable[..., Training]


class Breaker:
    """Breaks a training off at one of its steps, counted over all epochs from 1; an observer."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.epochs: list[int] = []
        self.resumed_after: int | None = None

    def on_resume(self, history: History) -> None:
        self.resumed_after = len(history)

    def on_step(self, step: Step) -> None:
        if (step.epoch - 1) * step.num_steps + step.step == self.at:
            raise KeyboardInterrupt

    def on_epoch(self, epoch: EpochMetrics) -> None:
        self.epochs.append(epoch.epoch)

    def should_stop(self, history: History) -> bool:
        return False


@pytest.fixture
def start(digits: ImageDataset) -> Start:
    """Builds a training as the process of a trial does."""

    def start(config: RunConfig, keeper: ProgramKeeper | None = None) -> Training:
        precision = choose_precision(config.trainer.precision)
        begin_run(seed=config.seed, precision=precision, deterministic=True)
        network = build_network(config.model, digits.image_size, digits.num_classes)
        return Training(config, digits, network, precision=precision, keeper=keeper)

    return start


@pytest.fixture
def open_file(digits: ImageDataset, tmp_path: Path) -> Callable[[RunConfig], CheckpointFile]:
    """Opens the checkpoint of a training, always in the same place."""
    return lambda config: CheckpointFile(
        tmp_path / "checkpoint.npz", describe_training(config, digits, choose_precision(config.trainer.precision))
    )


def checkpointer(file: CheckpointFile, every: int | str = 1, clock: Callable[[], float] = lambda: 0.0) -> Checkpointer:
    def fail(text: str) -> None:
        raise AssertionError(text)

    return Checkpointer(file, every, lambda: "run", fail, clock)


def read(file: CheckpointFile) -> Checkpoint:
    found = file.read()
    assert found is not None
    return found


def without_time(history: History) -> list[dict[str, float]]:
    return [
        {key: value for key, value in epoch.metrics().items() if key != "epoch_seconds"} for epoch in history.epochs
    ]


def assert_equal(one: Training, other: Training) -> None:
    """Whether two trainings came to the same, to the last digit."""
    assert without_time(one.history) == without_time(other.history)
    assert one.kept_epoch == other.kept_epoch
    np.testing.assert_array_equal(one.val_probabilities, other.val_probabilities)
    for mine, its in (
        (one.network.model.weights, other.network.model.weights),
        (one.program.network.variables, other.program.network.variables),
        (one.program.optimizer.variables, other.program.optimizer.variables),
    ):
        for variable, expected in zip(mine, its, strict=True):
            np.testing.assert_array_equal(np.asarray(variable), np.asarray(expected), err_msg=variable.path)


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.dropout=0.4", "augmentation=affine"],
        ["optimizer.schedule=cosine", "optimizer.warmup_epochs=1.5", "optimizer.learning_rate=0.02"],
        ["optimizer=sgd", "optimizer.momentum=0.9", "optimizer.nesterov=true", "trainer.keep_weights=last"],
        ["optimizer=rmsprop", "optimizer.momentum=0.9", "optimizer.centered=true", "trainer.batch_size=17"],
        ["optimizer=adamw", "trainer.precision=bfloat16", "model.dropout=0.2"],
        ["trainer.precision=float16", "optimizer.learning_rate=0.01"],
    ],
    ids=" ".join,
)
def test_a_training_broken_off_at_a_random_step_and_resumed_ends_with_the_same_weights(
    overrides: Sequence[str], tiny: Compose, start: Start, open_file: Callable[[RunConfig], CheckpointFile]
) -> None:
    config = tiny("trainer.epochs=5", *overrides)
    whole = start(config)
    whole.execute([])

    seed = random.randrange(2**32)
    # Not within the first epoch, which leaves no checkpoint.
    step = random.Random(seed).randint(whole.steps_per_epoch + 1, 5 * whole.steps_per_epoch)
    print(f"seed {seed}: broken off at step {step} of {5 * whole.steps_per_epoch}")
    file = open_file(config)
    with pytest.raises(KeyboardInterrupt):
        start(config).execute([Breaker(step)], checkpointer(file))

    resumed, breaker = start(config), Breaker(0)
    resumed.restore(read(file).state)
    resumed.execute([breaker], checkpointer(file))
    assert breaker.resumed_after == (step - 1) // whole.steps_per_epoch
    assert breaker.epochs == list(range(breaker.resumed_after + 1, 6))
    assert_equal(resumed, whole)


def test_a_training_broken_off_again_and_again_ends_with_the_same_weights(
    tiny: Compose, start: Start, open_file: Callable[[RunConfig], CheckpointFile]
) -> None:
    config = tiny("trainer.epochs=6", "model.dropout=0.4")
    whole = start(config)
    whole.execute([])
    file, steps = open_file(config), whole.steps_per_epoch
    for at in (steps + 2, 2 * steps, 4 * steps + 1):
        training, found = start(config), file.read()
        if found is not None:
            training.restore(found.state)
        with pytest.raises(KeyboardInterrupt):
            training.execute([Breaker(at)], checkpointer(file, every=1))
    last = start(config)
    last.restore(read(file).state)
    last.execute([])
    assert_equal(last, whole)


def test_a_kept_program_that_has_trained_something_else_goes_on_from_a_checkpoint_all_the_same(
    tiny: Compose, start: Start, open_file: Callable[[RunConfig], CheckpointFile]
) -> None:
    config, keeper = tiny("trainer.epochs=4", "model.dropout=0.4"), ProgramKeeper()
    whole = start(config)
    whole.execute([])
    file = open_file(config)
    with pytest.raises(KeyboardInterrupt):
        start(config).execute([Breaker(3 * whole.steps_per_epoch)], checkpointer(file))
    start(tiny("model.dropout=0.1", "seed=8"), keeper).execute([])
    resumed = start(config, keeper)
    resumed.restore(read(file).state)
    resumed.execute([])
    assert_equal(resumed, whole)


def test_early_stopping_counts_the_epochs_before_the_break(
    tiny: Compose, start: Start, open_file: Callable[[RunConfig], CheckpointFile]
) -> None:
    # With a learning rate this small nothing improves: the accuracy never changes.
    config = tiny(
        "trainer.epochs=9", "optimizer.learning_rate=1e-30", "trainer.patience_epochs=2", "trainer.monitor=val_accuracy"
    )
    file = open_file(config)
    start(config).execute([], checkpointer(file, every=2))
    resumed = start(config)
    resumed.restore(read(file).state)
    assert len(resumed.history) == 2
    resumed.execute([], checkpointer(file, every=1))
    assert len(resumed.history) == 3
    # Its end had come, but for what is recorded after it.
    over = start(config)
    over.restore(read(file).state)
    over.execute([])
    assert len(over.history) == 3


def test_a_checkpoint_of_the_last_epoch_leaves_nothing_to_train(
    tiny: Compose, start: Start, open_file: Callable[[RunConfig], CheckpointFile]
) -> None:
    config = tiny("trainer.epochs=2")
    file, whole = open_file(config), start(config)
    whole.execute([], checkpointer(file))
    resumed, breaker = start(config), Breaker(1)
    resumed.restore(read(file).state)
    resumed.execute([breaker])
    assert breaker.epochs == []
    assert_equal(resumed, whole)


def state_after(epochs: int) -> TrainingState:
    metrics = [
        EpochMetrics(number, 0.5, 1.0, 0.5, 1.0, 0.5, float("nan"), 0.001, 2.0) for number in range(1, epochs + 1)
    ]
    weights = [np.arange(6, dtype=np.float32).reshape(2, 3), np.uint32(7) * np.ones(2, np.uint32)]
    return TrainingState(History(tuple(metrics)), weights, [np.int64(3) * np.ones((), np.int64)], 1, None, np.eye(2))


@pytest.fixture
def file(tmp_path: Path) -> CheckpointFile:
    return CheckpointFile(tmp_path / "folder" / "checkpoint.npz", {"model.dropout": "0.5", "data": "abc"})


def test_what_is_written_is_read_again_to_the_last_digit(file: CheckpointFile) -> None:
    assert file.read() is None
    state = state_after(2)
    file.write(Checkpoint(state, "run"))
    found = read(file)
    assert found.run_id == "run"
    assert repr(found.state.history) == repr(state.history)
    assert found.state.kept_weights is None
    for mine, other in zip(
        [*found.state.network, *found.state.optimizer], [*state.network, *state.optimizer], strict=True
    ):
        assert mine.dtype == other.dtype
        np.testing.assert_array_equal(mine, other)


def flip_a_weight(content: bytes) -> bytes:
    place = content.index(np.arange(6, dtype=np.float32).tobytes())
    return content[: place + 9] + b"\xff" + content[place + 10 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: random.Random(0).randbytes(len(content)),
        flip_a_weight,
    ],
    ids=["empty", "half", "one byte short", "noise", "another weight"],
)
def test_a_damaged_checkpoint_is_told_from_a_whole_one(damage: Callable[[bytes], bytes], file: CheckpointFile) -> None:
    file.write(Checkpoint(state_after(2), "run"))
    file.path.write_bytes(damage(file.path.read_bytes()))
    with pytest.raises(UnusableCheckpointError, match=r"checkpoint\.npz is damaged or cannot be read"):
        file.read()


def test_a_checkpoint_of_another_training_is_refused_with_what_differs(file: CheckpointFile) -> None:
    file.write(Checkpoint(state_after(1), "run"))
    other = CheckpointFile(file.path, {"model.dropout": "0.2", "data": "abc"})
    with pytest.raises(UnusableCheckpointError, match=r"of another training: model\.dropout was 0\.5 and is 0\.2"):
        other.read()


def test_a_checkpoint_of_another_version_is_refused(file: CheckpointFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write(Checkpoint(state_after(1), "run"))
    monkeypatch.setattr(checkpoint_module, "_VERSION", 2)
    with pytest.raises(UnusableCheckpointError, match="another version"):
        file.read()


def test_a_checkpoint_that_holds_objects_is_not_read(file: CheckpointFile) -> None:
    file.path.parent.mkdir()
    np.savez(file.path, header=np.array([object()], dtype=object))
    with pytest.raises(UnusableCheckpointError, match="damaged or cannot be read"):
        file.read()


def written_epochs(file: CheckpointFile, every: int | str, seconds: Sequence[float]) -> list[int]:
    """Returns after which epochs a checkpoint was written, where they ended so many seconds after the beginning."""
    now = 0.0
    keeper = checkpointer(file, every, clock=lambda: now)
    written = []
    for epoch, end in enumerate(seconds, start=1):
        now = end
        file.path.unlink(missing_ok=True)
        keeper.consider(epoch, lambda epoch=epoch: state_after(epoch))
        if file.path.exists():
            written.append(epoch)
    return written


def test_checkpoints_are_written_after_every_so_many_epochs(file: CheckpointFile) -> None:
    assert written_epochs(file, 3, [1, 2, 3, 4, 5, 6, 7]) == [3, 6]


def test_by_itself_a_checkpoint_is_written_a_minute_after_the_last_and_never_for_a_short_training(
    file: CheckpointFile,
) -> None:
    assert written_epochs(file, "auto", [1, 2, AUTO_SECONDS - 1]) == []
    assert written_epochs(file, "auto", [40, 80, 120, 150, 1000, 1001]) == [2, 4, 5]


def test_a_checkpoint_that_cannot_be_written_is_said_once_and_costs_the_training_nothing(
    tiny: Compose, start: Start, open_file: Callable[[RunConfig], CheckpointFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, said = tiny("trainer.epochs=3"), []

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    file = open_file(config)
    training = start(config)
    training.execute([], Checkpointer(file, 1, lambda: "run", said.append))
    assert len(training.history) == 3
    (text,) = said
    assert "checkpoint.npz cannot be written (No space left on device)" in text
    assert [*file.path.parent.iterdir()] == []


def test_a_training_that_has_measured_nothing_has_no_state(tiny: Compose, start: Start) -> None:
    with pytest.raises(ValueError, match="without epochs"):
        start(tiny()).take_state()
