"""The models of a search: only the best few trials of each arm keep theirs, so that a night does not fill the disk."""

from __future__ import annotations

from collections.abc import Sequence

from src.config.tracking import TrackingConfig
from src.ending import COMPLETE
from src.study.objective import Objectives
from src.study.study import ArmStudy
from src.study.view import TrialView
from src.tracking.records import load_children
from src.tracking.store import Store
from src.tracking.sweeps import discard_models


class ModelKeeper:
    """Deletes models while a search runs, as soon as enough trials of their arm are better."""

    def __init__(self, store: Store, objectives: Objectives, tracking: TrackingConfig, *, nested: bool = False) -> None:
        """Takes where the models are, how many of each arm are kept, and whether they lie at runs below those."""
        self.nested = nested
        self.store = store
        self.objectives = objectives
        self.keep = tracking.keep_models if tracking.log_model else None
        self._discarded: set[str] = set()

    def consider(self, study: ArmStudy) -> None:
        """Deletes the models of an arm that have fallen behind; with two objectives none, since none is the worst.

        Raises:
            TrackingError: The store does not answer.
        """
        if self.keep is None or len(self.objectives.objectives) > 1:
            return
        self._discard(study.ranking()[self.keep :])

    def settle(self, study: ArmStudy) -> None:
        """Deletes all models of an arm but those of its best trials, or with two objectives of its front.

        Raises:
            TrackingError: The store does not answer.
        """
        if self.keep is None:
            return
        best = study.front() if len(self.objectives.objectives) > 1 else study.ranking()[: self.keep]
        kept = {view.number for view in best}
        self._discard([view for view in study.trials() if view.state == COMPLETE and view.number not in kept])

    def _discard(self, views: Sequence[TrialView]) -> None:
        run_ids = [view.run_id for view in views if view.run_id is not None and view.run_id not in self._discarded]
        for run_id in run_ids:
            # A run ends before the store has its model, which is then deleted at the end of another trial.
            if not discard_models(self.store, find_model_runs(self.store, run_id, nested=self.nested)):
                self._discarded.add(run_id)


def find_model_runs(store: Store, run_id: str, *, nested: bool) -> list[str]:
    """Returns the runs that hold the models of a trial: its own, or where it was repeated those below it.

    Raises:
        TrackingError: The store does not answer.
    """
    if not nested:
        return [run_id]
    children = load_children(store, run_id, histories=False)
    # Repetitions of the winner lie there as well, and keep no model.
    return [child.run_id for child in children if child.kind == "seed" and child.tags.get("fitgap.state") == COMPLETE]
