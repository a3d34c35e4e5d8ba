"""A configuration as plain values, save those that Hydra knows in a job alone, such as the job's folder."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import DictConfig, OmegaConf

#: Interpolations that have no value outside of a job, or another one in each.
_OF_A_JOB = re.compile(r"\$\{\s*(hydra|now)\s*:")


def resolve(config: DictConfig) -> dict[str, Any]:
    """Returns a configuration without `hydra` as plain values; texts with `${hydra:…}` or `${now:…}` stay as written.

    Raises:
        omegaconf.errors.OmegaConfBaseException: An interpolation is broken.
    """
    written = OmegaConf.to_container(config, resolve=False)
    assert isinstance(written, dict)
    written.pop("hydra", None)
    resolved = OmegaConf.to_container(OmegaConf.create(_protect(written)), resolve=True)
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}


def _protect(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _protect(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_protect(item) for item in value]
    if isinstance(value, str) and _OF_A_JOB.search(value):
        return value.replace("${", "\\${")
    return value
