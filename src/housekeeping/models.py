"""The models of runs, how far behind each is in its sweep, and which must stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from src.comparison.selection import rank_records, select_trials
from src.comparison.subject import read_subject
from src.errors import ConfigError
from src.housekeeping.holding import MODELS, Holding, measure
from src.tracking.holdings import ExperimentModels, load_models
from src.tracking.records import RunRecord

#: Rank of a trial that its sweep does not rank, since it keeps no constraint or has no value: behind all others.
_UNRANKED = 1_000_000


def find_models(uri: str) -> Iterator[Holding]:
    """Yields the models that a store has on this machine.

    A model stays where its run is the best of its sweep, or of an arm, or one of a front; where its sweep, or it, still
    runs; where MLflow's registry has it; and where it is of no sweep: somebody has trained it by hand, and compares it
    with nothing.

    Raises:
        TrackingError: The store does not answer.
    """
    for experiment in load_models(uri):
        yield from _judge_models(experiment)


def _judge_models(experiment: ExperimentModels) -> Iterator[Holding]:
    records = {record.run_id: record for record in experiment.records}
    places: dict[str, dict[str, tuple[int, str]]] = {}
    for model in experiment.models:
        record = records.get(model.run_id)
        if record is None or not record.kind:
            # Of a run that was deleted in MLflow, which removes what belongs to it, or of another program.
            continue
        trial = records.get(_parent(record), record) if record.kind == "seed" else record
        sweep = records.get(_parent(trial))
        if sweep is None:
            rank, keep = 0, "it is of no sweep"
        else:
            if sweep.run_id not in places:
                children = [other for other in experiment.records if _parent(other) == sweep.run_id]
                places[sweep.run_id] = place_trials(sweep, children)
            rank, keep = places[sweep.run_id].get(trial.run_id, (_UNRANKED, ""))
            keep = keep or ("its run has not ended" if "RUNNING" in (record.status, trial.status) else "")
        # Deleting takes all models of a run.
        if any(other.registered for other in experiment.models if other.run_id == model.run_id):
            keep = keep or "it is registered"
        name = f"{record.name} of {sweep.name if sweep else experiment.store.experiment_name} (run {record.run_id[:8]})"
        yield Holding(
            MODELS,
            model.folder,
            measure(model.folder),
            model.made_at,
            name,
            rank,
            record.run_id,
            experiment.store.experiment_id,
            keep,
        )


def place_trials(sweep: RunRecord, children: Sequence[RunRecord]) -> dict[str, tuple[int, str]]:
    """Returns the rank of each trial of a sweep, from 0, and why its model must stay; empty where it need not.

    Args:
        sweep: The parent run.
        children: The runs right below it.
    """
    if sweep.status == "RUNNING":
        return {child.run_id: (0, "its sweep runs") for child in children}
    best = sweep.tags.get("fitgap.best_run_id")
    winners = {best} if best else set()
    try:
        objectives = read_subject(sweep).objectives
    except (ConfigError, ValueError, KeyError):
        objectives = None
    if objectives is not None:
        ranking = rank_records(children, objectives)
        winners |= {record.run_id for record in select_trials(children, objectives, single=False).records}
    else:
        measured = [child for child in children if "best_val_accuracy" in child.metrics]
        ranking = sorted(measured, key=lambda child: -child.metrics["best_val_accuracy"])
    if not winners:
        return {child.run_id: (0, "nothing says which is the best of its sweep") for child in children}
    ranks = {record.run_id: rank for rank, record in enumerate(ranking)}
    return {
        child.run_id: (
            ranks.get(child.run_id, _UNRANKED),
            "it is a winner of its sweep" if child.run_id in winners else "",
        )
        for child in children
    }


def _parent(record: RunRecord) -> str:
    return record.tags.get("mlflow.parentRunId", "")
