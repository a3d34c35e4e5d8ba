"""One network for one configuration."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from src.config.model import CnnConfig, ModelConfig, TransferConfig
from src.models.cnn import build_cnn
from src.models.head import compute_probabilities
from src.models.transfer import build_transfer
from src.models.weights import WeightsChoice, resolve_weights


@dataclass(frozen=True)
class Network:
    """A network and what is worth knowing about it.

    Attributes:
        model: From float32 pixels `[batch, size, size, 3]` in 0..255 to logits `[batch, classes]`; a sigmoid head has
            logits `[batch, 1]`.
        weights: What the weights started from.
        frozen_backbone: Whether training changes nothing but the head, so that the features of an image stay as they
            are; `cut_network` then gives the two parts.
    """

    model: keras.Model
    weights: WeightsChoice
    frozen_backbone: bool = False

    @property
    def num_params(self) -> int:
        """Weights in the network."""
        return int(self.model.count_params())

    @property
    def num_trainable_params(self) -> int:
        """Weights that training changes."""
        return sum(int(variable.shape.num_elements()) for variable in self.model.trainable_variables)


def build_network(config: ModelConfig, image_size: int, num_classes: int) -> Network:
    """Builds the network that a configuration describes, in the current precision policy.

    Raises:
        ConfigError: The images or the classes do not fit the network.
        WeightsError: The weights asked for cannot be had.
    """
    match config:
        case CnnConfig():
            return Network(build_cnn(config, image_size, num_classes), WeightsChoice("random"))
        case TransferConfig():
            weights = resolve_weights(config, image_size)
            frozen = weights.pretrained and not config.trains_backbone
            return Network(build_transfer(config, image_size, num_classes, weights), weights, frozen)
    raise TypeError(f"There is no builder for {type(config).__name__}.")


def unwrap_network(classifier: keras.Model) -> keras.Model:
    """Returns the network, from float32 pixels to logits, inside what `build_classifier` built."""
    return next(layer for layer in classifier.layers if isinstance(layer, keras.Model))


def build_classifier(network: keras.Model) -> keras.Model:
    """Wraps a network for use: uint8 RGB images `[batch, size, size, 3]` in, probabilities `[batch, classes]` out."""
    images = keras.Input(network.input_shape[1:], dtype="uint8", name="images")
    logits = network(keras.ops.cast(images, "float32"), training=False)
    return keras.Model(images, compute_probabilities(logits), name=f"{network.name}_classifier")
