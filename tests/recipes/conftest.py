"""Recipes composed as the command line composes them, wherever their data may lie."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from src.config.run import RunConfig


@pytest.fixture(scope="session")
def compose_recipe(compose_run: Callable[..., RunConfig]) -> Callable[..., RunConfig]:
    """Composes a recipe with overrides; Kaggle's data has no address of its own, so it gets one."""

    @functools.cache
    def composer(recipe: str, *overrides: str) -> RunConfig:
        return compose_run(f"recipe={recipe}", "dataset.url=somewhere", *overrides)

    return composer
