"""Where a search stands, seen from outside of the processes that run it: how many trials it has, and the best."""

from __future__ import annotations

from dataclasses import dataclass

import optuna

from src.study.address import sqlite_path
from src.study.counts import count_trials
from src.study.objective import Objectives
from src.study.ranking import rank_trials
from src.study.reading import TrialReader
from src.study.storage import close_storage, explained, open_storage
from src.study.view import TrialView


@dataclass(frozen=True)
class Standing:
    """Where a search stands.

    Attributes:
        counted: Trials that are done, of the arm that has the fewest.
        complete: Trials of all arms that came to a value.
        pruned: Trials of all arms that the pruner has stopped.
        failed: Trials of all arms that failed and are not run again.
        best: The best trial of all arms, by the first objective; None where there is none.
        attrs: What is kept at its studies.
    """

    counted: int
    complete: int
    pruned: int
    failed: int
    best: TrialView | None
    attrs: dict[str, object]


def read_standing(url: str, name: str, objectives: Objectives) -> Standing | None:
    """Reads where a search stands; None where there is no such search, or no storage yet.

    Args:
        url: The resolved URL of the storage.
        name: Name of the search; its studies are called so, or begin with it and a slash.
        objectives: What its trials are ranked by.

    Raises:
        StudyError: The storage cannot be used.
    """
    path = sqlite_path(url)
    if path is not None and not path.exists():
        return None
    storage = open_storage(url)
    try:
        with explained(url):
            studies = [
                study for study in optuna.get_all_study_names(storage) if study == name or study.startswith(f"{name}/")
            ]
            if not studies:
                return None
            ids = [storage.get_study_id_from_name(study) for study in studies]
            arms = [TrialReader(storage, study_id).read() for study_id in ids]
            attrs = {key: value for study_id in ids for key, value in storage.get_study_user_attrs(study_id).items()}
    finally:
        close_storage(storage)
    counts = [count_trials(views) for views in arms]
    firsts = [ranking[0] for ranking in (rank_trials(views, objectives) for views in arms) if ranking]
    return Standing(
        counted=min(count.counted for count in counts),
        complete=sum(count.complete for count in counts),
        pruned=sum(count.pruned for count in counts),
        failed=sum(count.failed for count in counts),
        best=next(iter(rank_trials(firsts, objectives)), None),
        attrs=attrs,
    )
