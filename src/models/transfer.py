"""Transfer learning: any `keras.applications` backbone with a head of our own."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from src.config.model import TransferConfig
from src.errors import ConfigError
from src.models.head import attach_dense, attach_logits, count_logits
from src.models.scaling import scale_pixels
from src.models.weights import WeightsChoice, load_backbone

_POOLINGS = {
    "max": keras.layers.GlobalMaxPooling2D,
    "average": keras.layers.GlobalAveragePooling2D,
    "flatten": keras.layers.Flatten,
}

#: Name of the layer that pools: up to it lies the backbone, behind it the head.
FEATURES = "features"


@dataclass(frozen=True)
class CutNetwork:
    """The two parts of a network with a backbone, which share their layers and weights with the whole.

    Attributes:
        extractor: From float32 pixels `[batch, size, size, 3]` in 0..255 to features `[batch, width]`.
        head: From features to logits.
    """

    extractor: keras.Model
    head: keras.Model


def build_transfer(config: TransferConfig, image_size: int, num_classes: int, weights: WeightsChoice) -> keras.Model:
    """Builds a network from float32 pixels `[batch, size, size, 3]` in 0..255 to logits.

    A pretrained backbone runs in inference mode, also where its layers are fine-tuned: its batch normalization keeps
    ImageNet's statistics, as Keras's guide to transfer learning advises (keras.io/guides/transfer_learning). One with
    random weights is trained as a whole.

    Raises:
        ConfigError: The images are too small, the head does not fit the classes, or there are fewer layers than are to
            be fine-tuned.
        WeightsError: The weights do not fit the backbone.
    """
    num_logits = count_logits(config, num_classes)
    backbone = load_backbone(config, image_size, weights.keras_argument)
    if weights.pretrained:
        freeze(backbone, config)
    else:
        prepare_random(backbone, config.batch_norm_momentum)
    pixels = keras.Input((image_size, image_size, 3), name="pixels")
    scaled = scale_pixels(pixels, config.scaling)
    features = backbone(scaled, training=False) if weights.pretrained else backbone(scaled)
    features = attach_dense(_POOLINGS[config.pooling](name=FEATURES)(features), config)
    return keras.Model(pixels, attach_logits(features, num_logits), name=config.name)


def cut_network(network: keras.Model) -> CutNetwork:
    """Cuts a network that `build_transfer` built between the pooling of its backbone and its head."""
    features = network.get_layer(FEATURES).output
    return CutNetwork(keras.Model(network.input, features), keras.Model(features, network.output))


def freeze(backbone: keras.Model, config: TransferConfig) -> None:
    """Makes trainable what the configuration wants trained: all layers, the top ones, or none.

    Raises:
        ConfigError: There are fewer layers than `fine_tune_layers`.
    """
    if config.fine_tune_layers > len(backbone.layers):
        raise ConfigError(
            f"model.fine_tune_layers={config.fine_tune_layers} is more than the {len(backbone.layers)} layers of "
            f"{config.backbone}. Use model.trainable=true to train them all."
        )
    if config.trainable:
        return
    for layer in backbone.layers[: len(backbone.layers) - config.fine_tune_layers]:
        layer.trainable = False


def prepare_random(backbone: keras.Model, batch_norm_momentum: float) -> None:
    """Makes a backbone with random weights learn on a small data set.

    Batch normalization gets a momentum that settles within an epoch or two. Convolutions that no batch normalization
    follows anywhere (VGG's) get He initialization: under Glorot's, Keras's default, each ReLU halves the signal's
    variance, and after VGG16's thirteen convolutions Adam finds no gradient to follow (He et al., 2015, section 2.2).
    """
    normalizations = [layer for layer in backbone.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in normalizations:
        layer.momentum = batch_norm_momentum
    if normalizations:
        return
    for layer in backbone.layers:
        # Exactly Conv2D: ConvNeXt normalizes by other means and has depthwise convolutions and initializers of its own.
        if type(layer) is keras.layers.Conv2D and layer.activation is keras.activations.relu:
            layer.kernel.assign(keras.initializers.HeNormal()(layer.kernel.shape, dtype=layer.kernel.dtype))
