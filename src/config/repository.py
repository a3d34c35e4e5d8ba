"""Hydra's repository of configurations, copied without the store of structured ones, which all copies can share.

Hydra copies its repository whenever it composes a configuration, and a hundred times for `--help`. With it go all
dataclasses that anyone has registered, its own and ours: most of the time that either takes.
"""

from __future__ import annotations

import copy
from typing import Any

from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_store import ConfigStore


def share_structured_configs() -> None:
    """Has copies of Hydra's repository share the `ConfigStore`, in this process and from now on.

    A copy is made so that other sources can be put into it. The store is only read through it, and gives away copies.
    """
    # Nothing in Hydra says that it could have such a method already.
    ConfigRepository.__deepcopy__ = _copy_repository  # type: ignore[attr-defined]


def _copy_repository(repository: ConfigRepository, memo: dict[int, Any]) -> ConfigRepository:
    stores = [getattr(source, "store", None) for source in getattr(repository, "sources", ())]
    # For the time of this copy alone: who copies all of Hydra's state wants another store.
    shared = {id(store): store for store in stores if isinstance(store, ConfigStore) and id(store) not in memo}
    made = type(repository).__new__(type(repository))
    memo[id(repository)] = made
    memo |= shared
    try:
        vars(made).update(copy.deepcopy(vars(repository), memo))
    finally:
        for key in shared:
            del memo[key]
    return made
