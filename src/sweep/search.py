"""A search from its first check to its report: what it opens, the loop of its trials, and how it ends."""

from __future__ import annotations

import contextlib
import importlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from src.closing import name_page
from src.console import print_facts
from src.errors import FitgapError, StudyError
from src.study.storage import open_storage, resolve_storage
from src.study.study import ArmStudy
from src.study.warm_start import collect_points
from src.sweep.application import Preparation
from src.sweep.budget import Budget
from src.sweep.failures import FailurePolicy
from src.sweep.folder import make_folder
from src.sweep.job import JobRunner
from src.sweep.loop import SECONDS_ATTRIBUTE, SearchLoop
from src.sweep.monitor import open_monitor
from src.sweep.parent import Parent, open_parent, take_over
from src.sweep.plan import Search
from src.sweep.repetition import repeat_winner
from src.sweep.room import FullDiskError, Room, describe_shortage, survey_room
from src.sweep.signals import Interruption
from src.sweep.specification import build_spec
from src.tracking.address import show_uri
from src.tracking.identity import is_provisional
from src.tracking.reconciliation import reconcile
from src.tracking.store import Store, open_store

if TYPE_CHECKING:
    from src.sweep.conclusion import Conclusion

#: What reports are made with: SciPy, matplotlib and, for Optuna's importances, scikit-learn.
_REPORTING = ("src.sweep.conclusion", "sklearn.ensemble")

#: Seconds that a trial gets to close its run once its time is over, before its process is killed.
GRACE_SECONDS = 30.0


class FailedTrialsError(FitgapError):
    """So many trials of a search failed that it was ended."""


@dataclass(frozen=True)
class _Opened:
    """What a search has opened before its first trial."""

    store: Store
    preparation: Preparation
    studies: list[ArmStudy]
    storage: str


def execute_search(search: Search) -> Conclusion | None:
    """Runs the trials that are missing to every arm's total, and reports on the search.

    Running it again goes on where it ended, was interrupted, or was killed.

    Returns:
        What came out of it; None where another process of this machine leads the search and will report on it.

    Raises:
        FailedTrialsError: Too many trials failed.
        FullDiskError: A disk is nearly full; no further trial has been started.
        MissingMetricError: A trial did not come to the objective.
        FitgapError: Data, weights, studies or the store cannot be had; no trial has been started.
        KeyboardInterrupt: The user ended it.
    """
    room = survey_room(search.settings, [arm.checked for arm in search.arms], search.folder, search.root)
    # Before data is fetched and stores are made.
    room.check()
    opened = _open(search)
    make_folder(search.folder)
    parent = open_parent(search, opened.store, opened.studies, opened.preparation.warnings)
    # After the parent run has been resumed: what a dead process has left of it is ours now.
    reconcile(opened.store)
    try:
        return _execute(search, opened, parent, room)
    finally:
        # Who reads the studies otherwise finds it by the id that they have.
        with contextlib.suppress(StudyError):
            parent.name_in(opened.studies)
        parent.release()


def _execute(search: Search, opened: _Opened, parent: Parent, room: Room) -> Conclusion | None:
    interruption, found = Interruption(), opened.preparation.overrides
    state, reason = "failed", ""
    conclusion: Conclusion | None = None
    # To the very end: who shuts the machine down while the search is reported on must not find its books open.
    with interruption.listen(inline=search.launching.inline):
        try:
            _print_start(search, opened, parent)
            loop = _build_loop(search, opened, parent, room, interruption)
            if not search.launching.inline:
                threading.Thread(target=_prepare_conclusion, args=(search,), name="fitgap-imports", daemon=True).start()
            reason = loop.run()
            if parent.run is None:
                parent = take_over(search, opened.store, parent)
            if loop.shortage is not None and loop.failure is None:
                # It goes on once there is room, and must not choose then by what it has seen on the test images.
                state = "interrupted"
            elif not interruption.requests and loop.failure is None:
                state = "complete"
                if parent.run is not None:
                    repeat_winner(search, opened.studies, found, loop.runner, parent.run, interruption, loop.budget)
            if interruption.requests:
                state, reason = "interrupted", "interrupted"
        except KeyboardInterrupt:
            state = "interrupted"
            raise
        finally:
            interruption.settle()
            if parent.run is None:
                search.console.print("The process that leads this search will report on it.", style="dim")
            else:
                from src.sweep.conclusion import conclude_search

                conclusion = conclude_search(
                    search,
                    opened.store,
                    parent.run,
                    opened.studies,
                    state,
                    reason,
                    found,
                    interruption,
                    opened.preparation.warnings,
                )
    interruption.pass_on()
    if loop.failure is not None:
        reasons = "".join(f"\n  {text}" for text in loop.failures.reasons[-5:])
        what = f" The last of them:{reasons}\n" if reasons else " "
        raise FailedTrialsError(f"The search was ended: {loop.failure}.{what}{loop.failures.describe_remedy()}")
    if loop.shortage is not None:
        raise FullDiskError(describe_shortage(loop.shortage))
    return conclusion


