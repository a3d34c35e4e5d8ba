"""Whose turn it is: the next trial of a study, made or taken by one process alone."""

from __future__ import annotations

from optuna.storages import BaseStorage
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.trial import TrialState, create_trial

from src.study import attributes
from src.study.opening import Opening
from src.study.owner import Owner


def take_turn(storage: BaseStorage, opening: Opening, owner: Owner, *, is_grid: bool) -> int | None:
    """Returns the id of a trial that is this owner's to run; None where there is none left. The caller holds the lock.

    Trials to be run again come first: they have their places in the total already.
    """
    trials = storage.get_all_trials(opening.study_id, deepcopy=False)
    waiting = [trial for trial in trials if trial.state == TrialState.WAITING]
    again = [trial for trial in waiting if attributes.RETRY_OF in trial.user_attrs]
    if again:
        return _claim(storage, again[0]._trial_id, owner)
    # Those that wait without being repetitions: of a process that was killed in here, or enqueued by hand.
    begun = sum(attributes.RETRY_OF not in trial.user_attrs for trial in trials) - len(waiting)
    if begun >= opening.n_trials:
        return None
    if waiting:
        return _claim(storage, waiting[0]._trial_id, owner)
    points = opening.points.remaining(trials)
    if is_grid and not points:
        return None
    attrs = {attributes.FIXED_PARAMS: dict(points[0])} if points else {}
    trial = create_trial(state=TrialState.WAITING, system_attrs=attrs, user_attrs={attributes.OWNER: owner.to_dict()})
    return _start(storage, storage.create_new_trial(opening.study_id, trial))


def _claim(storage: BaseStorage, trial_id: int, owner: Owner) -> int:
    storage.set_trial_user_attr(trial_id, attributes.OWNER, owner.to_dict())
    return _start(storage, trial_id)


def _start(storage: BaseStorage, trial_id: int) -> int:
    # Last: a trial that runs has its owner and a sign of life, wherever a process is killed in between.
    if isinstance(storage, BaseHeartbeat):
        storage.record_heartbeat(trial_id)
    storage.set_trial_state_values(trial_id, TrialState.RUNNING)
    return trial_id
