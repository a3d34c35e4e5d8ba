"""What a search leaves behind: recorded with its parent run, on disk and on the console."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import shutil
import signal
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from rich.console import Console

from src.config.tracking import TrackingConfig

with warnings.catch_warnings():
    # MLflow's own models use what SQLAlchemy is about to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    from src.comparison.report import make_up_reports, rebuild_report
    from src.history import History
    from src.study.outcome import Outcome
    from src.study.owner import Owner
    from src.study.view import TrialView
    from src.sweep.conclusion import Conclusion, conclude_search
    from src.sweep.signals import Interruption
    from src.tracking.outbox import deliver_pending, open_journal
    from src.tracking.records import RunRecord, load_children, load_run
    from src.tracking.run import start_run
    from src.tracking.store import Store, connect, open_store
    from src.tracking.sweeps import add_to_run
    from tests.sweep.searches import Opener, ScoredApplication, Stage, make_history, open_stage, read_console

TWO_ARMS = "optimizer=adam,sgd"


def conclude(stage: Stage, state: str = "complete", reason: str = "all trials are done") -> Conclusion:
    """Concludes a search."""
    return conclude_search(stage.search, stage.store, stage.parent, stage.studies, state, reason)


def load_parent(stage: Stage) -> RunRecord:
    """Reads the parent run back."""
    return load_run(stage.store, stage.parent.run_id)


def list_artifacts(store: Store, run_id: str, folder: str | None = None) -> set[str]:
    """Returns the paths of a run's artifacts, also those in folders."""
    paths: set[str] = set()
    for artifact in connect(store.uri).list_artifacts(run_id, folder):
        paths |= list_artifacts(store, run_id, artifact.path) if artifact.is_dir else {artifact.path}
    return paths


@dataclass(frozen=True)
class Concluded:
    """A search with two arms after its conclusion.

    Attributes:
        stage: The search.
        views: All its trials in the order in which they ended.
        conclusion: Its conclusion.
        parent: Its parent run, as the conclusion has left it.
        artifacts: Paths of the parent run's artifacts.
    """

    stage: Stage
    views: list[TrialView]
    conclusion: Conclusion
    parent: RunRecord
    artifacts: set[str]


@pytest.fixture(scope="module")
def concluded(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Concluded]:
    """A search of adam and sgd; of adam's trials the second is the best, and the third failed and was run again."""
    folder = tmp_path_factory.mktemp("concluded")
    shutil.copy(migrated_database, folder / "mlflow.db")
    store = open_store(TrackingConfig(uri=f"sqlite:///{folder / 'mlflow.db'}"), folder)
    with open_stage(folder, store, TWO_ARMS) as search:
        views = [
            search.run_trial(make_history(1 / 3)),
            search.run_trial(make_history(0.5, 0.875, 0.75)),
            search.run_trial(History(), state="failed", retry=True),
            search.run_trial(make_history(0.5)),
            search.run_trial(make_history(0.75), arm=1),
            search.run_trial(make_history(0.25), arm=1, state="pruned"),
        ]
        conclusion = conclude(search)
        yield Concluded(search, views, conclusion, load_parent(search), list_artifacts(store, search.parent.run_id))


def test_the_best_trial_of_each_arm_is_compared(concluded: Concluded) -> None:
    comparison, best, other = concluded.conclusion.comparison, concluded.views[1], concluded.views[4]
    assert comparison is not None
    assert [row.run_id for row in comparison.rows] == [best.run_id, other.run_id]
    assert concluded.conclusion.best == {"optimizer=adam": best, "optimizer=sgd": other}
    assert dict(zip(comparison.header, comparison.cells()[0], strict=True)) == {
        "": "optimizer=adam",
        "state": "complete",
        "trial": "1",
        "best val": "0.875",
        "at epoch": "2",
        "gap there": "+0.062",
        "final gap": "+0.188",
        "epochs": "3",
        "seconds": "3.8",
        "test": "0.500",
        "complete": "3",
        "pruned": "0",
        "failed": "0",
    }
    assert comparison.title == "the best of each arm of 5 trials: 4 complete, 1 pruned"


