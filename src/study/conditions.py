"""Conditions: under which value of another key a key is searched at all."""

from __future__ import annotations

from collections.abc import Mapping

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from src.config.bounds import nearest
from src.errors import ConfigError
from src.study.dimension import Dimension
from src.study.values import bare_key, plain_text

#: A key with more values than this is no key to make conditions of.
MOST_VALUES = 1000


def parse_condition(key: str, condition: str) -> tuple[str, str]:
    """Returns the key that the condition of `key` looks at, and the value it must have.

    Raises:
        ConfigError: The condition is no `key=value`.
    """
    try:
        override = OverridesParser.create().parse_override(str(condition))
        value = override.value()
    except HydraException:
        override, value = None, None
    if override is None or override.value_type is None or override.is_sweep_override() or override.is_delete():
        raise ConfigError(
            f"hydra.sweeper.conditions.{key} must be one key and its value, such as optimizer=sgd, "
            f"but got {str(condition)!r}."
        )
    return bare_key(override.get_key_element()), plain_text(value)


def check_condition(key: str, other: Dimension, wanted: str) -> None:
    """Refuses a value that the other key never has: what depends on it would never be searched, without a word.

    Raises:
        ConfigError: The other key is never, or hardly ever, `wanted`.
    """
    if (other.count() or MOST_VALUES + 1) > MOST_VALUES:
        raise ConfigError(
            f"hydra.sweeper.conditions.{key} looks for {other.name}={wanted}, but {other.key}={other.text} hardly ever "
            f"has just this value. Write {other.key}=choice({wanted}, …), or leave the condition out."
        )
    texts = [plain_text(value) for value in other.values()]
    if wanted not in texts:
        raise ConfigError(
            f"hydra.sweeper.conditions.{key} looks for {other.name}={wanted}, which it never is."
            f"{nearest(wanted, texts)} {other.name} is searched in: {other.describe()}."
        )


def order_dimensions(dimensions: Mapping[str, Dimension]) -> tuple[Dimension, ...]:
    """Returns the dimensions as they were written, but those that conditions look at before those that have them.

    Raises:
        ConfigError: The conditions go round in a circle.
    """
    ordered: dict[str, Dimension] = {}
    waiting = dict(dimensions)
    while waiting:
        ready = [name for name, item in waiting.items() if item.condition is None or item.condition[0] not in waiting]
        if not ready:
            circle = ", ".join(f"{name} where {'='.join(item.condition or ())}" for name, item in waiting.items())
            raise ConfigError(f"hydra.sweeper.conditions go round in a circle: {circle}. Leave one of them out.")
        ordered[ready[0]] = waiting.pop(ready[0])
    return tuple(ordered.values())
