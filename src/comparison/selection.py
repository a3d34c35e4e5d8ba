"""Which trials stand for a search, found in the tracking store alone: the best of each arm, or the front."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from src.ending import COMPLETE, INTERRUPTED, PRUNED
from src.errors import ConfigError
from src.study.objective import Objectives
from src.tracking.records import RunRecord

#: Tag of a run that was begun again as another one, and so does not count.
RETRIED_TAG = "fitgap.retried"

#: Trials of a search with one arm that are shown.
_TOP = 5


@dataclass(frozen=True)
class Tally:
    """What became of the trials of an arm.

    Attributes:
        complete: Those that came to a value.
        pruned: Those that the pruner stopped.
        failed: Those that failed for good.
        running: Those that have not ended.
    """

    complete: int = 0
    pruned: int = 0
    failed: int = 0
    running: int = 0

    def counts(self) -> dict[str, int]:
        """Returns the numbers by their names."""
        return dataclasses.asdict(self)

    def describe(self) -> str:
        """Returns it in words, without what there is none of."""
        return ", ".join(f"{count} {word}" for word, count in self.counts().items() if count or word == COMPLETE)


@dataclass(frozen=True)
class Selection:
    """The trials that stand for a search.

    Attributes:
        records: They, the best first.
        tallies: What became of all trials, by arm.
        reasons: For each arm without a complete trial its last run.
        single: Whether the search has but one arm.
    """

    records: tuple[RunRecord, ...]
    tallies: dict[str, Tally]
    reasons: dict[str, RunRecord]
    single: bool

    @property
    def total(self) -> Tally:
        """What became of the trials of all arms."""
        counts = [tally.counts() for tally in self.tallies.values()]
        return Tally(**{word: sum(count[word] for count in counts) for word in Tally().counts()})


def select_trials(records: Sequence[RunRecord], objectives: Objectives, *, single: bool) -> Selection:
    """Returns the trials of a search that its reader wants to see.

    With several arms these are the best trial of each, with one arm the best five; with two objectives the trials of
    the front, and the best by the first objective of each arm that has none there.

    Args:
        records: All runs below the parent run.
        objectives: What was optimized.
        single: Whether the search has but one arm, of which not only the best is to be seen.
    """
    arms: dict[str, list[RunRecord]] = {}
    for record in sorted(records, key=_number):
        arms.setdefault(_arm(record), []).append(record)
    ranking = rank_records(records, objectives)
    best: dict[str, RunRecord] = {}
    for record in ranking:
        best.setdefault(_arm(record), record)
    if len(objectives.objectives) > 1:
        front = _find_front(ranking, objectives)
        covered = {_arm(record) for record in front}
        selected = [*front, *(record for arm, record in best.items() if arm not in covered)]
    else:
        selected = ranking[:_TOP] if single else list(best.values())
    return Selection(
        records=tuple(selected),
        tallies={arm: _count(runs) for arm, runs in arms.items()},
        reasons={arm: runs[-1] for arm, runs in arms.items() if arm not in best},
        single=single,
    )


def rank_records(records: Sequence[RunRecord], objectives: Objectives) -> list[RunRecord]:
    """Returns the complete trials that keep the constraints, best first by the first objective; of equals the earlier.

    It is the order in which the studies themselves rank them.
    """
    eligible = [record for record in records if _is_eligible(record, objectives)]
    return sorted(eligible, key=lambda record: (_losses(record, objectives), _number(record), _arm(record)))


def order_records(records: Sequence[RunRecord], objectives: Objectives) -> list[RunRecord]:
    """Returns all trials that were not begun again: those that `rank_records` ranks, then the others by number."""
    ranking = rank_records(records, objectives)
    ranked = {record.run_id for record in ranking}
    rest = [record for record in records if record.run_id not in ranked and not _is_retried(record)]
    return [*ranking, *sorted(rest, key=lambda record: (_arm(record), _number(record)))]


def _find_front(ranking: Sequence[RunRecord], objectives: Objectives) -> list[RunRecord]:
    front: list[RunRecord] = []
    for record in ranking:
        losses = _losses(record, objectives)
        others = [_losses(other, objectives) for other in front]
        if not any(other != losses and all(a <= b for a, b in zip(other, losses, strict=True)) for other in others):
            front.append(record)
    return front


def _is_eligible(record: RunRecord, objectives: Objectives) -> bool:
    if record.tags.get("fitgap.state") != COMPLETE:
        return False
    try:
        violations = objectives.violations(record.metrics)
        return all(map(math.isfinite, objectives.values(record.metrics))) and max(violations.values(), default=0) <= 0
    except ConfigError:
        # The run has no such metric: it was logged by another version, or is not yet delivered in full.
        return False


def _losses(record: RunRecord, objectives: Objectives) -> tuple[float, ...]:
    return tuple(
        -value if objective.direction == "maximize" else value
        for objective, value in zip(objectives.objectives, objectives.values(record.metrics), strict=True)
    )


def _count(records: Sequence[RunRecord]) -> Tally:
    counts = Tally().counts()
    for record in records:
        state = record.tags.get("fitgap.state", "running")
        if state in (COMPLETE, PRUNED, "running"):
            counts[state] += 1
        elif state != INTERRUPTED and not _is_retried(record):
            # What the user interrupted is always begun again.
            counts["failed"] += 1
    return Tally(**counts)


def _is_retried(record: RunRecord) -> bool:
    # A run that was gone on with after all is a trial again.
    return record.tags.get(RETRIED_TAG) == "true"


def _arm(record: RunRecord) -> str:
    return record.tags.get("fitgap.arm", record.name)


def _number(record: RunRecord) -> int:
    return int(record.tags.get("fitgap.trial_number", "0"))
