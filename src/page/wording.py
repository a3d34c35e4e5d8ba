"""Numbers as they are written on the page: shares in percent, differences in points, with real minus signs."""

from __future__ import annotations

import math

from src.analysis.intervals import Estimate

MINUS = "\u2212"
#: Keeps a number and its unit on one line.
NO_BREAK = "\u00a0"
#: Stands where there is no finite number.
NOTHING = "–"


def percent(share: float, digits: int = 1) -> str:
    """Returns a share of one: `84.8 %`."""
    return f"{_decimal(100 * share, digits)}{NO_BREAK}%" if math.isfinite(share) else NOTHING


def points(difference: float) -> str:
    """Returns the size of a difference between two shares, without a sign where it is above 0: `22.8 points`."""
    return f"{_decimal(100 * difference, 1)}{NO_BREAK}points" if math.isfinite(difference) else NOTHING


def change(difference: float) -> str:
    """Returns which way a share has changed, and by how much: `−11.2`, `+2.0`, `0.0`; in points."""
    if not math.isfinite(difference):
        return NOTHING
    text = _decimal(100 * difference, 1)
    return text if text.startswith(MINUS) or text == "0.0" else f"+{text}"


def interval(estimate: Estimate) -> str:
    """Returns an estimate's interval in points, `[−14.3, −8.1]`, or in words why there is none."""
    if estimate.low is not None and estimate.high is not None:
        # An interval must not be broken between its ends.
        return f"[{change(estimate.low)},{NO_BREAK}{change(estimate.high)}]"
    return "one observation, no interval" if estimate.count == 1 else "no interval"


def describe(estimate: Estimate) -> str:
    """Returns an estimate in one phrase: `−11.2 points [−14.3, −8.1]`."""
    if not math.isfinite(estimate.mean):
        return "not known"
    uncertainty = interval(estimate)
    return f"{change(estimate.mean)} points {uncertainty if estimate.has_interval else f'({uncertainty})'}"


def loss(value: float) -> str:
    """Returns a loss with three significant digits: `0.0412`, `3.10`, `1.2e5`."""
    if not math.isfinite(value):
        return NOTHING
    if value != 0 and not 1e-3 <= abs(value) < 1e4:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", MINUS)
    digits = 2 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return _decimal(value, digits)


def count(number: int, noun: str) -> str:
    """Returns a number of things: `1 run`, `3 runs`."""
    return f"{number}{NO_BREAK}{noun}{'' if number == 1 else 's'}"


def shorten(text: str, length: int) -> str:
    """Returns a text of at most `length` characters, its middle replaced by an ellipsis where it was longer."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return text[: length - 1 - tail] + "…" + text[len(text) - tail :]


def _decimal(value: float, digits: int) -> str:
    """Returns a number with so many decimals, never a negative zero; a very large one by its power of ten."""
    text = f"{round(value, digits) + 0:.{digits}f}" if abs(value) < 1e7 else f"{value:.0e}".replace("e+", "e")
    return text.replace("-", MINUS)
