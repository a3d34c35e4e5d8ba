"""Searched keys in Hydra's override grammar: `choice(…)`, `range(…)`, `interval(…)` with what may stand around them."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, QuotedString, RangeSweep
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from src.errors import ConfigError
from src.study.dimension import Dimension
from src.study.values import encode_value

#: A call of `interval` or `range`, whose arguments can be nothing but numbers.
_NUMERIC_CALL = re.compile(r"\b(?:interval|range)\(([^()]*)\)")


def is_searched(override: Override) -> bool:
    """Returns whether an override is searched; comma lists and `glob(…)` are arms, each with a study of its own."""
    value = override.value()
    return isinstance(value, RangeSweep | IntervalSweep) or (isinstance(value, ChoiceSweep) and not value.simple_form)


def parse_dimension(override: Override) -> Dimension:
    """Returns the dimension that a searched override describes.

    Raises:
        ConfigError: It describes none: ends in the wrong order, a tag besides `log`, the same choice twice.
    """
    key, sweep, text = override.get_key_element(), override.value(), override.get_value_string().strip()
    if override.is_delete():
        raise ConfigError(f"{key}={text} deletes a key, which cannot be searched: write {key.lstrip('~')}={text}.")
    if isinstance(sweep, ChoiceSweep) and not sweep.simple_form:
        _check_tags(key, text, sweep.tags, scale=False)
        return _parse_choice(key, text, sweep)
    if isinstance(sweep, RangeSweep):
        _check_tags(key, text, sweep.tags, scale=True)
        return _parse_range(key, text, sweep)
    if isinstance(sweep, IntervalSweep):
        _check_tags(key, text, sweep.tags, scale=True)
        return _parse_interval(key, text, sweep)
    raise ConfigError(f"{key}={text} is not searched: write {key}=choice(…), range(…) or interval(…).")


def _parse_choice(key: str, text: str, sweep: ChoiceSweep) -> Dimension:
    choices: list[Any] = []
    structures: list[str] = []
    for item in sweep.list:
        value: Any = item.text if isinstance(item, QuotedString) else item
        if isinstance(value, list | dict):
            # Optuna keeps categories as JSON and compares them; a list would come back as another object.
            value = encode_value(value)
            structures.append(value)
        if value != value:
            raise ConfigError(f"{key}={text} cannot be searched: nan equals no value, not even itself. Leave it out.")
        # Optuna finds a choice by equality, where 1, 1.0 and true are the same.
        twins = [choice for choice in choices if choice == value]
        if twins:
            first, second = (one if one in structures else encode_value(one) for one in (twins[0], value))
            what = f"{second} twice" if first == second else f"{first} and {second}, which are equal to Optuna"
            raise ConfigError(f"{key}={text} names {what}. Name one once.")
        choices.append(value)
    return Dimension(key, CategoricalDistribution(choices), text, structures=tuple(structures))


def _parse_range(key: str, text: str, sweep: RangeSweep) -> Dimension:
    _check_whole(key, text)
    assert sweep.start is not None
    assert sweep.stop is not None
    _check_finite(key, text, sweep.start, sweep.stop, sweep.step)
    # Decimals, as they were typed: in floats 0.3 * 3 is less than 0.9, and the stop would be one of the values.
    start, stop, step = (Decimal(repr(number)) for number in (sweep.start, sweep.stop, sweep.step))
    if step == 0:
        raise ConfigError(f"{key}={text} has a step of 0. Give it one that leads from {start} to {stop}.")
    number = math.ceil((stop - start) / step)
    if number < 1:
        better = f"{start}, {stop}, {-step}" if start != stop else f"{start}, {start + abs(step)}, {abs(step)}"
        raise ConfigError(
            f"{key}={text} is empty: it goes from {start} in steps of {step} and ends before {stop}. "
            f"Write {key}=range({better})."
        )
    low, high = sorted((start, start + (number - 1) * step))
    log = "log" in sweep.tags
    if all(isinstance(value, int) for value in (sweep.start, sweep.stop, sweep.step)):
        if log and (low < 1 or abs(step) != 1):
            raise ConfigError(
                f"{key}={text} has no log scale: that needs a step of 1 and values from 1 on. "
                f"Write {key}=tag(log, int(interval({max(low, 1)}, {max(high, 2)}))), or leave the tag out."
            )
        return Dimension(key, IntDistribution(int(low), int(high), log=log, step=int(abs(step))), text)
    if log:
        low_end = low if low > 0 else abs(step)
        raise ConfigError(
            f"{key}={text} has steps, which a log scale cannot have. "
            f"Write {key}=tag(log, interval({low_end}, {max(high, low_end + 1)})), or leave the tag out."
        )
    return Dimension(key, FloatDistribution(float(low), float(high), step=float(abs(step))), text)


def _parse_interval(key: str, text: str, sweep: IntervalSweep) -> Dimension:
    _check_whole(key, text)
    assert sweep.start is not None
    assert sweep.end is not None
    _check_finite(key, text, sweep.start, sweep.end)
    whole = isinstance(sweep.start, int)
    log = "log" in sweep.tags
    if sweep.start == sweep.end:
        raise ConfigError(
            f"{key}={text} has one value only. Give the interval two different ends, or write {key}="
            f"{_short(sweep.start)} for a value that is not searched."
        )
    if sweep.start > sweep.end:
        turned = write_interval(sweep.end, sweep.start, whole=whole, log=log)
        raise ConfigError(f"{key}={text} ends below its start. Turn the ends round: {key}={turned}.")
    if log and sweep.start <= 0:
        lower: float = 1 if whole else min(sweep.end, 1.0) / 1000 if sweep.end > 0 else 1e-3
        upper = sweep.end if sweep.end > lower else lower * 1000
        raise ConfigError(
            f"{key}={text} starts at {_short(sweep.start)}, and a log scale has no place for 0 or less. Start above "
            f"it, for example {key}={write_interval(lower, upper, whole=whole, log=True)}, or leave the tag out."
        )
    if whole:
        return Dimension(key, IntDistribution(int(sweep.start), int(sweep.end), log=log), text)
    return Dimension(key, FloatDistribution(sweep.start, sweep.end, log=log), text)


def write_interval(low: float, high: float, *, whole: bool, log: bool) -> str:
    """Returns an interval as it is typed: `tag(log, int(interval(16, 512)))`."""
    text = f"interval({_short(low)}, {_short(high)})"
    text = f"int({text})" if whole else text
    return f"tag(log, {text})" if log else text


def _check_tags(key: str, text: str, tags: set[str], *, scale: bool) -> None:
    unknown = sorted(tags - {"log"})
    if unknown:
        raise ConfigError(
            f"{key}={text} has the tag {unknown[0]!r}, but only `log` is known: "
            f"write {key}=tag(log, interval(…)), or leave the tag out."
        )
    if tags and not scale:
        raise ConfigError(
            f"{key}={text} tags a choice with `log`, but categories have no scale. Leave the tag out, "
            f"or search between two numbers: {key}=tag(log, interval(…))."
        )
    # Hydra's casts lose the tags of a range or a choice, without a word.
    if not tags and re.match(r"(int|float|str|bool)\(\s*tag\(\s*[a-z_]\w*\s*,", text):
        cast = text.partition("(")[0]
        raise ConfigError(f"{key}={text} loses its tag in the cast. Write it around: {key}=tag(log, {cast}(…)).")


def _check_whole(key: str, text: str) -> None:
    """Refuses ends that are no whole numbers where they are made such: Hydra would cut their decimals off."""
    call = _NUMERIC_CALL.search(text)
    if not call or not re.search(r"\bint\(", text):
        return
    numbers = [float(part.rpartition("=")[2]) for part in call[1].split(",")]
    broken = [number for number in numbers if math.isfinite(number) and not number.is_integer()]
    if broken:
        where = "Leave int(…) out, or write whole numbers"
        if "interval" in call[0] and math.ceil(min(numbers)) < math.floor(max(numbers)):
            log = bool(re.search(r"\btag\(\s*log\b", text))
            ends = write_interval(math.ceil(min(numbers)), math.floor(max(numbers)), whole=True, log=log)
            where += f", for example {key}={ends}"
        raise ConfigError(f"{key}={text} searches whole numbers, but {_short(broken[0])} is none. {where}.")


def _check_finite(key: str, text: str, *numbers: float) -> None:
    for number in numbers:
        if not math.isfinite(number):
            raise ConfigError(f"{key}={text} cannot be searched: {number} is no end. Write a finite number for it.")


def _short(number: float) -> str:
    return repr(int(number) if float(number).is_integer() and abs(number) < 1e6 else number)
