"""Which runs of a search do not count, as their trials were run again: known to its studies, noted at its parent run.

The runs themselves are tagged, once the store has them. Where it is away when the search ends, whoever makes the report
later knows of no studies, and tags them by the note.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from src.comparison.selection import RETRIED_TAG
from src.ending import OOM
from src.study.view import TrialView
from src.tracking.identity import JOURNAL_TAG
from src.tracking.records import RunRecord, load_children
from src.tracking.store import Store
from src.tracking.sweeps import add_to_run

#: The parent run's tag that holds the note.
RETRIES_TAG = "fitgap.retried_trials"

#: A trial's arm, and its number as its runs' tags have it.
_Place = tuple[str, str]


@dataclass(frozen=True)
class Retries:
    """The trials of a search of which not all runs count.

    Attributes:
        repeated: Trials that were run again as other ones: none of their runs counts.
        followed: Trials that ran out of memory beside others and were run again as the same one, with the run that
            counts, as far as it is known.
    """

    repeated: frozenset[_Place] = frozenset()
    followed: dict[_Place, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, trials: Mapping[str, Sequence[TrialView]]) -> Retries:
        """Finds them among the trials of each arm."""
        views = [(arm, view) for arm, several in trials.items() for view in several]
        repeated = frozenset((arm, str(view.retry_of)) for arm, view in views if view.retry_of is not None)
        return cls(repeated, {(arm, str(view.number)): view.run_id for arm, view in views if view.out_of_memory})

    def to_text(self) -> str:
        """Returns the note."""
        followed = [(arm, number, run_id) for (arm, number), run_id in self.followed.items()]
        return json.dumps({"repeated": sorted(self.repeated), "followed": followed})

    @classmethod
    def from_text(cls, text: str) -> Retries:
        """Reads a note; one that is empty, or was too long for a tag, names none."""
        try:
            note = json.loads(text)
        except ValueError:
            return cls()
        followed = {(arm, number): run_id for arm, number, run_id in note["followed"]}
        return cls(frozenset((arm, number) for arm, number in note["repeated"]), followed)

    def names(self, record: RunRecord) -> bool:
        """Returns whether a run does not count."""
        # By their numbers: of a trial that was lost, the study may know the run of one of its seeds alone.
        place = (record.tags.get("fitgap.arm", ""), record.tags.get("fitgap.trial_number", ""))
        if place in self.repeated:
            return True
        # The study may know the run by the id with which it was begun.
        counts = self.followed.get(place, record.run_id) in (record.run_id, record.tags.get(JOURNAL_TAG))
        return record.tags.get("fitgap.state") == OOM and not counts


def mark_retried(store: Store, parent_run_id: str, retries: Retries) -> None:
    """Tags the runs of a search that do not count.

    Raises:
        TrackingError: The store did not take it.
    """
    for record in load_children(store, parent_run_id, histories=False):
        if retries.names(record) and record.tags.get(RETRIED_TAG) != "true":
            add_to_run(store, record.run_id, tags={RETRIED_TAG: "true"})
