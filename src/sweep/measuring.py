"""The test score of a search's best trials, measured for the first time when nothing can choose by it any more."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from concurrent.futures import Future

from src.study.view import TrialView
from src.sweep.arms import Arm
from src.sweep.models import find_model_runs
from src.sweep.plan import Search
from src.tracking.store import Store


def list_overrides(arm: Arm, view: TrialView, found: Sequence[str]) -> list[str]:
    """Returns the overrides that compose the configuration of a trial.

    Args:
        arm: Its arm.
        view: The trial.
        found: Overrides that all trials of the arm got because of what was found.
    """
    return [*arm.cell.overrides, *arm.space.to_overrides(view.values), *found]


def begin_measuring(
    search: Search, store: Store, arm: Arm, view: TrialView, found: Sequence[str]
) -> list[Future[dict[str, float]]]:
    """Has a trial measured on the test images where trials run; returns what will come of it, run by run.

    Nothing, where no model was kept.

    Raises:
        FitgapError: A model cannot be had.
    """
    if view.run_id is None or not arm.checked.tracking.log_model:
        return []
    checked = search.application.check(search.compose(list_overrides(arm, view, found)))
    runs = find_model_runs(store, view.run_id, nested=bool(search.settings.seeds))
    return [search.launching.call(search.application.measure_test, checked, run_id) for run_id in runs]


def end_measuring(measurements: Sequence[Future[dict[str, float]]]) -> dict[str, float]:
    """Returns a trial's test metrics; of one that was repeated over seeds the means, and as `…_std` their spread.

    Nothing, where there is no test split.

    Raises:
        FitgapError: A model cannot be had, or the process that measured died.
    """
    scores = [measurement.result() for measurement in measurements]
    metrics: dict[str, float] = {}
    for key in scores[0] if scores else ():
        values = [score[key] for score in scores]
        metrics[key] = statistics.fmean(values)
        if len(values) > 1:
            metrics[f"{key}_std"] = statistics.stdev(values)
    return metrics
