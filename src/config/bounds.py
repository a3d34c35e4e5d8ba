"""Bounds on configuration values: declared beside each field, checked once for the whole configuration."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterator, Sequence
from typing import Any

_METADATA_KEY = "bound"


@dataclasses.dataclass(frozen=True)
class Bound:
    """What a value may be: one of `choices`, or a number between `minimum` and `maximum`, or one of `words`.

    On a list the bound holds for every element. `None` is allowed wherever the field's own type allows it.

    Attributes:
        minimum: Least value allowed.
        maximum: Greatest value allowed.
        above: The value must be strictly greater than this.
        below: The value must be strictly less than this.
        choices: The only values allowed.
        words: Values allowed besides numbers.
    """

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def violation(self, value: Any) -> str | None:
        """Returns what is wrong with `value` as the end of a sentence that starts with its key, or None."""
        if self.choices:
            if value in self.choices:
                return None
            hint = nearest(str(value), self.choices)
            return f"must be one of {', '.join(self.choices)}, but got {value!r}.{hint}"
        if value in self.words:
            return None
        outside = isinstance(value, str) or (
            not math.isfinite(value)
            or (self.minimum is not None and value < self.minimum)
            or (self.maximum is not None and value > self.maximum)
            or (self.above is not None and value <= self.above)
            or (self.below is not None and value >= self.below)
        )
        if not outside:
            return None
        hint = nearest(str(value), self.words) if self.words else ""
        return f"must be {' or '.join([self.describe(), *self.words])}, but got {value!r}.{hint}"

    def describe(self) -> str:
        """Returns the bound in words, for example `at least 0 and below 1`."""
        parts = [
            f"{words} {limit:g}"
            for words, limit in (
                ("at least", self.minimum),
                ("greater than", self.above),
                ("at most", self.maximum),
                ("below", self.below),
            )
            if limit is not None
        ]
        return " and ".join(parts) or "a finite number"


def bounded(
    default: Any = dataclasses.MISSING,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Sequence[str] = (),
    words: Sequence[str] = (),
) -> Any:
    """Declares a dataclass field with a default and a `Bound`; a list default is copied for every instance."""
    bound = Bound(minimum, maximum, above, below, tuple(choices), tuple(words))
    metadata = {_METADATA_KEY: bound}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def find_violations(config: Any, prefix: str = "") -> Iterator[str]:
    """Yields a complete sentence for each value in a tree of dataclasses that breaks the bound of its field."""
    for field in dataclasses.fields(config):
        key, value = f"{prefix}{field.name}", getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from find_violations(value, prefix=f"{key}.")
            continue
        bound = field.metadata.get(_METADATA_KEY)
        if bound is None or value is None:
            continue
        for index, element in enumerate(value if isinstance(value, list) else [value]):
            violation = bound.violation(element)
            if violation:
                place = f"{key}[{index}]" if isinstance(value, list) else key
                yield f"{place} {violation}"


def unknown_key(key: str, allowed: Sequence[str]) -> str:
    """Returns the sentence for a key that is not among its neighbours, whose last name parts are `allowed`."""
    parent, _, name = key.rpartition(".")
    place = f"{parent} has" if parent else "The configuration has"
    names = ", ".join(sorted(allowed))
    return f"Unknown key {key!r}.{nearest(name, allowed)} {place} the keys: {names}."


def nearest(received: str, allowed: Sequence[str]) -> str:
    """Returns ` Did you mean 'x'?` for the allowed name most like `received`, or an empty string."""
    matches = difflib.get_close_matches(received.lower(), [name.lower() for name in allowed], n=1, cutoff=0.5)
    if not matches:
        return ""
    name = next(name for name in allowed if name.lower() == matches[0])
    return f" Did you mean {name!r}?"
