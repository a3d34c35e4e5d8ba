"""Made-up rows of a comparison."""

from __future__ import annotations

from collections.abc import Mapping

from src.comparison.row import Row


def make_row(
    number: int,
    params: Mapping[str, str] | None = None,
    *,
    val_accuracy: float = 0.8,
    gap: float = 0.1,
    state: str = "complete",
    verdict: str | None = "healthy",
    **values: float,
) -> Row:
    """Makes up what the store says of a run."""
    params = dict(params or {})
    name = ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in params.items()) or f"run{number}"
    figures = {
        "best_val_accuracy": val_accuracy,
        "best_gap_accuracy": gap,
        "final_gap_accuracy": gap,
        "best_epoch": 4.0,
        "trial_number": float(number),
        **values,
    }
    complete = state == "complete"
    return Row(
        run_id=f"id{number}",
        name=name,
        arm=name,
        state=state,
        error=None if complete else "OSError: gone",
        values=figures if complete else {"trial_number": float(number)},
        params=params,
        verdict=verdict if complete else None,
        reason="Because." if complete else "",
    )
