"""Arguments of Optuna's samplers and pruners: checked before they are made, and made without its warnings."""

from __future__ import annotations

import importlib.util
import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from omegaconf import OmegaConf
from optuna.exceptions import ExperimentalWarning

from src.config.bounds import nearest
from src.errors import ConfigError

T = TypeVar("T")

#: Types that can be told from an argument's annotation; others, such as another sampler, are left to Optuna.
_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "str": (str,)}


def read_arguments(place: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns arguments as plain Python, from a mapping or from a part of Hydra's configuration.

    Raises:
        ConfigError: They are no mapping.
    """
    plain = OmegaConf.to_container(arguments, resolve=True) if OmegaConf.is_config(arguments) else arguments
    if not isinstance(plain, Mapping):
        raise ConfigError(f"{place} must be a mapping such as {{seed: 1}}, but got {plain!r}.")
    return {str(name): value for name, value in plain.items()}


def make(
    kind: type[T],
    name: str,
    place: str,
    arguments: Mapping[str, Any],
    *,
    more: Sequence[str] = (),
    refused: Mapping[str, str] | None = None,
) -> T:
    """Returns an object of Optuna's.

    Args:
        kind: Its class.
        name: Its name in our configuration.
        place: Key of the configuration that holds the arguments.
        arguments: What it is made with.
        more: Names of arguments that are ours, read already.
        refused: Names of arguments that cannot be set here: what to do instead.

    Raises:
        ConfigError: An argument is unknown, missing, or not of its type, or Optuna refuses it.
    """
    refused = refused or {}
    parameters = {
        key: parameter
        for key, parameter in inspect.signature(kind).parameters.items()
        if key not in refused and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    allowed = sorted({*parameters, *more})
    for key, value in arguments.items():
        if key in refused:
            raise ConfigError(f"{place}.{key} cannot be set. {refused[key]}")
        if key not in parameters:
            known = f"{name} has the arguments: {', '.join(allowed)}." if allowed else f"{name} has no arguments."
            raise ConfigError(f"{place} has no {key!r}, but got {value!r} for it.{nearest(key, allowed)} {known}")
        _check_type(f"{place}.{key}", value, parameters[key])
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in arguments:
            raise ConfigError(f"{name} needs {place}.{key}: set it, for example {place}.{key}=3.")
    try:
        with warnings.catch_warnings():
            # What is experimental in Optuna is tested here for the version that is pinned.
            warnings.simplefilter("ignore", ExperimentalWarning)
            return kind(**arguments)
    except (TypeError, ValueError) as error:
        received = ", ".join(f"{key}={value!r}" for key, value in arguments.items()) or "nothing"
        raise ConfigError(
            f"{name} does not accept {place} with {received}. Optuna says: {str(error).rstrip('.')}. "
            f"{name} has the arguments: {', '.join(allowed)}."
        ) from error


def check_packages(what: str, packages: Mapping[str, str]) -> None:
    """Checks that modules can be imported, without importing them.

    Args:
        what: The setting that needs them.
        packages: Module to what pip installs for it.

    Raises:
        ConfigError: Some are missing.
    """
    missing = [requirement for module, requirement in packages.items() if importlib.util.find_spec(module) is None]
    if missing:
        quoted = " ".join(f"'{requirement}'" for requirement in missing)
        raise ConfigError(f"{what} needs packages that are not installed. Install them: python -m pip install {quoted}")


def _check_type(place: str, value: Any, parameter: inspect.Parameter) -> None:
    """Refuses a value of another type than the annotation's: Optuna itself would fail in the midst of a search."""
    annotation = parameter.annotation
    names = [part.strip() for part in str(getattr(annotation, "__name__", annotation)).split("|")]
    if not all(name in _TYPES or name == "None" for name in names):
        return
    if value is None and "None" in names:
        return
    accepted = tuple(kind for name in names if name != "None" for kind in _TYPES[name])
    if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted):
        raise ConfigError(f"{place} must be {' or '.join(names)}, but got {value!r}.")
