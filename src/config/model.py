"""Schemas of the `model` group: a network from scratch, or a `keras.applications` backbone with a head."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from src.config.bounds import bounded

#: How pixel values 0..255 enter a network. `caffe` and `torch` are the names that `keras.applications` gives to the
#: preprocessing of VGG and ResNet (BGR, ImageNet mean subtracted) and of DenseNet (unit, ImageNet mean and deviation).
SCALINGS = ("raw", "unit", "sym", "caffe", "torch")

#: Every backbone of `keras.applications` that a `TransferConfig` may name (a test compares the list with Keras's own).
BACKBONES = (
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "DenseNet121",
    "DenseNet169",
    "DenseNet201",
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "EfficientNetV2S",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Large",
    "MobileNetV3Small",
    "NASNetLarge",
    "NASNetMobile",
    "ResNet101",
    "ResNet101V2",
    "ResNet152",
    "ResNet152V2",
    "ResNet50",
    "ResNet50V2",
    "VGG16",
    "VGG19",
    "Xception",
)


@dataclass
class ModelConfig:
    """What every classifier has: input scaling, dense layers, dropout and an output head.

    Attributes:
        name: Label under which runs of this model are tracked.
        scaling: raw leaves pixel values at 0..255, unit divides by 255, sym maps to -1..1; see `SCALINGS`.
        dense_units: Widths of the dense layers between the features and the head, in order.
        dense_activation: Activation of those layers.
        dropout: Dropout rate, 0 for none.
        dropout_position: Where dropout sits: once before the dense layers, after each of them, or both.
        head: softmax gives one logit per class; sigmoid one logit for two classes.
    """

    name: str = MISSING
    scaling: str = bounded("sym", choices=SCALINGS)
    dense_units: list[int] = bounded([], minimum=1)
    dense_activation: str = bounded("relu", choices=("relu", "linear"))
    dropout: float = bounded(0.0, minimum=0, below=1)
    dropout_position: str = bounded("before_dense", choices=("before_dense", "after_dense", "both"))
    head: str = bounded("softmax", choices=("softmax", "sigmoid"))


@dataclass
class CnnConfig(ModelConfig):
    """A plain convolutional network: convolutions, each with its pooling, then dense layers.

    Attributes:
        conv_filters: Filters of each convolution, in order.
        kernel_size: Side of every kernel, in pixels.
        padding: Padding of the convolutions.
        pooling: 2x2 pooling after each convolution: one kind for all, or one per convolution.
        dense_on: Whether dense layers see the flattened vector, or each position of the feature map before flattening.
    """

    conv_filters: list[int] = bounded([32, 64, 128], minimum=1)
    kernel_size: int = bounded(3, minimum=1, maximum=15)
    padding: str = bounded("valid", choices=("valid", "same"))
    pooling: list[str] = bounded(["max"], choices=("max", "average", "none"))
    dense_on: str = bounded("vector", choices=("vector", "feature_map"))

    @property
    def poolings(self) -> list[str]:
        """The pooling after each convolution, also where one kind is given for all."""
        return self.pooling if len(self.pooling) > 1 else self.pooling * len(self.conv_filters)

    def find_vanishing(self, image_size: int) -> int | None:
        """Returns the number, from 1, of the convolution after which nothing is left of an image; None if something is.

        A layer cannot have a map that is smaller than its kernel or its pooling window.
        """
        side = image_size
        for number, pooling in enumerate(self.poolings, start=1):
            if self.padding == "valid":
                side -= self.kernel_size - 1
            if pooling != "none":
                side //= 2
            if side < 1:
                return number
        return None


@dataclass
class TransferConfig(ModelConfig):
    """A `keras.applications` backbone without its top, pooled, with a head of our own.

    Attributes:
        backbone: Class name in `keras.applications`.
        weights: auto (ImageNet where it can be had, else random), imagenet, random, or the path of a weights file.
        trainable: Whether the whole backbone is trained; it always is when its weights are random.
        fine_tune_layers: Top layers of a frozen backbone that are trained all the same.
        pooling: How the backbone's last feature map becomes a vector.
        batch_norm_momentum: Momentum of the backbone's batch normalization when its weights are random. Keras's .99 to
            .999 are made for ImageNet's millions of steps: a small data set ends before the statistics have settled.
    """

    backbone: str = bounded(MISSING, choices=BACKBONES)
    weights: str = "auto"
    trainable: bool = False
    fine_tune_layers: int = bounded(0, minimum=0)
    pooling: str = bounded("max", choices=("max", "average", "flatten"))
    batch_norm_momentum: float = bounded(0.9, above=0, below=1)

    @property
    def trains_backbone(self) -> bool:
        """Whether layers of the backbone are to be trained even if its weights are pretrained."""
        return self.trainable or self.fine_tune_layers > 0
