"""Copies of Hydra's repository: what they share, and what stays their own."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton

from src.config.composition import register_schemas
from src.config.paths import PROJECT_ROOT


@pytest.fixture
def repository() -> Iterator[ConfigRepository]:
    register_schemas()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        found = hydra.config_loader.repository  # type: ignore[attr-defined]
        assert isinstance(found, ConfigRepository)
        yield found


def list_stores(repository: ConfigRepository) -> list[ConfigStore]:
    return [source.store for source in repository.get_sources() if hasattr(source, "store")]


def test_a_copy_has_sources_of_its_own_that_read_the_same_structured_configs(repository: ConfigRepository) -> None:
    copied = copy.deepcopy(repository)
    assert list_stores(copied) == list_stores(repository) == [ConfigStore.instance()]
    assert copied.get_sources()[0] is not repository.get_sources()[0]
    copied.get_sources().clear()
    assert repository.get_sources()


def test_a_copy_of_all_of_hydras_state_keeps_what_is_registered_later_from_it(repository: ConfigRepository) -> None:
    @dataclass
    class Late:
        rate: float = 0.1

    state = Singleton.get_state()
    ConfigStore.instance().store(name="late", node=Late)
    try:
        assert "late.yaml" not in state["instances"][ConfigStore].repo
    finally:
        del ConfigStore.instance().repo["late.yaml"]


@pytest.mark.usefixtures("repository")
def test_a_composed_configuration_can_change_without_the_next_one_changing_too() -> None:
    first = compose("train", overrides=["model=cnn"])
    first.model.dropout = 0.123
    assert compose("train", overrides=["model=cnn"]).model.dropout != 0.123
