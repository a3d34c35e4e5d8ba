"""What a task function's return value says: metrics by name, in whichever of the usual forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, SupportsFloat


def read_metrics(result: Any, objectives: Sequence[str]) -> dict[str, float]:
    """Returns the metrics that a task function has returned.

    Args:
        result: A number, which is the objective; several, in the order of the objectives; a mapping of names to
            numbers; or an object whose `metrics` are such a mapping.
        objectives: Names of the objectives.

    Raises:
        TypeError: It is nothing of these.
    """
    named = result if isinstance(result, Mapping) else getattr(result, "metrics", None)
    if isinstance(named, Mapping):
        numbers = {str(name): to_number(value) for name, value in named.items()}
        wrong = [name for name, number in numbers.items() if number is None]
        if wrong:
            raise TypeError(f"{_NEEDED} In the mapping that it returned, {', '.join(wrong)} is no number.")
        return {name: number for name, number in numbers.items() if number is not None}
    values = _to_numbers(result)
    if values is None:
        raise TypeError(f"{_NEEDED} It returned {_show(result)}.")
    if len(values) != len(objectives):
        raise TypeError(
            f"{_NEEDED} It returned {_count(len(values))}, but hydra.sweeper.objective names {', '.join(objectives)}."
        )
    return dict(zip(objectives, values, strict=True))


def to_number(value: Any) -> float | None:
    """Returns a number of Python, NumPy or TensorFlow as a float; None where it is no number."""
    if isinstance(value, SupportsFloat) and len(getattr(value, "shape", ())) == 0:
        return float(value)
    return None


_NEEDED = (
    "The task function must return the objective: a number, one number for each objective, a mapping of metrics by "
    "name, or an object with such a mapping as its attribute `metrics`."
)


def _to_numbers(result: Any) -> list[float] | None:
    number = to_number(result)
    if number is not None:
        return [number]
    if isinstance(result, str | bytes) or not isinstance(result, Iterable):
        return None
    numbers = [to_number(value) for value in result]
    values = [value for value in numbers if value is not None]
    return values if values and len(values) == len(numbers) else None


def _show(result: Any) -> str:
    text = repr(result)
    return f"{text if len(text) <= 80 else text[:80] + '…'} ({type(result).__name__})"


def _count(number: int) -> str:
    return "one number" if number == 1 else f"{number} numbers"