def test_the_parent_run_is_closed_with_what_came_out(concluded: Concluded) -> None:
    parent = concluded.parent
    assert (parent.status, parent.tags["fitgap.state"]) == ("FINISHED", "complete")
    assert parent.tags["fitgap.best_run_id"] == concluded.views[1].run_id
    assert parent.tags["fitgap.best_arm"] == "optimizer=adam"
    expected = {"best_val_accuracy": 0.875, "num_trials": 5, "num_failed": 0, "test_accuracy": 0.5, "test_loss": 1.25}
    assert {key: parent.metrics[key] for key in expected} == expected
    note = parent.tags["mlflow.note.content"]
    question, link, best, *_ = note.split("\n\n")
    assert (question, best) == ("Which dropout is it?", "Best: **optimizer=adam #1**")
    assert link.startswith("[Its report](")
    assert "[Compare them in MLflow](" in link
    assert "| `model.dropout` | 0 to 0.7 |" in note


def test_tables_pictures_and_the_winners_file_hang_at_the_parent_run(concluded: Concluded) -> None:
    assert {"comparison.csv", "comparison.png", "report.html", "trials.csv", "winner.yaml"} < concluded.artifacts
    assert "plots/optimizer=adam/param_importances.png" in concluded.artifacts
    assert "plots/optimizer=sgd/intermediate_values.png" in concluded.artifacts
    # One complete trial says nothing of what matters.
    assert "plots/optimizer=sgd/param_importances.png" not in concluded.artifacts


def test_the_winners_file_holds_the_winners_configuration(concluded: Concluded) -> None:
    path, best = concluded.conclusion.winner, concluded.views[1]
    assert path is not None
    text = path.read_text(encoding="utf-8")
    assert "# sweep: digits/mine\n# study: digits/mine/optimizer=adam\n# trial: 1, with dropout=" in text
    assert "# value: best_val_accuracy 0.875" in text
    config = OmegaConf.create(text.partition("_self_")[2])
    assert config.optimizer.name == "adam"
    assert config.model.dropout == best.values["model.dropout"]
    assert config.optimizer.learning_rate == best.values["optimizer.learning_rate"]
    printed = read_console(concluded.stage.search)
    assert f"--config-dir {concluded.stage.search.folder} --config-name winner" in printed


def test_every_trial_of_every_arm_is_in_the_table(concluded: Concluded) -> None:
    with (concluded.stage.search.folder / "trials.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["arm"], row["number"], row["state"], row["attempt"], row["retry_of"]) for row in rows] == [
        ("optimizer=adam", "0", "complete", "1", ""),
        ("optimizer=adam", "1", "complete", "1", ""),
        ("optimizer=adam", "2", "failed", "1", ""),
        ("optimizer=adam", "3", "complete", "2", "2"),
        ("optimizer=sgd", "0", "complete", "1", ""),
        ("optimizer=sgd", "1", "pruned", "1", ""),
    ]
    assert float(rows[0]["best_val_accuracy"]) == 1 / 3
    assert float(rows[0]["model.dropout"]) == concluded.views[0].values["model.dropout"]
    assert rows[2]["model.dropout"] == rows[3]["model.dropout"]
    assert (rows[2]["error"], rows[2]["best_val_accuracy"]) == ("ValueError: no", "")
    assert (rows[5]["run_id"], rows[5]["seconds"]) == (concluded.views[5].run_id, "1.5")


def test_only_the_best_of_each_arm_are_measured_on_the_test_images(concluded: Concluded) -> None:
    application = concluded.stage.search.application
    assert isinstance(application, ScoredApplication)
    assert application.measured == [concluded.views[1].run_id, concluded.views[4].run_id]
    children = load_children(concluded.stage.store, concluded.parent.run_id, histories=False)
    assert [record.run_id for record in children if "test_accuracy" in record.metrics] == application.measured


def test_the_report_is_rebuilt_from_the_store_alone(concluded: Concluded) -> None:
    assert concluded.conclusion.comparison is not None
    assert rebuild(concluded.stage) == concluded.conclusion.comparison.cells()
    note = load_parent(concluded.stage).tags["mlflow.note.content"]
    assert note == concluded.parent.tags["mlflow.note.content"]


