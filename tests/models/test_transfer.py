from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from src.config.model import BACKBONES, TransferConfig
from src.errors import ConfigError, WeightsError
from src.models import weights as weights_module
from src.models.build import build_network
from src.models.weights import WeightsChoice, resolve_weights


def transfer(**values: object) -> TransferConfig:
    return TransferConfig(**{"name": "mobilenet", "backbone": "MobileNetV2", "weights": "random", **values})  # type: ignore[arg-type]


@pytest.fixture
def mobilenet_weights(tmp_path: Path) -> str:
    """A file of MobileNetV2 weights without its top, random ones."""
    path = tmp_path / "mobilenet.weights.h5"
    keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3)).save_weights(path)
    return str(path)


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes Keras answer as it does without a network and without a cache."""
    real = weights_module.load_backbone

    def load(config: TransferConfig, image_size: int, weights: str | None) -> keras.Model:
        if weights == "imagenet":
            raise Exception("URL fetch failure on https://example.org/weights.h5: None -- no network")
        return real(config, image_size, weights)

    monkeypatch.setattr(weights_module, "load_backbone", load)


def test_backbones_are_those_of_keras_applications() -> None:
    assert list(BACKBONES) == sorted(name for name in dir(keras.applications) if name[0].isupper())


def test_a_random_backbone_is_trained_as_a_whole() -> None:
    network = build_network(transfer(trainable=False), 32, 10)
    assert network.weights == WeightsChoice("random")
    assert network.num_trainable_params > 2_000_000


def test_a_random_backbones_batch_norm_settles_quickly() -> None:
    network = build_network(transfer(batch_norm_momentum=0.8), 32, 10)
    backbone = next(layer for layer in network.model.layers if isinstance(layer, keras.Model))
    momenta = {layer.momentum for layer in backbone.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert momenta == {0.8}


def test_a_random_vgg_keeps_the_variance_of_its_signal() -> None:
    network = build_network(transfer(backbone="VGG16", scaling="unit"), 32, 10).model
    noise = np.random.default_rng(0).normal(0, 1, (2, 32, 32, 3)).astype(np.float32)
    backbone = network.get_layer("vgg16")
    first = keras.Model(backbone.input, backbone.get_layer("block1_conv1").output)(noise)
    last = keras.Model(backbone.input, backbone.get_layer("block5_conv3").output)(noise)
    # Under Glorot's initialization, Keras's default, the signal shrinks to about a hundredth on this way.
    assert np.std(last) > 0.3 * np.std(first)


def test_a_pretrained_backbone_is_frozen_and_runs_in_inference_mode(mobilenet_weights: str) -> None:
    network = build_network(transfer(weights=mobilenet_weights), 32, 2)
    assert network.num_trainable_params == 2_562
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.float32)
    inferred, trained = network.model(images, training=False), network.model(images, training=True)
    np.testing.assert_array_equal(inferred, trained)


def test_top_layers_of_a_pretrained_backbone_can_be_fine_tuned(mobilenet_weights: str) -> None:
    network = build_network(transfer(weights=mobilenet_weights, fine_tune_layers=3), 32, 2)
    backbone = next(layer for layer in network.model.layers if isinstance(layer, keras.Model))
    assert [layer.trainable for layer in backbone.layers[-4:]] == [False, True, True, True]


def test_the_whole_of_a_pretrained_backbone_can_be_trained(mobilenet_weights: str) -> None:
    assert build_network(transfer(weights=mobilenet_weights, trainable=True), 32, 2).num_trainable_params > 2_000_000


def test_more_layers_to_fine_tune_than_there_are_is_an_error(mobilenet_weights: str) -> None:
    with pytest.raises(ConfigError, match=r"fine_tune_layers=999 is more than the 154 layers"):
        build_network(transfer(weights=mobilenet_weights, fine_tune_layers=999), 32, 2)


@pytest.mark.parametrize(("pooling", "units"), [("max", 1280), ("average", 1280), ("flatten", 2 * 2 * 1280)])
def test_pooling_turns_the_last_map_into_a_vector(pooling: str, units: int) -> None:
    network = build_network(transfer(pooling=pooling), 64, 2)
    assert network.model.get_layer("head").input.shape[-1] == units


@pytest.mark.usefixtures("_no_network")
def test_auto_starts_from_random_weights_where_imagenets_cannot_be_had() -> None:
    choice = resolve_weights(transfer(weights="auto"), 32)
    assert choice.source == "random"
    assert choice.fallback_reason is not None
    assert "URL fetch failure" in choice.fallback_reason


@pytest.mark.usefixtures("_no_network")
def test_imagenet_is_strict_and_names_the_ways_out() -> None:
    with pytest.raises(WeightsError, match=r"URL fetch failure(.|\n)*model.weights=PATH(.|\n)*model.weights=random"):
        resolve_weights(transfer(weights="imagenet"), 32)


def test_a_weights_file_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(WeightsError, match=r"model.weights=/no/such.h5 is neither auto, imagenet, random nor a file"):
        build_network(transfer(weights="/no/such.h5"), 32, 2)


def test_a_weights_file_of_another_backbone_is_an_error(mobilenet_weights: str) -> None:
    with pytest.raises(WeightsError, match="does not fit VGG16 without its top"):
        build_network(transfer(backbone="VGG16", weights=mobilenet_weights), 32, 2)


def test_a_file_that_holds_no_weights_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "broken.weights.h5"
    path.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="does not fit MobileNetV2"):
        build_network(transfer(weights=str(path)), 32, 2)


def test_images_too_small_for_a_backbone_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"dataset.image_size=16 is too small for VGG16"):
        build_network(transfer(backbone="VGG16"), 16, 2)
