"""The audit of a month: that it finds what it is there to find, and nothing in books that are in order."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from filelock import FileLock
from PIL import Image

from src.claims import Claim, ClaimBook
from src.ending import STATUSES
from src.scheduling.shift import Shift
from src.study.address import sqlite_url
from src.study.storage import close_storage, open_storage
from src.study.view import TrialView
from src.tracking.run import start_run
from src.tracking.store import Store, connect
from tests.month import audit
from tests.month.books import Run, Study, read_runs, read_studies


def make_view(number: int, state: str = "complete", run_id: str | None = "", **changes: Any) -> TrialView:
    run_id = f"run-{number}" if run_id == "" else run_id
    view = TrialView(number, number, state, {}, (0.5,), {}, run_id, None, None, 1, None, True, 1.0, 1.0, {}, None)
    return replace(view, **changes)


def make_run(run_id: str, state: str = "complete", status: str | None = None, **tags: str) -> Run:
    named = {f"fitgap.{key}": value for key, value in tags.items()}
    return Run(run_id, status or STATUSES[state], {"fitgap.state": state, **named}, "", "1")


def make_child(number: int, state: str = "complete", run_id: str | None = None) -> Run:
    run = make_run(run_id or f"run-{number}", state, kind="trial", trial_number=str(number))
    run.tags["mlflow.parentRunId"] = "parent"
    return run


PARENT = make_run("parent", kind="sweep")
#: Two trials, of which the first was killed and run again, and a third that was killed before it had a run.
STUDY = Study(
    "digits/home",
    "parent",
    (
        make_view(0, "lost"),
        make_view(1, retry_of=0),
        make_view(2, "lost", None),
        make_view(3, retry_of=2),
    ),
)
RUNS = [PARENT, make_child(0, "lost"), make_child(1), make_child(3)]
SHIFT = Shift(
    "home", "2026-10-24T22:30:00+02:00", "complete", "2026-10-24T22:31:00+02:00", study="digits/home", n_trials=2
)


def change_trial(number: int, **changes: Any) -> Study:
    return replace(
        STUDY, trials=tuple(replace(view, **changes) if view.number == number else view for view in STUDY.trials)
    )


def test_books_in_order_are_in_order() -> None:
    assert audit.find_running([STUDY], RUNS) == []
    assert audit.find_unmatched([STUDY], RUNS) == []
    assert audit.find_unplanned([SHIFT], [STUDY]) == []


def test_what_is_left_running_is_found_in_either_store() -> None:
    assert audit.find_running([change_trial(3, state="running")], RUNS) == ["Trial 3 of digits/home is running."]
    assert audit.find_running([change_trial(3, state="waiting")], RUNS) == ["Trial 3 of digits/home is waiting."]
    left = replace(RUNS[3], status="RUNNING")
    assert audit.find_running([STUDY], [*RUNS[:3], left]) == ["Run run-3 is RUNNING."]


UNMATCHED = {
    "a trial without a run": ([STUDY], RUNS[:3], "Trial 3 of digits/home is complete, and has no run."),
    "a run without a trial": ([STUDY], [*RUNS, make_child(4)], "Run run-4 is that of trial 4, which digits/home does"),
    "a trial with two runs": ([STUDY], [*RUNS, make_child(3, run_id="again")], "Trial 3 of digits/home has two runs."),
    "another state": (
        [change_trial(1, state="pruned")],
        RUNS,
        "Trial 1 of digits/home is pruned, and its run",
    ),
    "another run": (
        [change_trial(1, run_id="other")],
        RUNS,
        "Trial 1 of digits/home names run other, and is",
    ),
    "a lost run that is named": ([change_trial(2, run_id="run-2")], RUNS, "Trial 2 of digits/home is lost, and has no"),
    "a status that is not the state's": (
        [STUDY],
        [replace(PARENT, status="KILLED"), *RUNS[1:]],
        "Run parent is KILLED, and its state complete.",
    ),
    "a study without a parent": ([replace(STUDY, parent_run_id=None)], [], "Study digits/home has no parent run."),
    "a parent without a study": (
        [STUDY],
        [*RUNS, make_run("other", kind="sweep")],
        "Run other is that of a search",
    ),
    "a child without a parent": ([], [make_child(1)], "Run run-1 is that of a trial which no study knows of."),
}


@pytest.mark.parametrize(("studies", "runs", "problem"), UNMATCHED.values(), ids=UNMATCHED)
def test_what_the_stores_do_not_agree_on_is_found(studies: list[Study], runs: list[Run], problem: str) -> None:
    (found,) = audit.find_unmatched(studies, runs)
    assert found.startswith(problem)


def test_a_run_that_was_begun_without_its_store_goes_by_the_id_that_it_had_before() -> None:
    late = make_child(1)
    late.tags["fitgap.journal"] = "local-1"
    parent = make_run("parent", kind="sweep", journal="local-0")
    study = replace(change_trial(1, run_id="local-1"), parent_run_id="local-0")
    assert audit.find_unmatched([study], [parent, RUNS[1], late, RUNS[3]]) == []


def test_the_run_of_a_trial_that_was_ended_before_it_had_named_it_is_lost() -> None:
    ended = change_trial(0, state="interrupted", run_id=None)
    assert audit.find_unmatched([ended], RUNS) == []
    assert audit.find_unmatched([change_trial(0, state="interrupted")], RUNS) == [
        "Trial 0 of digits/home is interrupted, and its run lost."
    ]


def test_the_run_of_a_trial_that_was_gone_on_with_is_that_of_the_later_attempt() -> None:
    assert audit.find_unmatched([change_trial(0, run_id="run-1")], [RUNS[0], *RUNS[2:]]) == []


def test_trials_that_were_planned_and_not_done_or_done_and_not_planned_are_found() -> None:
    more = replace(SHIFT, begun_with=2)
    assert audit.find_unplanned([SHIFT, more], [STUDY]) == ["digits/home was to come to 4 trials, and has 2."]
    assert audit.find_unplanned([], [STUDY]) == ["digits/home was to come to 0 trials, and has 2."]
    assert audit.find_unplanned([SHIFT], []) == ["digits/home was to come to 2 trials, and has 0."]


def test_shifts_that_have_not_ended_and_lines_that_are_not_whole_are_found(tmp_path: Path) -> None:
    journal = tmp_path / "shifts.jsonl"
    lost, open_shift = replace(SHIFT, state="lost", ended=None), replace(SHIFT, state="running", ended=None)
    journal.write_text(f"{SHIFT.to_json()}\n{lost.to_json()}\n", encoding="utf-8")
    assert audit.find_open_shifts(journal) == []
    journal.write_text(f"{open_shift.to_json()}\n{SHIFT.to_json()[:40]}\n", encoding="utf-8")
    first, second = audit.find_open_shifts(journal)
    assert first == "The shift of 2026-10-24T22:30:00+02:00 is running, and has not ended."
    assert second == f"Line 2 of {journal} cannot be read."


@pytest.fixture
def finished(store: Store, tmp_path: Path) -> Callable[[str], Path]:
    """A finished trial in a real store; returns where one of its artifacts lies."""
    run = start_run(store, name="trial", tags={"fitgap.kind": "trial"})
    for name in audit.ARTIFACTS:
        path = tmp_path / name
        if path.suffix == ".png":
            Image.new("L", (4, 4)).save(path)
        else:
            path.write_text("epoch,loss\n", encoding="utf-8")
        run.log_artifact(path)
    run.finish("FINISHED")
    location = connect(store.uri).get_run(run.run_id).info.artifact_uri.removeprefix("file://")
    return lambda name: Path(location) / name


def test_artifacts_that_are_missing_or_not_whole_are_found(store: Store, finished: Callable[[str], Path]) -> None:
    runs = read_runs(store.uri)
    assert [run.status for run in runs] == ["FINISHED"]
    assert audit.find_lost_artifacts(runs) == []
    assert audit.find_lost_files([finished("curves.png")]) == []
    finished("curves.png").unlink()
    finished("history.csv").write_text("")
    finished("dataset_preview.png").write_bytes(finished("dataset_preview.png").read_bytes()[:30])
    assert [problem.split(" of ")[0] for problem in audit.find_lost_artifacts(runs)] == [
        "curves.png",
        "dataset_preview.png",
        "history.csv",
    ]
    assert audit.find_lost_files([finished("curves.png")]) == [f"{finished('curves.png')} is lost."]


def test_a_best_trial_without_its_model_is_found(store: Store, finished: Callable[[str], Path]) -> None:
    runs = read_runs(store.uri)
    study = Study("digits/home", "parent", (make_view(0, run_id=runs[0].run_id),))
    problem = "The model of trial 0, the best of digits/home, is not there."
    assert audit.find_missing_winners([study], runs) == [problem]


def test_a_trial_that_optuna_has_running_is_read_as_such(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "optuna.db")
    storage = open_storage(url)
    study = optuna.create_study(storage=storage, study_name="digits/home")
    study.set_user_attr("fitgap.parent_run_id", "parent")
    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING))
    close_storage(storage)
    (read,) = read_studies(url)
    assert (read.name, read.parent_run_id) == ("digits/home", "parent")
    assert audit.find_running([read], []) == ["Trial 0 of digits/home is running."]


def test_locks_that_are_held_and_claims_that_are_left_are_found(tmp_path: Path) -> None:
    book = ClaimBook(tmp_path / "claims")
    assert audit.find_held(tmp_path, book) == []
    held = book.place(Claim("home", "/there", None))
    with FileLock(tmp_path / "some.lock"):
        locked, claimed, left = audit.find_held(tmp_path, book)
    book.release(held)
    assert locked == f"{tmp_path / 'some.lock'} is locked."
    assert claimed.startswith(f"GPUs are claimed: home of /there (process {os.getpid()}")
    assert left == f"{held.path} is left of a claim."
    assert audit.find_held(tmp_path, book) == []


def test_what_is_not_delivered_is_found(tmp_path: Path) -> None:
    assert audit.find_undelivered(tmp_path / "outbox") == []
    (tmp_path / "outbox" / "run-1").mkdir(parents=True)
    assert audit.find_undelivered(tmp_path / "outbox") == [f"{tmp_path / 'outbox' / 'run-1'} is not delivered."]


def test_a_budget_that_is_exceeded_by_all_folders_together_is_found(tmp_path: Path) -> None:
    folders = [tmp_path / "cache", tmp_path / "models"]
    for folder in folders:
        folder.mkdir()
        (folder / "file").write_bytes(os.urandom(60_000))
    assert audit.find_over_budget(folders[:1], 0.0001) == []
    (problem,) = audit.find_over_budget(folders, 0.0001)
    assert problem.endswith("more than 0.0001 GB.")


def test_a_database_that_is_damaged_is_found(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE trials (number INTEGER, state TEXT)")
        connection.execute("CREATE INDEX states ON trials (state)")
        connection.executemany("INSERT INTO trials VALUES (?, ?)", [(number, "x" * 50) for number in range(500)])
        connection.commit()
    assert audit.find_damaged([path]) == []
    content = bytearray(path.read_bytes())
    content[8192:12288] = bytes(4096)
    path.write_bytes(content)
    (problem,) = audit.find_damaged([path])
    assert problem.startswith(f"{path} is damaged: ")