def test_a_search_with_one_arm_shows_its_best_five_with_their_values(stage: Opener) -> None:
    search = stage("seed=13", n_trials=7)
    spread = {"best_val_accuracy_std": 0.00421, "final_gap_accuracy_std": 0.01249, "num_seeds": 3.0}
    views = [search.run_trial(make_history(0.5 + number / 16), spread=spread) for number in range(7)]
    # Of an earlier conclusion, which the store has had for long.
    said = {"fitgap.warnings": "The best x, 1, lies at the lower border of its interval 1 to 2: widen it."}
    add_to_run(search.store, search.parent.run_id, tags=said)
    conclusion = conclude(search)
    comparison = conclusion.comparison
    assert comparison is not None
    assert [row.name for row in comparison.rows] == ["#6", "#5", "#4", "#3", "#2"]
    assert [len(row.history) for row in comparison.rows] == [1] * 5
    cells = dict(zip(comparison.header, comparison.cells()[0], strict=True))
    assert (cells["best val"], cells["final gap"]) == ("0.875 ±0.004 (3)", "+0.062 ±0.012")
    assert "trial" not in comparison.columns
    dropout, rate = views[6].values.values()
    label = f"dropout={dropout:.3g}, learning_rate={rate:.3g}"
    assert comparison.rows[0].label == label
    parent, printed = load_parent(search), read_console(search.search)
    assert label in parent.tags["mlflow.note.content"]
    assert "the best of 7 trials: 7 complete" in printed
    assert not any(path.startswith("plots/trial") for path in list_artifacts(search.store, parent.run_id))
    # What cannot be measured hides nothing else, and what an earlier conclusion said of borders is forgotten.
    assert "No test score of trial: The model is gone." in printed
    assert conclusion.winner is not None
    assert "The best x" not in parent.tags["fitgap.warnings"]


def test_a_search_that_was_interrupted_measures_nothing_and_says_how_to_go_on(stage: Opener) -> None:
    search = stage()
    search.run_trial()
    conclude(search, "interrupted", "interrupted")
    application = search.search.application
    assert isinstance(application, ScoredApplication)
    assert application.measured == []
    parent = load_parent(search)
    assert (parent.status, parent.tags["fitgap.state"]) == ("KILLED", "interrupted")
    assert "comparison.csv" in list_artifacts(search.store, search.parent.run_id)
    assert "run the same command again" in read_console(search.search)


