"""The recipes' networks have exactly the parameters that their authors printed."""

from __future__ import annotations

import pytest

from src.config.model import CnnConfig, ModelConfig, TransferConfig
from src.models.build import build_network
from tests.conftest import SHARED

MOBILENET_WEIGHTS = SHARED / "weights" / "mobilenet_v2_1.0_224_no_top.h5"

A = CnnConfig(name="A", scaling="unit", conv_filters=[32, 64, 128, 128], dense_units=[512])
C1 = CnnConfig(name="C1", scaling="unit", conv_filters=[16, 64, 128], dense_units=[512], head="sigmoid")
C_HEAD = {
    "pooling": "flatten",
    "scaling": "unit",
    "dense_units": [512, 512],
    "dropout": 0.3,
    "dropout_position": "after_dense",
    "head": "sigmoid",
}
C5 = TransferConfig(name="C5", backbone="VGG16", weights="random", **C_HEAD)
E1 = CnnConfig(name="E1", scaling="raw", conv_filters=[32, 32], dropout=0.2)
B1 = CnnConfig(name="B1", scaling="raw", conv_filters=[32, 32, 32], dropout=0.2)
D1 = CnnConfig(name="D1", scaling="raw", conv_filters=[32, 32, 64], pooling=["max", "max", "none"], dropout=0.2)
E2 = CnnConfig(
    name="E2",
    scaling="raw",
    conv_filters=[32, 32],
    dropout=0.2,
    dense_units=[64],
    dense_activation="linear",
    dense_on="feature_map",
)
E3 = CnnConfig(name="E3", scaling="sym", conv_filters=[32, 32, 32], pooling=["max", "max", "average"], dropout=0.2)
B4 = TransferConfig(name="B4", backbone="MobileNetV2", weights="random", dropout=0.5)


def conv(filters: int, channels: int) -> int:
    """Weights of a 3x3 convolution, from the definition."""
    return 9 * channels * filters + filters


@pytest.mark.parametrize(
    ("config", "image_size", "count"),
    [
        pytest.param(A, 150, 3_453_634, id="A1 and A2"),
        pytest.param(C1, 150, 19_024_513, id="C1"),
        pytest.param(C5, 150, 19_172_673, id="C5"),
        pytest.param(E1, 160, 102_562, id="E1"),
        pytest.param(B4, 160, 2_260_546, id="B4, D4 and E4"),
        # Not printed by their authors; counted here from the layers.
        pytest.param(B1, 160, conv(32, 3) + 2 * conv(32, 32) + (18 * 18 * 32 + 1) * 2, id="B1"),
        pytest.param(D1, 160, conv(32, 3) + conv(32, 32) + conv(64, 32) + (36 * 36 * 64 + 1) * 2, id="D1"),
        pytest.param(E2, 160, conv(32, 3) + conv(32, 32) + 33 * 64 + (38 * 38 * 64 + 1) * 2, id="E2"),
        pytest.param(E3, 160, conv(32, 3) + 2 * conv(32, 32) + (18 * 18 * 32 + 1) * 2, id="E3"),
    ],
)
def test_a_recipes_network_has_the_published_number_of_parameters(
    config: ModelConfig, image_size: int, count: int
) -> None:
    assert build_network(config, image_size, num_classes=2).num_params == count


def test_vgg16_and_the_head_of_c4_have_the_published_numbers_of_parameters() -> None:
    network = build_network(C5, 150, num_classes=2)
    backbone = network.model.get_layer("vgg16").count_params()
    assert backbone == 14_714_688
    assert network.num_params - backbone == 4_457_985


@pytest.mark.skipif(not MOBILENET_WEIGHTS.exists(), reason="the MobileNetV2 weights do not lie beside this checkout")
def test_only_the_head_of_a_frozen_mobilenet_is_trained() -> None:
    config = TransferConfig(name="B4", backbone="MobileNetV2", weights=str(MOBILENET_WEIGHTS), dropout=0.5)
    network = build_network(config, 160, num_classes=2)
    assert network.num_params == 2_260_546
    assert network.num_trainable_params == 2_562
