"""What Hydra and OmegaConf have to say about a configuration, in words for the person who mistyped it."""

from __future__ import annotations

import re

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationKeyError,
    OmegaConfBaseException,
)

from src.config.bounds import nearest, unknown_key

#: Errors that mean that a configuration could not be composed.
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException)

#: How Hydra begins its complaint about a value in a file: `In 'recipe/A1': …`.
_FILE = re.compile(r"In '((?:recipe|sweeps)/[^']+)'")


def explain(error: BaseException) -> str:
    """Returns what is wrong, where, what was received and what is allowed, for one of `COMPOSITION_ERRORS`."""
    cause = error.__cause__
    if isinstance(error, MissingConfigException):
        return _explain_missing_option(error)
    if isinstance(error, OverrideParseException):
        return f"{error.override!r} is no override: write key=value. The parser says: {_first_line(error)}."
    file = _FILE.match(str(error))
    if file and isinstance(error.__context__, ConfigKeyError | ConfigAttributeError):
        option = file[1].replace("/", "=")
        return f"{option} sets what the options chosen do not have. {_explain_unknown_key(error.__context__)}"
    if isinstance(cause, ConfigKeyError | ConfigAttributeError):
        return _explain_unknown_key(cause)
    if isinstance(error, InterpolationKeyError):
        return f"{error.full_key} refers to a key that does not exist. {_first_line(error)}."
    reason = cause if isinstance(cause, OmegaConfBaseException) else error
    if isinstance(reason, OmegaConfBaseException):
        return f"{reason.full_key or 'The configuration'} cannot be set. {_first_line(reason)}."
    if isinstance(error, ConfigCompositionException) and "Ambiguous value" in str(error):
        override = str(error).split("'")[1]
        return f"{override} is a list of values. Add -m to run one training per value, or quote it to mean a string."
    return str(error)


def _explain_missing_option(error: MissingConfigException) -> str:
    group, _, option = str(error.missing_cfg_file or "").rpartition("/")
    options = [str(name) for name in error.options or []]
    if not group or not options:
        return _first_line(error)
    return f"Unknown option {group}={option}.{nearest(option, options)} {group} can be: {', '.join(sorted(options))}."


def _explain_unknown_key(error: ConfigKeyError | ConfigAttributeError) -> str:
    parent = error.parent_node
    allowed = [str(key) for key in parent if str(key) != "hydra"] if isinstance(parent, DictConfig) else []
    key = str(error.full_key or error.key)
    if isinstance(parent, DictConfig) and OmegaConf.get_type(parent) is dict:
        return f"{key} is not there yet. Append it with a plus: +{key}=…"
    return unknown_key(key, allowed)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].strip().rstrip(".")
