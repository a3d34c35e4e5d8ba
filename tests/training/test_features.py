"""Trainings of a head on features that were computed once: the same trainings, and what is shared between them."""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from src.augmentation import RandomWarp
from src.config.model import TransferConfig
from src.config.run import RunConfig
from src.data import entry as entry_module
from src.data.dataset import ImageDataset, open_dataset
from src.errors import StorageError
from src.models import transfer as transfer_module
from src.models.build import Network, build_classifier, build_network
from src.models.transfer import cut_network
from src.models.weights import WeightsChoice
from src.runtime import begin_run
from src.training import features as features_module
from src.training.checkpoint import Checkpointer, CheckpointFile
from src.training.features import FeaturePlan, Features, plan_features, prepare_features
from src.training.keeper import ProgramKeeper
from src.training.pipeline import order_images
from src.training.training import Training

Compose = Callable[..., RunConfig]

#: Transfer learning on a few digits.
SMALL = (
    "model=mobilenet",
    "model.dropout=0.3",
    "model.pooling=flatten",
    "dataset.num_train=40",
    "dataset.num_val=30",
    "dataset.num_test=20",
    "dataset.num_train_eval=20",
    "dataset.image_size=16",
    "optimizer.learning_rate=0.01",
    "trainer.batch_size=16",
    "trainer.epochs=6",
    "trainer.precision=float32",
)
AFFINE = ("augmentation=affine", "trainer.feature_views=3")


def build_tiny_backbone(config: TransferConfig, image_size: int, weights: str | None) -> keras.Model:
    """Stands for a backbone of `keras.applications`, the smallest of which takes seconds to build."""
    layers = [
        keras.layers.Conv2D(8, 3, strides=2),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(6),
        keras.layers.Conv2D(24, 3, strides=2, activation="relu"),
    ]
    pixels = keras.Input((image_size, image_size, 3))
    output = pixels
    for layer in layers:
        output = layer(output)
    backbone = keras.Model(pixels, output)
    if weights is not None:
        backbone.load_weights(weights)
    return backbone


@pytest.fixture(autouse=True, scope="module")
def _tiny_backbone() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer_module, "load_backbone", build_tiny_backbone)
        yield


