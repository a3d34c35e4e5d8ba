from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from src.config.model import CnnConfig
from src.errors import ConfigError
from src.models.build import build_classifier, build_network

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)


def layer_names(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def test_dropout_before_dense_sits_once_between_flatten_and_the_dense_layers() -> None:
    config = CnnConfig(name="cnn", conv_filters=[4], dense_units=[8, 8], dropout=0.5)
    names = layer_names(build_network(config, 32, 2).model)
    assert names[-5:] == ["Flatten", "Dropout", "Dense", "Dense", "Dense"]


def test_dropout_after_dense_follows_every_dense_layer_but_the_head() -> None:
    config = CnnConfig(name="cnn", conv_filters=[4], dense_units=[8, 8], dropout=0.5, dropout_position="after_dense")
    names = layer_names(build_network(config, 32, 2).model)
    assert names[-6:] == ["Flatten", "Dense", "Dropout", "Dense", "Dropout", "Dense"]


def test_a_rate_of_zero_leaves_no_dropout_layer() -> None:
    assert "Dropout" not in layer_names(build_network(CnnConfig(name="cnn", conv_filters=[4]), 32, 2).model)


def test_poolings_follow_the_convolutions_in_their_order() -> None:
    config = CnnConfig(name="cnn", conv_filters=[4, 4, 4], pooling=["max", "none", "average"])
    names = layer_names(build_network(config, 32, 2).model)
    assert [name for name in names if "Conv" in name or "Pool" in name] == [
        "Conv2D",
        "MaxPooling2D",
        "Conv2D",
        "Conv2D",
        "AveragePooling2D",
    ]


@pytest.mark.parametrize(("scaling", "low", "high"), [("raw", 0.0, 255.0), ("unit", 0.0, 1.0), ("sym", -1.0, 1.0)])
def test_scaling_maps_the_pixel_range_as_its_name_says(scaling: str, low: float, high: float) -> None:
    network = build_network(CnnConfig(name="cnn", conv_filters=[4], scaling=scaling), 32, 2).model
    scaled = keras.Model(network.input, network.get_layer("conv2d").input)
    extremes = np.stack([np.zeros((32, 32, 3)), np.full((32, 32, 3), 255.0)]).astype(np.float32)
    np.testing.assert_allclose(np.asarray(scaled(extremes))[:, 0, 0, 0], [low, high], atol=1e-6)


@pytest.mark.parametrize(("scaling", "mode"), [("caffe", "caffe"), ("torch", "torch"), ("sym", "tf")])
def test_imagenet_scalings_equal_those_of_keras_applications(scaling: str, mode: str) -> None:
    from keras.applications.imagenet_utils import preprocess_input

    network = build_network(CnnConfig(name="cnn", conv_filters=[4], scaling=scaling), 32, 2).model
    scaled = keras.Model(network.input, network.get_layer("conv2d").input)
    pixels = IMAGES.astype(np.float32)
    np.testing.assert_allclose(scaled(pixels), preprocess_input(pixels.copy(), mode=mode), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("pooling", [["max"], ["none"], ["max", "none", "average"]])
def test_images_are_large_enough_for_the_layers_exactly_where_the_configuration_says_so(
    padding: str, pooling: list[str]
) -> None:
    config = CnnConfig(name="cnn", conv_filters=[4, 4, 4], padding=padding, pooling=pooling)
    smallest = next(size for size in range(1, 100) if config.find_vanishing(size) is None)
    assert build_network(config, smallest, 2).model.output_shape == (None, 2)
    if smallest > 1:
        with pytest.raises(ValueError, match="output size would be zero or negative"):
            build_network(config, smallest - 1, 2)


def test_a_sigmoid_head_refuses_more_than_two_classes() -> None:
    with pytest.raises(ConfigError, match=r"separates two classes, but the data set has 10"):
        build_network(CnnConfig(name="cnn", conv_filters=[4], head="sigmoid"), 32, 10)


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_the_classifier_gives_probabilities_of_raw_images_that_sum_to_one(head: str) -> None:
    network = build_network(CnnConfig(name="cnn", conv_filters=[4], head=head), 32, 2).model
    probabilities = build_classifier(network).predict(IMAGES, verbose=0)
    assert probabilities.shape == (4, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-6)


def test_a_sigmoids_second_class_is_the_one_its_logit_speaks_for() -> None:
    network = build_network(CnnConfig(name="cnn", conv_filters=[4], head="sigmoid"), 32, 2).model
    logits = network.predict(IMAGES.astype(np.float32), verbose=0)[:, 0]
    probabilities = build_classifier(network).predict(IMAGES, verbose=0)
    np.testing.assert_allclose(probabilities[:, 1], 1 / (1 + np.exp(-logits)), rtol=1e-5)


def test_logits_are_float32_under_every_precision() -> None:
    for policy in ("float32", "mixed_bfloat16", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        network = build_network(CnnConfig(name="cnn", conv_filters=[4], dense_units=[8]), 32, 2).model
        assert network.output.dtype == "float32"
        assert {variable.dtype for variable in network.weights} == {"float32"}


def test_pixels_are_scaled_in_float32_under_every_precision() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = build_network(CnnConfig(name="cnn", conv_filters=[4], scaling="unit"), 32, 2).model
    scaled = keras.Model(network.input, network.get_layer("scaling").output)
    pixels = np.full((1, 32, 32, 3), 200.5, np.float32)
    np.testing.assert_allclose(scaled(pixels), pixels / 255, rtol=1e-6)


def test_a_saved_classifier_needs_nothing_of_this_project(tmp_path: Path) -> None:
    for scaling in ("caffe", "torch"):
        config = CnnConfig(name="cnn", conv_filters=[4], scaling=scaling, dropout=0.2)
        classifier = build_classifier(build_network(config, 32, 3).model)
        path = tmp_path / f"{scaling}.keras"
        classifier.save(path)
        loaded = keras.saving.load_model(path)
        np.testing.assert_array_equal(loaded.predict(IMAGES, verbose=0), classifier.predict(IMAGES, verbose=0))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_rectifying_after_max_pooling_is_the_same_network_to_the_last_digit(dtype: str) -> None:
    keras.config.set_dtype_policy(dtype)
    try:
        network = build_network(CnnConfig(name="cnn", conv_filters=[4, 8], dense_units=[6]), 20, 3).model
        pixels = keras.Input((20, 20, 3))
        features = keras.layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32")(pixels)
        for filters in (4, 8):
            features = keras.layers.Conv2D(filters, 3, activation="relu")(features)
            features = keras.layers.MaxPooling2D(2)(features)
        features = keras.layers.Dense(6, activation="relu")(keras.layers.Flatten()(features))
        usual = keras.Model(pixels, keras.layers.Dense(3, dtype="float32")(features))
    finally:
        keras.config.set_dtype_policy("float32")
    usual.set_weights(network.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (16, 20, 20, 3)).astype(np.float32)
    results = []
    for model in (network, usual):
        with tf.GradientTape() as tape:
            logits = model(images)
            loss = tf.reduce_mean(logits**2)
        results.append([logits.numpy(), *(value.numpy() for value in tape.gradient(loss, model.trainable_variables))])
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(mine, theirs)
