"""Values as text: the way they are typed on Hydra's command line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString, Transformer

#: Strings that Hydra's grammar reads as they stand; any other is quoted.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
#: Words that Hydra's grammar reads as something else than a string.
_WORDS = {"true", "false", "null", "nan", "inf"}


def encode_value(value: Any) -> str:
    """Returns a value as Hydra's grammar reads it back: floats to the last digit, strings quoted where needed."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        return repr(float(value))
    if isinstance(value, QuotedString):
        return encode_value(value.text)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_encode_key(key)}:{encode_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(encode_value(item) for item in value) + "]"
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return QuotedString(text, Quote.single).with_quotes()


def plain_text(value: Any) -> str:
    """Returns a value as text to compare: a string is itself, without quotes, and anything else as it is typed."""
    if isinstance(value, QuotedString):
        return value.text
    return value if isinstance(value, str) else encode_value(value)


def bare_key(key: str) -> str:
    """Returns a key without the plus signs with which an override appends it."""
    return key.lstrip("+")


def _encode_key(key: Any) -> str:
    # The grammar allows no quotes in the keys of a mapping.
    return str(Transformer.str(key)) if isinstance(key, str) else encode_value(key)