@pytest.fixture(scope="module")
def weights(compose_run: Compose, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of a backbone's weights that has learned nothing, but counts as pretrained."""
    begin_run(seed=0, precision="float32", deterministic=False)
    backbone = build_tiny_backbone(compose_run(*SMALL).model, 16, None)
    mean, variance = backbone.layers[2].moving_mean, backbone.layers[2].moving_variance
    mean.assign(np.linspace(-0.3, 0.3, 8))
    variance.assign(np.linspace(0.1, 0.5, 8))
    path = tmp_path_factory.mktemp("weights") / "backbone.weights.h5"
    backbone.save_weights(path)
    return str(path)


@pytest.fixture(scope="module")
def small(compose_run: Compose, weights: str, tmp_path_factory: pytest.TempPathFactory) -> Compose:
    """Composes a small transfer learning with overrides; the cache folder is one of the module's own."""
    cache = tmp_path_factory.mktemp("features")
    return lambda *overrides: compose_run(*SMALL, f"model.weights={weights}", f"dataset.cache_dir={cache}", *overrides)


@pytest.fixture(scope="module")
def images(small: Compose) -> ImageDataset:
    return open_dataset(small().dataset)


def build(config: RunConfig, images: ImageDataset) -> Network:
    begin_run(seed=config.seed, precision=config.trainer.precision, deterministic=config.trainer.deterministic)
    return build_network(config.model, images.image_size, images.num_classes)


def prepare(config: RunConfig, images: ImageDataset, network: Network | None = None) -> Features:
    network = network or build(config, images)
    plan = plan_features(config, network)
    features = prepare_features(config, images, network, plan, precision=config.trainer.precision)
    assert features is not None
    return features


def begin(config: RunConfig, images: ImageDataset, keeper: ProgramKeeper | None = None) -> Training:
    network = build(config, images)
    plan = plan_features(config, network)
    features = prepare_features(config, images, network, plan, precision=config.trainer.precision)
    precision = config.trainer.precision
    return Training(config, images, network, precision=precision, features=features, keeper=keeper)


def train(config: RunConfig, images: ImageDataset, keeper: ProgramKeeper | None = None) -> Training:
    training = begin(config, images, keeper)
    training.execute([])
    return training


@pytest.fixture(scope="module")
def cached(small: Compose, images: ImageDataset) -> Training:
    """A training on features, which others have not been computed for before."""
    return train(small("seed=3"), images)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often features are computed from now on, each time by the number of views."""
    made = []
    original = features_module.compute_features

    def spy(extractor, split, augmentation, num_views):  # type: ignore[no-untyped-def]
        made.append(num_views)
        return original(extractor, split, augmentation, num_views)

    monkeypatch.setattr(features_module, "compute_features", spy)
    return made


def test_a_training_on_features_is_the_training_with_the_backbone_in_the_loop(
    cached: Training, small: Compose, images: ImageDataset
) -> None:
    looped = train(small("seed=3", "trainer.features=in_the_loop"), images)
    assert looped.inputs.network is looped.network.model
    assert cached.inputs.network is not cached.network.model
    assert cached.history.series("val_accuracy") == looped.history.series("val_accuracy")
    assert cached.history.series("train_eval_accuracy") == looped.history.series("train_eval_accuracy")
    for metric in ("train_loss", "train_eval_loss", "val_loss"):
        assert cached.history.series(metric) == pytest.approx(looped.history.series(metric), rel=1e-4)
    # It has learned something, so that equal accuracies say something.
    assert cached.history.epochs[-1].train_eval_accuracy > 0.5
    assert cached.kept_epoch == looped.kept_epoch
    weights = zip(cached.network.model.get_weights(), looped.network.model.get_weights(), strict=True)
    for one, other in weights:
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_the_model_of_a_training_on_features_makes_of_raw_images_what_the_training_measured(
    cached: Training, images: ImageDataset, tmp_path: Path
) -> None:
    path = tmp_path / "model.keras"
    build_classifier(cached.network.model).save(path)
    loaded = keras.saving.load_model(path)
    measured = cached.evaluate(images.test)
    raw = images.test.load()
    assert raw.dtype == np.uint8
    np.testing.assert_allclose(loaded.predict(raw, verbose=0), measured.probabilities, atol=1e-5)
    assert cached.val_probabilities is not None
    np.testing.assert_allclose(loaded.predict(images.val.load(), verbose=0), cached.val_probabilities, atol=1e-5)


@pytest.mark.usefixtures("cached")
def test_what_was_computed_once_is_shared_by_all_that_trains_a_head(
    small: Compose, images: ImageDataset, passes: list[int]
) -> None:
    for override in ("seed=8", "model.dropout=0", "model.dense_units=[5]", "optimizer=sgd", "trainer.batch_size=7"):
        prepare(small(override), images)
    assert passes == []


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize("override", ["model.scaling=unit", "model.pooling=average", "trainer.precision=bfloat16"])
def test_what_changes_the_features_has_them_computed_anew(
    override: str, small: Compose, images: ImageDataset, passes: list[int]
) -> None:
    prepare(small(override), images)
    assert passes == [0]


@pytest.mark.usefixtures("cached")
def test_other_weights_have_features_of_their_own(small: Compose, images: ImageDataset, passes: list[int]) -> None:
    network = build(small(), images)
    kernel = cut_network(network.model).extractor.weights[0]
    kernel.assign(kernel + 1e-3)
    prepare(small(), images, network)
    assert passes == [0]


def test_another_division_of_the_same_images_needs_no_new_features(
    small: Compose, images: ImageDataset, cached: Training, passes: list[int]
) -> None:
    swapped = replace(images, val=replace(images.test, name="val"), test=replace(images.val, name="test"))
    features = prepare(small(), swapped)
    assert passes == []
    again = features.take(swapped.test)
    np.testing.assert_array_equal(again.load(), cached.inputs.read(images.val).load())
    np.testing.assert_array_equal(again.labels, images.val.labels)


def test_bfloat16_features_are_kept_bit_for_bit(small: Compose, images: ImageDataset) -> None:
    config = small("trainer.precision=bfloat16")
    network = build(config, images)
    split = prepare(config, images, network).take(images.val)
    expected = cut_network(network.model).extractor(tf.cast(images.val.load(), tf.float32), training=False)
    assert split.load().dtype == expected.numpy().dtype == tf.bfloat16.as_numpy_dtype
    np.testing.assert_allclose(split.load().astype(np.float32), tf.cast(expected, tf.float32), rtol=0.02, atol=0.02)
    assert isinstance(split.images, np.memmap)


def test_a_head_trains_on_bfloat16_features(small: Compose, images: ImageDataset) -> None:
    training = train(small("trainer.precision=bfloat16", "seed=3"), images)
    losses = training.history.series("train_eval_loss")
    assert losses[-1] < losses[0]


def test_views_are_those_of_the_augmentation_and_the_same_for_every_seed(
    small: Compose, images: ImageDataset, passes: list[int]
) -> None:
    config = small(*AFFINE, "seed=1")
    network = build(config, images)
    train_views = prepare(config, images, network).view(images.train)
    assert passes[-1] == 3
    assert len(train_views) == 3 * len(images.train)
    np.testing.assert_array_equal(train_views.labels, np.tile(images.train.labels, 3))
    warped = RandomWarp(config.augmentation)(tf.constant(images.train.load()), tf.constant([2, 0]))
    expected = cut_network(network.model).extractor(warped, training=False)
    np.testing.assert_allclose(train_views.load(slice(80, 120)), expected, rtol=1e-3, atol=1e-4)
    assert not np.allclose(train_views.load(slice(0, 40)), train_views.load(slice(40, 80)))

    computed = len(passes)
    prepare(small(*AFFINE, "seed=2", "model.dropout=0"), images)
    assert len(passes) == computed
    prepare(small(*AFFINE, "augmentation.strength=0.5"), images)
    assert passes[computed:] == [3]


def test_an_epoch_has_every_image_in_one_view_and_epochs_have_different_ones(
    small: Compose, images: ImageDataset
) -> None:
    views = prepare(small(*AFFINE), images).view(images.train)

    def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:
        rows = np.concatenate([order_images(40, epoch=epoch, seed=seed, num_views=3) for epoch in (0, 1)])
        return rows, views.labels[rows]

    rows, labels = draw(0)
    first, second = rows[:40], rows[40:]
    for epoch in (first, second):
        np.testing.assert_array_equal(np.sort(epoch % 40), np.arange(40))
        assert set(epoch // 40) == {0, 1, 2}
    assert not np.array_equal(np.sort(first), np.sort(second))
    np.testing.assert_array_equal(labels, images.train.labels[rows % 40])
    np.testing.assert_array_equal(draw(0)[0], rows)
    assert not np.array_equal(draw(1)[0], rows)


def test_a_training_on_views_measures_images_as_they_are(
    cached: Training, small: Compose, images: ImageDataset
) -> None:
    training = train(small(*AFFINE, "seed=3"), images)
    assert training.inputs.num_views == 3
    assert training.steps_per_epoch == cached.steps_per_epoch == 3
    probabilities = build_classifier(training.network.model).predict(images.train_eval.load(), verbose=0)
    np.testing.assert_allclose(training.evaluate(images.train_eval).probabilities, probabilities, atol=1e-5)
    for split in (images.train_eval, images.val, images.test):
        np.testing.assert_array_equal(training.inputs.read(split).load(), cached.inputs.read(split).load())


def test_a_head_in_a_kept_program_is_trained_as_one_in_a_program_of_its_own(
    small: Compose, images: ImageDataset
) -> None:
    keeper = ProgramKeeper()
    first = train(small("model.dropout=0.4"), images, keeper)
    kept, fresh = (
        train(small("model.dropout=0.2", "seed=3"), images, keeper),
        train(small("model.dropout=0.2", "seed=3"), images),
    )
    assert kept.program is first.program
    assert kept.history.series("val_loss") == fresh.history.series("val_loss")
    for mine, other in zip(kept.network.model.get_weights(), fresh.network.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_kept_head_does_not_keep_the_backbone_it_was_cut_from(small: Compose, images: ImageDataset) -> None:
    keeper = ProgramKeeper()
    training = train(small(), images, keeper)
    network = weakref.ref(training.network.model)
    del training
    # As the next run begins.
    begin_run(seed=0, precision="float32", deterministic=False)
    assert network() is None


FROZEN = Network(keras.Model(), WeightsChoice("imagenet"), frozen_backbone=True)
RANDOM = Network(keras.Model(), WeightsChoice("random", fallback_reason="There is no network."))


@pytest.mark.parametrize(
    ("network", "overrides", "kind"),
    [
        (FROZEN, [], "cached"),
        (FROZEN, ["augmentation=affine", "augmentation.strength=0"], "cached"),
        (FROZEN, ["trainer.features=in_the_loop"], "in_the_loop"),
        (FROZEN, ["augmentation=affine"], "in_the_loop"),
        (FROZEN, [*AFFINE], "views"),
        (RANDOM, [], "in_the_loop"),
    ],
)
def test_features_are_computed_ahead_only_where_they_stay_as_they_are(
    network: Network, overrides: list[str], kind: str, small: Compose
) -> None:
    plan = plan_features(small(*overrides), network)
    assert (plan.kind, plan.fallback_reason) == (kind, None)


def test_views_that_random_weights_cannot_have_are_given_up_with_the_reason(
    small: Compose, images: ImageDataset
) -> None:
    plan = plan_features(small(*AFFINE, "model.weights=auto"), RANDOM)
    assert plan.kind == "in_the_loop"
    assert plan.fallback_reason is not None
    assert plan.fallback_reason.startswith("trainer.feature_views=3 has no effect: the backbone starts from random")
    assert prepare_features(small(), images, RANDOM, plan, precision="float32") is None


@pytest.mark.parametrize(
    ("overrides", "frozen"),
    [([], True), (["model.trainable=true"], False), (["model.fine_tune_layers=2"], False)],
)
def test_a_backbone_that_is_trained_in_part_is_not_frozen(
    overrides: list[str], frozen: bool, small: Compose, images: ImageDataset
) -> None:
    assert build(small(*overrides), images).frozen_backbone is frozen


def test_a_full_disk_is_an_error_that_names_the_way_without_features(
    small: Compose, images: ImageDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    config = small(f"dataset.cache_dir={tmp_path}")
    network = build(config, images)
    with monkeypatch.context() as patch:
        patch.setattr(entry_module.os, "fsync", fail)
        with pytest.raises(StorageError, match=r"No space left on device(.|\n)*trainer.features=in_the_loop"):
            prepare_features(config, images, network, FeaturePlan("cached"), precision="float32")
    assert [path.suffix for path in (tmp_path / "features").iterdir()] == [".lock"]


@pytest.mark.parametrize("overrides", [(), AFFINE], ids=["as they are", "views"])
def test_a_head_goes_on_from_a_checkpoint_which_holds_nothing_of_the_backbone(
    overrides: tuple[str, ...], small: Compose, images: ImageDataset, tmp_path: Path
) -> None:
    config = small("seed=3", *overrides)
    whole = train(config, images)
    file = CheckpointFile(tmp_path / "checkpoint.npz", {})
    begin(config, images).execute([], Checkpointer(file, 4, lambda: "run", print))
    checkpoint, resumed = file.read(), begin(config, images)
    assert checkpoint is not None
    assert len(checkpoint.state.history) == 4
    assert sum(array.size for array in checkpoint.state.network) < whole.network.num_params
    resumed.restore(checkpoint.state)
    resumed.execute([])
    for mine, its in zip(resumed.network.model.get_weights(), whole.network.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
