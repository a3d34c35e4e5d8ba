"""What a model's configuration tells without building the model."""

from __future__ import annotations

import pytest

from src.config.model import CnnConfig


def test_one_pooling_stands_for_all_and_several_for_themselves() -> None:
    assert CnnConfig(conv_filters=[4, 4, 4]).poolings == ["max", "max", "max"]
    assert CnnConfig(conv_filters=[4, 4], pooling=["none", "average"]).poolings == ["none", "average"]
    assert CnnConfig(conv_filters=[4]).poolings == ["max"]


@pytest.mark.parametrize(
    ("image_size", "values", "vanishing"),
    [
        (16, {"conv_filters": [4, 4, 4, 4]}, 3),  # 16, 7, 2, and a kernel of 3 does not fit.
        (22, {"conv_filters": [4, 4, 4]}, None),  # 22, 10, 4, 1.
        (21, {"conv_filters": [4, 4, 4]}, 3),  # 21, 9, 3, and of the 1 that the kernel leaves no pooling is left.
        (8, {"conv_filters": [4, 4, 4, 4], "padding": "same"}, 4),  # 8, 4, 2, 1.
        (8, {"conv_filters": [4, 4, 4], "pooling": ["none"]}, None),  # 8, 6, 4, 2.
        (8, {"conv_filters": [4, 4], "pooling": ["max", "none"]}, None),  # 8, 3, 1.
        (8, {"conv_filters": [4, 4], "pooling": ["none", "max"]}, None),  # 8, 6, 2.
        (8, {"conv_filters": [4], "kernel_size": 8, "pooling": ["none"]}, None),  # 8, 1.
        (8, {"conv_filters": [4], "kernel_size": 9, "pooling": ["none"]}, 1),
        (8, {"conv_filters": []}, None),
    ],
)
def test_the_convolution_after_which_nothing_is_left_of_an_image_is_found(
    image_size: int, values: dict[str, object], vanishing: int | None
) -> None:
    assert CnnConfig(**values).find_vanishing(image_size) == vanishing
