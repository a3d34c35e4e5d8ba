"""Networks need TensorFlow, loaded as the program loads it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from src.runtime import load_tensorflow

load_tensorflow()


@pytest.fixture(autouse=True)
def _float32() -> Iterator[None]:
    """Starts every test without the networks and the precision of the one before."""
    import keras

    keras.backend.clear_session()
    keras.config.set_dtype_policy("float32")
    yield
    keras.config.set_dtype_policy("float32")
