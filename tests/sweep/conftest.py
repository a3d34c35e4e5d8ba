"""Fixtures for the tests of sweeps."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from src.tracking.store import Store
    from tests.sweep.searches import Opener, Stage


@pytest.fixture
def stage(store: Store, tmp_path: Path) -> Iterator[Opener]:
    """Opens searches in a store and a storage of the test's own; what they print can be read back."""
    with warnings.catch_warnings():
        # MLflow's own models use what SQLAlchemy is about to drop.
        warnings.simplefilter("ignore", DeprecationWarning)
        from tests.sweep.searches import open_stage

    with ExitStack() as stack:

        def open_it(*arguments: str, **settings: Any) -> Stage:
            return stack.enter_context(open_stage(tmp_path, store, *arguments, **settings))

        yield open_it
