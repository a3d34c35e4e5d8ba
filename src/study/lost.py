"""Running trials that nobody runs any more: their process was killed, or their machine is gone."""

from __future__ import annotations

from datetime import datetime, timedelta

from optuna.storages import BaseStorage
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.trial import FrozenTrial, TrialState

from src.study import attributes
from src.study.owner import Owner
from src.study.storage import GRACE_SECONDS


def find_lost_trials(storage: BaseStorage, study_id: int) -> list[FrozenTrial]:
    """Returns the running trials whose owner is dead, or whose owner's machine has given no sign of life for long."""
    running = storage.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,))
    if not running:
        return []
    stale = set(storage._get_stale_trial_ids(study_id)) if isinstance(storage, BaseHeartbeat) else set()
    return [trial for trial in running if _is_lost(trial, is_stale=trial._trial_id in stale)]


def _is_lost(trial: FrozenTrial, *, is_stale: bool) -> bool:
    owner = Owner.from_dict(trial.user_attrs.get(attributes.OWNER))
    if owner is not None:
        # Of a process of this machine more is known than its signs of life: a trial may wait long for its job.
        return owner.is_dead if owner.is_here else is_stale
    start = trial.datetime_start
    return is_stale or start is None or datetime.now() - start > timedelta(seconds=GRACE_SECONDS)
