"""The conclusion of a search: what came out of it, recorded with the parent run and told to people."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from src.comparison.comparison import Comparison
from src.comparison.report import build_report, print_comparison, record_report
from src.comparison.retries import RETRIES_TAG, Retries, mark_retried
from src.comparison.subject import Subject
from src.console import print_facts
from src.ending import COMPLETE, INTERRUPTED
from src.study.borders import find_borders, is_border_warning
from src.study.plots import draw_plots
from src.study.study import ArmStudy
from src.study.view import TrialView
from src.sweep.arms import Arm, check_point
from src.sweep.finale import Finale
from src.sweep.measuring import begin_measuring, end_measuring, list_overrides
from src.sweep.models import ModelKeeper
from src.sweep.plan import Search
from src.sweep.program import repeat_command
from src.sweep.signals import Interruption
from src.sweep.trials_table import write_trials
from src.sweep.values import describe_values
from src.sweep.winner import CONFIG_NAME, winner_command, write_winner
from src.tracking.records import load_run
from src.tracking.run import TrackedRun
from src.tracking.store import Store
from src.tracking.sweeps import add_to_run

#: Why a search ends that has done all it was asked.
_DONE = "all trials are done"


@dataclass(frozen=True)
class Conclusion:
    """What came out of a search.

    Attributes:
        comparison: Its best trials side by side; None where the store could not be read.
        best: The best trial of each arm that has one, by the arm's name; with two objectives the best by the first.
        winner: File with the configuration of the best of them, where there is one.
    """

    comparison: Comparison | None = None
    best: Mapping[str, TrialView] = field(default_factory=dict)
    winner: Path | None = None


def conclude_search(
    search: Search,
    store: Store,
    parent: TrackedRun,
    studies: Sequence[ArmStudy],
    state: str,
    reason: str,
    found: Sequence[Sequence[str]] = (),
    interruption: Interruption | None = None,
    warnings: Sequence[str] = (),
) -> Conclusion:
    """Records what came out of a search, ends its parent run, and tells people.

    Whatever fails on the way is said, and hides neither the rest nor why the search ended. A signal ends the wait for
    test scores, and leaves out what else takes long; there is a report all the same.

    Args:
        search: The search.
        store: Where it is recorded.
        parent: Its parent run.
        studies: The studies of its arms.
        state: `complete`, `interrupted` or `failed`.
        reason: Why it ended, in words; may be empty.
        found: For each arm the overrides that its trials got because of what was found.
        interruption: Who listens for signals; None where they raise as they always do.
        warnings: What was warned of before the first trial, for where the store cannot be asked.
    """
    ending = _Ending(search, store, parent, studies, found, interruption or Interruption(), warnings)
    try:
        ending.finale.catch_up("search")
        ending.read_trials()
        if state == COMPLETE:
            ending.begin_measuring()
        ending.warn_of_borders()
        ending.write_files()
        ending.draw()
        ending.end_measuring()
        ending.compare()
        ending.discard_models()
        ending.tell(state, reason)
    finally:
        if reason:
            parent.set_tags({"fitgap.reason": reason})
        ending.finale.end(state)
    return Conclusion(ending.comparison, ending.best, ending.winner)


class _Ending:
    """The steps of a conclusion, none of which raises what another program or a full disk may cause."""

    def __init__(
        self,
        search: Search,
        store: Store,
        parent: TrackedRun,
        studies: Sequence[ArmStudy],
        found: Sequence[Sequence[str]],
        interruption: Interruption,
        said: Sequence[str],
    ) -> None:
        self.search = search
        self.store = store
        self.parent = parent
        self.arms = list(zip(search.arms, studies, found or [()] * len(search.arms), strict=True))
        self.interruption = interruption
        self.said = said
        self.finale = Finale(search.console, store, parent)
        self.trials: dict[str, list[TrialView]] = {}
        self.best: dict[str, TrialView] = {}
        self.warnings: list[str] = []
        self.borders: list[str] = []
        self.measurements: dict[str, list[Future[dict[str, float]]]] = {}
        self.test: dict[str, dict[str, float]] = {}
        self.comparison: Comparison | None = None
        self.winner: Path | None = None

    @property
    def best_arm(self) -> Arm | None:
        """The arm with the best trial of all, ranked as the studies themselves rank."""
        objectives = self.search.objectives.objectives

        def rank(arm: Arm) -> tuple[object, ...]:
            view = self.best[arm.name]
            values = zip(objectives, view.objectives, strict=True)
            return (
                *(-value if each.direction == "maximize" else value for each, value in values),
                view.number,
                arm.name,
            )

        return min((arm for arm in self.search.arms if arm.name in self.best), key=rank, default=None)

    def read_trials(self) -> None:
        """Reads the trials, and marks in the store those that were run again."""
        several = len(self.search.objectives.objectives) > 1
        for arm, study, _ in self.arms:
            with self.finale.attempt(f"The trials of {arm.name} cannot be read"):
                study.refresh()
                self.trials[arm.name] = study.trials()
                ranking = study.front() if several else study.ranking()
                if ranking:
                    self.best[arm.name] = ranking[0]
        retries = Retries.of(self.trials)
        if retries != Retries():
            # For whoever makes the report, should the store be away.
            self.parent.set_tags({RETRIES_TAG: retries.to_text()})
        with self.finale.attempt("Trials that were run again count as failed"):
            mark_retried(self.store, self.parent.run_id, retries)

    def begin_measuring(self) -> None:
        """Has the best trial of each arm measured on the test images, which nothing can choose by any more."""
        for arm, _, found in self.arms:
            view = self.best.get(arm.name)
            if view is None or view.run_id is None:
                continue
            try:
                # Some launchers have it done here and now.
                with self.finale.attempt(f"No test score of {arm.name}"), self.interruption.giving_way():
                    self.measurements[arm.name] = begin_measuring(self.search, self.store, arm, view, found)
            except KeyboardInterrupt:
                break

    def end_measuring(self) -> None:
        """Waits for the measurements on the test images, and records them with the trials and the search."""
        for arm, measurements in self.measurements.items():
            try:
                with self.finale.attempt(f"No test score of {arm}"):
                    with self.interruption.giving_way():
                        self.test[arm] = end_measuring(measurements)
                    run_id = self.best[arm].run_id
                    assert run_id is not None
                    add_to_run(self.store, run_id, metrics=self.test[arm])
            except KeyboardInterrupt:
                # The processes that measure would be waited for.
                self.search.launching.stop()
                break
        if self.best_arm is not None and self.measurements:
            self.parent.log_metrics(self.test.get(self.best_arm.name, {}))

    def warn_of_borders(self) -> None:
        """Finds best values at a border, and adds them to the warnings that the parent run has."""
        for arm, _, _ in self.arms:
            view, name = self.best.get(arm.name), arm.name if len(self.arms) > 1 else None
            if view is None:
                continue

            def allows(point: Mapping[str, object], arm: Arm = arm) -> bool:
                return check_point(arm, point, self.search.compose, self.search.application) is None

            with self.finale.attempt("The borders of the search space were not looked at"):
                self.borders += find_borders(arm.space, view.values, arm=name, allows=allows)
        text = "\n".join(self.said)
        with self.finale.attempt("Earlier warnings are not known"):
            text = load_run(self.store, self.parent.run_id).tags.get("fitgap.warnings", "")
        # What an earlier conclusion of a search that went on has said of borders may be true no more.
        earlier = [line for line in text.splitlines() if not is_border_warning(line)]
        self.warnings = list(dict.fromkeys([*earlier, *self.borders]))
        if text or self.warnings:
            self.parent.set_tags({"fitgap.warnings": "\n".join(self.warnings)})

    def compare(self) -> None:
        """Builds the comparison, records it and prints it."""
        search = self.search
        with self.finale.attempt("No comparison yet"):
            subject = Subject(
                name=self.parent.name,
                question=search.question,
                objectives=search.objectives,
                num_arms=len(search.arms),
                space={item.key: item.describe() for item in search.arms[0].space.dimensions},
                axes=list(search.axes),
                warnings=self.warnings,
            )
            report = build_report(self.store, self.parent.run_id, search.folder, subject)
            record_report(self.parent, report)
            self.comparison = report.comparison
            print_comparison(search.console, report.comparison)

    def write_files(self) -> None:
        """Writes the table of all trials, and the winner's configuration."""
        search = self.search
        with self.finale.attempt("There is no table of the trials"):
            self.parent.log_artifact(write_trials(self.trials, search.objectives, search.folder / "trials.csv"))
        if self.best_arm is None:
            return
        with self.finale.attempt("There is no file with the winner's configuration"):
            arm, _, found = next(entry for entry in self.arms if entry[0] is self.best_arm)
            view = self.best[arm.name]
            values = [f"{name} {view.metrics[name]:.6g}" for name in search.objectives.names if name in view.metrics]
            facts = {
                "sweep": search.name,
                "study": search.study_name(arm),
                "trial": f"{view.number}, with {describe_values(view.values) or 'nothing searched'}",
                "value": ", ".join(values),
            }
            path = search.folder / f"{CONFIG_NAME}.yaml"
            config = search.compose(list_overrides(arm, view, found))
            self.winner = write_winner(config, extends=search.config_name, facts=facts, path=path)
            self.parent.log_artifact(path)

    def draw(self) -> None:
        """Draws Optuna's pictures of each study, in a folder per arm."""
        for arm, study, _ in self.arms:
            if self.interruption.impatient:
                return
            folder = f"plots/{_name_folder(arm.name)}" if len(self.arms) > 1 else "plots"
            with self.finale.attempt(f"There are not all plots of {arm.name}"):
                place = self.search.folder / folder
                for path in draw_plots(study.study, self.search.objectives, place, self._is_impatient):
                    self.parent.log_artifact(path, folder)

    def _is_impatient(self) -> bool:
        return self.interruption.impatient

    def discard_models(self) -> None:
        """Deletes the models of all trials but the best few of each arm."""
        nested, tracking = bool(self.search.settings.seeds), self.search.arms[0].checked.tracking
        if self.interruption.impatient:
            return
        keeper = ModelKeeper(self.store, self.search.objectives, tracking, nested=nested)
        for _, study, _ in self.arms:
            with self.finale.attempt("Not all models of worse trials are deleted"):
                keeper.settle(study)

    def tell(self, state: str, reason: str) -> None:
        """Prints what else people want to know."""
        console = self.search.console
        for warning in self.borders:
            console.print(warning, style="yellow")
        if state == COMPLETE and reason != _DONE:
            console.print(f"Ended before all trials: {reason}", style="yellow")
        if state == COMPLETE and self.interruption.impatient:
            console.print(
                "Interrupted while this was put together: test scores and plots may be missing. The same command adds "
                f"them: {repeat_command()}",
                style="yellow",
                soft_wrap=True,
            )
        facts: list[tuple[str, str]] = []
        if self.best_arm is not None:
            scores = self.test.get(self.best_arm.name, {})
            spread = f" ±{scores['test_accuracy_std']:.3f}" if "test_accuracy_std" in scores else ""
            if "test_accuracy" in scores:
                facts.append(("test accuracy", f"{scores['test_accuracy']:.3f}{spread}"))
        if self.winner is not None:
            facts.append(("run the winner", winner_command(self.winner.parent)))
        facts.append(("files", shlex.quote(str(self.search.folder))))
        if state == INTERRUPTED:
            facts.append(("go on", f"run the same command again: {repeat_command()}"))
        print_facts(console, "result", facts)


def _name_folder(arm: str) -> str:
    return re.sub(r"[^\w=.,+-]+", "-", arm).strip("-.")
