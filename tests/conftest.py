"""What all tests share: a project of their own, so that no test touches the checkout's runs or the user's caches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from src.config.composition import register_schemas, to_run_config
from src.config.paths import PROJECT_ROOT
from src.config.run import RunConfig

#: Third-party images and weights that lie beside some checkouts; tests that want them skip where they are absent.
SHARED = PROJECT_ROOT.parent / "shared"


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for decoded images that all tests of a session share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def compose_run(cache_dir: Path) -> Callable[..., RunConfig]:
    """Composes the shipped configuration with overrides, as the command line does."""

    def composer(*overrides: str) -> RunConfig:
        register_schemas()
        with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
            return to_run_config(compose("train", overrides=[f"dataset.cache_dir={cache_dir}", *overrides]))

    return composer
