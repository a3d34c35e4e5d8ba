"""Contradictions: values of a configuration that are allowed alone but not together."""

from __future__ import annotations

from collections.abc import Iterator

from src.config.augmentation import AugmentationConfig
from src.config.dataset import DatasetConfig, DigitsConfig, ImageFolderConfig
from src.config.model import CnnConfig, ModelConfig, TransferConfig
from src.config.optimizer import OptimizerConfig
from src.config.run import RunConfig

#: What scikit-learn's digits are.
_NUM_DIGITS, _NUM_DIGIT_CLASSES = 1797, 10


def find_contradictions(run: RunConfig) -> Iterator[str]:
    """Yields a sentence for each contradiction; what only the data can tell is found where the data is read."""
    yield from _contradict_augmentation(run.augmentation)
    yield from _contradict_model(run.model)
    yield from _contradict_sizes(run.model, run.dataset)
    yield from _contradict_optimizer(run.optimizer, run.trainer.epochs)
    if run.trainer.feature_views > 0:
        yield from _contradict_views(run)
    yield from _contradict_dataset(run.dataset)


def _contradict_augmentation(augmentation: AugmentationConfig) -> Iterator[str]:
    strength = augmentation.strength
    if augmentation.zoom * strength >= 1:
        yield (
            f"augmentation.zoom times augmentation.strength must be below 1, but got {augmentation.zoom:g} times "
            f"{strength:g}: a zoom of 0 has no image."
        )
    if augmentation.shear_degrees * strength >= 90:
        yield (
            "augmentation.shear_degrees times augmentation.strength must be below 90, but got "
            f"{augmentation.shear_degrees:g} times {strength:g}: an image sheared by 90 degrees is a line."
        )
    if augmentation.name == "none" and strength == 0 and (augmentation.has_flip or augmentation.has_range):
        yield (
            "augmentation=none is switched off by augmentation.strength=0, so the ranges given have no effect. Choose "
            "the option that has them, such as augmentation=affine."
        )
    if strength > 0 and not (augmentation.has_flip or augmentation.has_range):
        # A grid over the strength would compare equal networks and show nothing of it.
        yield (
            f"augmentation.strength={strength:g} has nothing to scale: no range and no flip is on. Choose an "
            "augmentation that has some, such as augmentation=affine, or augmentation=none without a strength."
        )


def _contradict_model(model: ModelConfig) -> Iterator[str]:
    if model.dropout > 0 and model.dropout_position == "after_dense" and not model.dense_units:
        yield (
            f"model.dropout={model.dropout:g} has no place: model.dropout_position=after_dense, but model.dense_units "
            "is empty. Set model.dropout_position=before_dense or add dense units."
        )
    if isinstance(model, CnnConfig) and len(model.pooling) not in (1, len(model.conv_filters)):
        yield (
            "model.pooling must hold one kind for all convolutions or one for each of the "
            f"{len(model.conv_filters)}, but got {len(model.pooling)}: {model.pooling}."
        )
    if isinstance(model, TransferConfig) and model.trainable and model.fine_tune_layers:
        yield (
            f"model.fine_tune_layers={model.fine_tune_layers} contradicts model.trainable=true, which trains all "
            "layers. Give one of them."
        )


def _contradict_sizes(model: ModelConfig, dataset: DatasetConfig) -> Iterator[str]:
    """Compares what a model takes with what a data set gives: the side of its images and the number of classes."""
    vanishing = model.find_vanishing(dataset.image_size) if isinstance(model, CnnConfig) else None
    if isinstance(model, CnnConfig) and vanishing is not None:
        yield (
            f"dataset.image_size={dataset.image_size} is too small for model.conv_filters={model.conv_filters}: "
            f"nothing is left of the image after convolution {vanishing}. Use larger images, fewer convolutions, "
            "model.padding=same, or model.pooling with none."
        )
    if model.head == "sigmoid" and isinstance(dataset, DigitsConfig):
        yield (
            f"model.head=sigmoid separates two classes, but the data set has {_NUM_DIGIT_CLASSES}. "
            "Set model.head=softmax."
        )


def _contradict_optimizer(optimizer: OptimizerConfig, epochs: int) -> Iterator[str]:
    if optimizer.warmup_epochs > 0 and optimizer.warmup_epochs >= epochs:
        yield f"optimizer.warmup_epochs must be below trainer.epochs, but got {optimizer.warmup_epochs:g} of {epochs}."
    clipping = [key for key in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(optimizer, key) is not None]
    if len(clipping) > 1:
        yield f"Only one kind of gradient clipping can be given, but got optimizer.{' and optimizer.'.join(clipping)}."


def _contradict_views(run: RunConfig) -> Iterator[str]:
    """Looks for what features of augmented views need; whether `auto` finds pretrained weights is seen only later."""
    views, model = f"trainer.feature_views={run.trainer.feature_views}", run.model
    if not isinstance(model, TransferConfig):
        yield (
            f"{views} needs a pretrained backbone, but model.name={model.name} has none. Choose a model with one, such "
            "as model=mobilenet, or set trainer.feature_views=0."
        )
    elif model.weights == "random":
        yield (
            f"{views} needs a pretrained backbone, but model.weights=random trains it as a whole, so that its features "
            "change with every step. Set trainer.feature_views=0."
        )
    elif model.trains_backbone:
        key = "trainable=true" if model.trainable else f"fine_tune_layers={model.fine_tune_layers}"
        yield (
            f"{views} needs a frozen backbone, but model.{key} trains layers of it, so that its features change with "
            "every step. Set trainer.feature_views=0."
        )
    if run.augmentation.strength == 0:
        yield (
            f"{views} has nothing to view: augmentation.strength=0 leaves images as they are. Choose an augmentation, "
            "such as augmentation=affine, or set trainer.feature_views=0."
        )
    if run.trainer.features == "in_the_loop":
        yield (
            f"{views} contradicts trainer.features=in_the_loop, which computes no features ahead. Set "
            "trainer.features=auto or trainer.feature_views=0."
        )


def _contradict_dataset(dataset: DatasetConfig) -> Iterator[str]:
    if isinstance(dataset, ImageFolderConfig) and dataset.val_fraction + dataset.test_fraction >= 1:
        yield (
            "dataset.val_fraction and dataset.test_fraction must leave images to train on, but sum to "
            f"{dataset.val_fraction + dataset.test_fraction:g}."
        )
    if isinstance(dataset, DigitsConfig):
        total = dataset.num_train + dataset.num_val + dataset.num_test
        if total > _NUM_DIGITS:
            parts = "dataset.num_train, num_val and num_test"
            yield f"The digits are {_NUM_DIGITS:,} images, but {parts} sum to {total:,}."