def test_ctrl_c_while_test_scores_are_waited_for_costs_the_scores_and_not_the_report(
    stage: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(measurements: object) -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("The signal ends what waits.")

    monkeypatch.setattr("src.sweep.conclusion.end_measuring", interrupt)
    search = stage()
    search.run_trial()
    interruption = Interruption()
    with interruption.listen(inline=False):
        interruption.settle()
        args = (search.search, search.store, search.parent, search.studies, "complete", "all trials are done")
        conclude_search(*args, interruption=interruption)
    parent = load_parent(search)
    assert (parent.status, parent.tags["fitgap.state"]) == ("FINISHED", "complete")
    assert {"comparison.csv", "report.html", "winner.yaml"} <= list_artifacts(search.store, search.parent.run_id)
    assert "test scores and plots may be missing" in read_console(search.search)


def test_a_search_that_failed_before_its_first_trial_ended_is_concluded(stage: Opener) -> None:
    search = stage(TWO_ARMS)
    conclusion = conclude(search, "failed", "")
    assert conclusion.best == {}
    assert conclusion.winner is None
    assert load_parent(search).metrics["num_trials"] == 0
    assert load_parent(search).status == "FAILED"


def test_a_store_that_is_away_hides_neither_the_rest_nor_what_to_do_later(stage: Opener, dead_uri: str) -> None:
    search = stage()
    search.run_trial()
    away = dataclasses.replace(search.store, uri=dead_uri)
    conclusion = conclude_search(search.search, away, search.parent, search.studies, "complete", "")
    assert conclusion.comparison is None
    assert list(conclusion.best) == ["trial"]
    printed = read_console(search.search)
    assert "No comparison yet" in printed
    assert f"python -m src.report {search.parent.run_id}" in printed
    assert "winner.yaml" in list_artifacts(search.store, search.parent.run_id)


def test_with_two_objectives_the_front_is_compared(stage: Opener) -> None:
    search = stage(TWO_ARMS, objective=["best_val_accuracy", "final_gap_accuracy"], direction=["maximize", "minimize"])
    accurate = search.run_trial(make_history(0.875, train_eval_accuracy=1.0))
    search.run_trial(make_history(0.75, train_eval_accuracy=1.0))
    narrow = search.run_trial(make_history(0.8125, train_eval_accuracy=0.8125))
    beaten = search.run_trial(make_history(0.75, train_eval_accuracy=0.875), arm=1)
    conclusion = conclude(search)
    assert conclusion.comparison is not None
    assert [row.run_id for row in conclusion.comparison.rows] == [accurate.run_id, narrow.run_id, beaten.run_id]
    assert conclusion.best["optimizer=adam"] == accurate
    assert "plots/optimizer=adam/pareto_front.png" in list_artifacts(search.store, search.parent.run_id)


def test_a_running_search_can_be_reported(stage: Opener) -> None:
    search = stage(TWO_ARMS)
    search.run_trial()
    cells = rebuild(search)
    assert [row[0] for row in cells] == ["optimizer=adam"]
    assert load_parent(search).status == "RUNNING"
    search.parent.finish()


def rebuild(stage: Stage) -> list[list[str]]:
    """Rebuilds the report, and returns its cells."""
    console = Console(quiet=True)
    report = rebuild_report(stage.parent.run_id, uri=stage.store.uri, output=None, console=console)
    return report.comparison.cells()


def test_the_first_attempt_of_a_trial_that_ran_out_of_memory_beside_others_does_not_count(stage: Opener) -> None:
    opened = stage("seed=1")
    opened.run_trial()
    study, arm = opened.studies[0], opened.search.arms[0].name
    ask = study.ask(Owner.current())
    assert ask is not None
    study.note_out_of_memory(ask.number, "ResourceExhaustedError: too much", None)
    run_ids = {}
    for state in ("oom", "diverged"):
        tags = {"fitgap.kind": "trial", "fitgap.state": state, "fitgap.arm": arm, "fitgap.trial_number": "1"}
        run = start_run(opened.store, name=state, tags=tags, parent_run_id=opened.parent.run_id)
        run.finish("FAILED")
        run_ids[state] = run.run_id
    study.tell(ask.number, Outcome("diverged", {}, "DivergedError: nan", run_id=run_ids["diverged"]), retry=False)
    conclude(opened)
    assert "fitgap.retried" in load_run(opened.store, run_ids["oom"]).tags
    assert "fitgap.retried" not in load_run(opened.store, run_ids["diverged"]).tags
    assert "2 trials: 1 complete, 1 failed" in read_console(opened.search)


def test_a_report_is_due_as_long_as_runs_that_have_ended_are_on_disk(
    stage: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = stage()
    search.run_trial()
    late = connect(search.store.uri).create_run(search.store.experiment_id).info.run_id
    journal = open_journal(search.store, late, "late")
    journal.append("finish", status="FINISHED")
    journal.close()
    with monkeypatch.context() as patch:
        # As where it takes longer than is waited for.
        patch.setattr("src.tracking.reconciliation.deliver_pending", lambda outbox, *, quiet: [])
        conclude(search)
        assert load_parent(search).tags["fitgap.report"] == "due"
        assert "runs that have ended are still on disk." in read_console(search.search)
        rebuild(search)
        assert load_parent(search).tags["fitgap.report"] == "due"
    rebuild(search)
    assert load_parent(search).tags["fitgap.report"] == "made"


def test_a_run_that_was_deleted_in_mlflow_keeps_no_report_of_its_store_from_being_made(
    stage: Opener, dead_uri: str
) -> None:
    search = stage()
    search.run_trial()
    # The store was away: the report is due.
    away = dataclasses.replace(search.store, uri=dead_uri)
    conclude_search(search.search, away, search.parent, search.studies, "complete", "")
    deleted = start_run(search.store, name="deleted", tags={})
    deleted.finish()
    connect(search.store.uri).delete_run(deleted.run_id)
    journal = open_journal(search.store, deleted.run_id, "deleted")
    journal.append("finish", status="FINISHED")
    journal.close()
    console = Console(quiet=True)
    deliveries = deliver_pending(search.store.outbox)
    assert [(delivery.delivered, delivery.away) for delivery in deliveries] == [(False, False)]
    make_up_reports([dataclasses.replace(delivery, away=True) for delivery in deliveries], search.store.uri, console)
    assert load_parent(search).tags["fitgap.report"] == "due"
    make_up_reports(deliveries, search.store.uri, console)
    assert load_parent(search).tags["fitgap.report"] == "made"


def test_a_report_that_is_made_later_counts_no_trial_twice_and_has_the_warnings(
    stage: Opener, dead_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.sweep.conclusion.find_borders", lambda *_, **__: ["Widen it."])
    search = stage()
    lost = search.run_trial(History(), state="failed", retry=True)
    search.run_trial()
    away = dataclasses.replace(search.store, uri=dead_uri)
    conclude_search(search.search, away, search.parent, search.studies, "complete", "", warnings=["It is small."])
    assert lost.run_id is not None
    assert "fitgap.retried" not in load_run(search.store, lost.run_id).tags
    console = Console(file=io.StringIO(), width=160)
    rebuild_report(search.parent.run_id, uri=search.store.uri, output=None, console=console)
    assert "fitgap.retried" in load_run(search.store, lost.run_id).tags
    assert load_parent(search).tags["fitgap.warnings"] == "It is small.\nWiden it."
    assert load_parent(search).metrics["num_failed"] == 0
