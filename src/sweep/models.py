"""The models of a search: only the best few trials of each arm keep theirs, so that a night does not fill the disk."""

from __future__ import annotations

from src.config.tracking import TrackingConfig
from src.study.objective import Objectives
from src.study.study import ArmStudy
from src.tracking.store import Store
from src.tracking.sweeps import discard_models


class ModelKeeper:
    """Deletes models while a search runs, as soon as enough trials of their arm are better."""

    def __init__(self, store: Store, objectives: Objectives, tracking: TrackingConfig) -> None:
        """Takes where the models are, and how many of each arm are kept."""
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
        behind = [view.run_id for view in study.ranking()[self.keep :] if view.run_id is not None]
        doomed = [run_id for run_id in behind if run_id not in self._discarded]
        discard_models(self.store, doomed)
        self._discarded.update(doomed)