def _prepare_conclusion(search: Search) -> None:
    """Imports what the search will be reported on with, while the first trial runs rather than before or after all."""
    search.launching.await_begin()
    # What cannot be imported is said where it is needed.
    with contextlib.suppress(Exception):
        for name in _REPORTING:
            importlib.import_module(name)


def _print_start(search: Search, opened: _Opened, parent: Parent) -> None:
    facts = []
    if len(search.arms) > 1:
        facts.append(("arms", "; ".join(arm.name for arm in search.arms)))
    slots = search.launching.slots
    planned = sum(study.spec.n_trials for study in opened.studies)
    facts.append(("trials", f"{planned}, {slots} at a time" if slots > 1 else f"{planned}, one at a time"))
    done = sum(study.counts().counted for study in opened.studies)
    if any(study.resumed for study in opened.studies):
        rest = "nothing is left to do: raise hydra.sweeper.n_trials to go on" if done >= planned else "going on"
        facts.append(("done before", f"{done}; {rest}"))
    facts.append(("objective", search.objectives.describe()))
    facts.append(("parent run", f"{parent.run_id} in experiment {opened.store.experiment_name}"))
    if not is_provisional(parent.run_id):
        facts.append(("its page", name_page(opened.store, parent.run_id)))
    print_facts(search.console, search.name, facts)
    search.console.print()
    for warning in filter(None, [search.launching.remark, *opened.preparation.warnings]):
        search.console.print(warning, style="yellow")


def _open(search: Search) -> _Opened:
    store = open_store(search.arms[0].checked.tracking)
    storage_url = resolve_storage(search.settings.storage, search.root)
    storage = open_storage(storage_url)
    preparation = search.application.prepare([arm.checked for arm in search.arms])
    studies = []
    for arm, facts in zip(search.arms, preparation.facts, strict=True):
        place = {"uri": show_uri(store.uri), "experiment": store.experiment_name}
        spec = build_spec(search, arm, facts, place)
        points = collect_points(search.settings.warm_start, arm.space, arm.fixed, arm.defaults, storage)
        studies.append(ArmStudy.open(storage, storage_url, spec, points))
    return _Opened(store, preparation, studies, storage_url)


def _build_loop(search: Search, opened: _Opened, parent: Parent, room: Room, interruption: Interruption) -> SearchLoop:
    settings = search.settings
    used = max(float(study.get_attr(SECONDS_ATTRIBUTE) or 0.0) for study in opened.studies)
    planned = sum(study.spec.n_trials for study in opened.studies)
    failed = sum(study.counts().failed for study in opened.studies)
    if settings.trial_timeout is not None:
        search.launching.limit_time(settings.trial_timeout + GRACE_SECONDS)
    budget = Budget(settings, used)
    return SearchLoop(
        search=search,
        studies=opened.studies,
        found=opened.preparation.overrides,
        store=opened.store,
        parent=parent,
        runner=JobRunner(settings, search.application, search.launching, opened.store, parent.run_id, opened.storage),
        budget=budget,
        failures=FailurePolicy(settings, planned, failed),
        room=room,
        monitor=open_monitor(search, opened.studies, budget),
        interruption=interruption,
    )
