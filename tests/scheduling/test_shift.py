"""Shifts from their start to their notice: what is run, recorded and told; real searches run in one of the tests."""

from __future__ import annotations

import io
import itertools
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from rich.console import Console

from src.claims import Claim, ClaimBook
from src.clock import local_now
from src.errors import ConfigError, StudyError
from src.occupancy import claims_folder
from src.scheduling import execution, sweep_file
from src.scheduling.execution import run_shift
from src.scheduling.hangup import ending_on_hangup
from src.scheduling.journal import Journal
from src.scheduling.places import sweep_folder
from src.scheduling.search_process import Ended
from src.scheduling.shift import Shift
from src.study.standing import Standing
from src.study.view import TrialView
from tests.scheduling.box import Box
from tests.sweep.site import wait_until


@dataclass
class Searches:
    """Searches that take no time: what each was asked, and how the next of them ends.

    Attributes:
        commands: What they were started with.
        counted: Trials that each study has.
        adds: Trials that the next one adds; None is all that are missing.
        ended: How the next one ends.
        value: The best value that it comes to.
        prints: What it prints.
    """

    commands: list[list[str]] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)
    adds: int | None = None
    ended: Ended = field(default_factory=lambda: Ended(0, None, False))
    value: float = 0.5
    prints: str = ""

    def given(self, key: str) -> str:
        """Returns what the last one was given for a key of the sweeper."""
        values = [word.partition("=")[2] for word in self.commands[-1] if word.startswith(f"hydra.sweeper.{key}=")]
        return values[-1].strip("'") if values else ""

    def run(self, command: Sequence[str], log: Path, until: datetime | None, descriptors: Any, begun: Any) -> Ended:
        self.commands.append(list(command))
        begun(os.getpid())
        log.write_text(self.prints, encoding="utf-8")
        study, total = self.given("study_name"), int(self.given("n_trials"))
        before = self.counted.get(study, 0)
        self.counted[study] = total if self.adds is None else before + self.adds
        return self.ended

    def read(self, url: str, name: str, objectives: Any) -> Standing | None:
        if name not in self.counted:
            return None
        counted = self.counted[name]
        best = TrialView(0, 0, "complete", {}, (self.value,), {}, "run", None, None, 1, None, True, 1.0, 1.0, {}, None)
        return Standing(counted, counted, 0, 0, best if counted else None, {"fitgap.parent_run_id": "parent"})


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> Searches:
    made_up = Searches()
    monkeypatch.setattr(execution, "run_search", made_up.run)
    monkeypatch.setattr(execution, "read_standing", made_up.read)
    # What the checkout's own runs have left is none of theirs.
    monkeypatch.setattr(execution, "deliver_remainder", lambda uri, log: 0)
    monkeypatch.setattr(execution, "count_remainder", lambda uri: 0)
    # Nights that take no time would all be the same one.
    moments = (local_now() + timedelta(seconds=seconds) for seconds in itertools.count())
    monkeypatch.setattr(execution, "local_now", lambda: next(moments))
    return made_up


def run(*overrides: str, by_timer: bool = False) -> Shift:
    console = Console(file=io.StringIO(), width=200)
    return run_shift("nightly", [*overrides, "hydra.sweeper.n_trials=16"], by_timer=by_timer, console=console)


def journal() -> list[Shift]:
    return Journal(sweep_folder("nightly")).read()


def test_a_study_grows_night_by_night_and_is_compared_with_the_last(searches: Searches) -> None:
    first = run()
    assert (first.state, first.new_trials, first.best, first.change) == ("complete", 16, 0.5, None)
    assert searches.given("n_trials") == "16"
    searches.value = 0.75
    second = run()
    assert searches.given("n_trials") == "32"
    assert (second.study, second.new_trials, second.change) == ("digits/nightly", 16, 0.25)
    assert second.parent_run_id == "parent"
    assert journal() == [first, second]
    assert second.describe() in Path(second.log or "").read_text()


def test_a_new_study_has_a_name_of_its_own(searches: Searches) -> None:
    first = run("schedule.study=new")
    second = run("schedule.study=new")
    assert first.study != second.study
    assert searches.given("n_trials") == "16"


def test_a_night_in_which_no_trial_ends_is_trouble_though_the_study_has_a_best_value(searches: Searches) -> None:
    assert not run().is_trouble
    searches.adds, searches.ended = 0, Ended(143, None, out_of_time=True)
    empty = run()
    assert (empty.state, empty.best, empty.is_trouble) == ("timeout", 0.5, True)
    searches.adds = 3
    assert not run().is_trouble


def test_a_budget_is_kept_before_and_after_the_search_and_cannot_end_the_sweep(
    searches: Searches, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = box.folder / "budget"
    places = [*box.overrides, f"dataset.cache_dir={cache}", "schedule.disk_gb=1e-6"]

    def add_images(name: str) -> Path:
        folder = cache / "decoded" / name
        folder.mkdir(parents=True)
        (folder / "meta.json").write_text("{}")
        (folder / "images.npy").write_bytes(bytes(10_000))
        return folder

    before = add_images("before")
    gone = []

    def search(*arguments: Any) -> Ended:
        gone.append(not before.exists())
        add_images("after")
        return searches.run(*arguments)

    monkeypatch.setattr(execution, "run_search", search)
    shift = run(*places)
    assert gone == [True]
    assert not (cache / "decoded" / "after").exists()
    assert "deleted decoded images: after" in Path(shift.log or "").read_text()

    lock = box.folder / "studies" / "other.lock"
    lock.parent.mkdir()
    kept = add_images("kept")
    with FileLock(lock):
        shift = run(*places)
    assert (shift.state, kept.exists()) == ("complete", True)
    assert "is not kept: what is left must stay" in Path(shift.log or "").read_text()


def test_what_was_not_finished_is_gone_on_with(searches: Searches) -> None:
    searches.adds, searches.ended = 5, Ended(143, None, out_of_time=True)
    first = run("schedule.study=new")
    assert (first.state, first.new_trials) == ("timeout", 5)
    searches.adds, searches.ended = None, Ended(0, None, False)
    second = run("schedule.study=new")
    assert (second.study, searches.given("n_trials"), second.state) == (first.study, "16", "complete")
    assert run("schedule.study=new").study != first.study


def test_it_ends_by_the_clock_and_the_search_is_told_when(searches: Searches) -> None:
    soon = local_now() + timedelta(hours=2)
    shift = run(f"schedule.until='{soon:%H:%M}'")
    assert shift.until == soon.replace(second=0, microsecond=0).isoformat(timespec="seconds")
    assert searches.given("until") == shift.until


def test_gpus_are_passed_on_to_the_search(searches: Searches) -> None:
    assert "hydra.launcher.gpus" not in str(run() and searches.commands)
    run("schedule.gpus=[1,GPU-5]")
    assert "hydra.launcher.gpus=[1,GPU-5]" in searches.commands[-1]
    assert run("schedule.gpus=0").gpus == "cpu"
    assert "hydra.launcher.gpus=[]" in searches.commands[-1]


ENDS = {
    "it failed": (Ended(1, None, False), 3, "failed", "ended with 1: The disk is full."),
    "it was killed": (Ended(-9, None, False), 3, "failed", "The search was ended by SIGKILL."),
    "it was interrupted": (Ended(130, 2, False), 3, "interrupted", ""),
    "its time was over": (Ended(143, None, True), 3, "timeout", ""),
    "it did not end": (Ended(-9, None, True, killed=True), 3, "failed", "did not, and was killed."),
    "its patience ended": (Ended(0, None, False), 3, "complete", ""),
}


@pytest.mark.parametrize(("ended", "adds", "state", "reason"), ENDS.values(), ids=ENDS)
def test_how_a_search_ended_is_what_became_of_the_shift(
    ended: Ended, adds: int, state: str, reason: str, searches: Searches
) -> None:
    searches.ended, searches.adds, searches.prints = ended, adds, "bla\nError: The disk is full.\n"
    shift = run()
    assert (shift.state, shift.exit_code, shift.counted) == (state, ended.exit_code, 3)
    assert reason in (shift.reason or "")
    assert bool(shift.reason) == bool(reason)


@pytest.mark.parametrize("ended", [Ended(143, None, True), Ended(143, 15, False)])
def test_a_search_that_is_told_to_end_while_it_reports_has_come_to_its_trials(ended: Ended, searches: Searches) -> None:
    searches.ended = ended
    first = run("schedule.study=new")
    assert (first.state, first.new_trials) == ("complete", 16)
    assert run("schedule.study=new").study != first.study


def test_an_error_after_the_search_keeps_what_the_next_shift_goes_on_with(
    searches: Searches, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_storage(*arguments: Any) -> Ended:
        ended = searches.run(*arguments)
        monkeypatch.setattr(execution, "read_standing", refuse)
        return ended

    def refuse(url: str, name: str, objectives: Any) -> Standing | None:
        raise StudyError("The storage is away.")

    searches.adds = 5
    monkeypatch.setattr(execution, "run_search", lose_storage)
    with pytest.raises(StudyError, match="The storage is away"):
        run("schedule.study=new")
    (first,) = journal()
    assert (first.state, first.reason) == ("failed", "The storage is away.")
    assert "The storage is away." in Path(first.log or "").read_text()

    monkeypatch.setattr(execution, "run_search", searches.run)
    monkeypatch.setattr(execution, "read_standing", searches.read)
    assert run("schedule.study=new").study == first.study


@pytest.mark.parametrize(("at", "state"), [("read_standing", "interrupted"), ("keep_budget", "complete")])
def test_a_signal_after_the_search_is_recorded_and_told(
    at: str, state: str, searches: Searches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: Any) -> None:
        raise KeyboardInterrupt

    def search(*arguments: Any) -> Ended:
        ended = searches.run(*arguments)
        monkeypatch.setattr(execution, at, interrupt)
        return ended

    monkeypatch.setattr(execution, "run_search", search)
    with pytest.raises(KeyboardInterrupt):
        run(f"schedule.command='{shutil.which('tee')} {tmp_path / 'notice'}'")
    (shift,) = journal()
    assert (shift.state, shift.study) == (state, "digits/nightly")
    assert json.loads((tmp_path / "notice").read_text())["state"] == state


def test_a_signal_leaves_no_time_for_the_budget_and_a_budget_that_cannot_be_kept_harms_nothing(
    searches: Searches, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []

    def keep(*arguments: Any) -> None:
        kept.append(len(searches.commands))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(execution, "keep_budget", keep)
    assert run().state == "complete"
    assert kept == [0, 1]
    searches.adds, searches.ended = 0, Ended(143, 15, False)
    assert run().state == "interrupted"
    assert kept == [0, 1, 1]


def test_what_the_tracking_server_lacks_is_recorded_and_told(
    searches: Searches, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "deliver_remainder", lambda uri, log: 3)
    told = f"schedule.command='{shutil.which('tee')} {places / 'notice'}'"
    shift = run(told)
    assert (shift.state, shift.undelivered, shift.is_trouble) == ("complete", 3, False)
    left = "3 runs are not in the tracking store in full: the next shift delivers what it takes, or python -m "
    assert shift.describe().endswith(f". {left}src.deliver.")
    assert journal()[-1].undelivered == 3
    assert json.loads((places / "notice").read_text())["undelivered"] == 3


def test_runs_that_have_just_been_delivered_are_told_by_the_ids_that_the_server_has_given_them(
    searches: Searches, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"parent": "0123", "run": "4567"}
    monkeypatch.setattr(execution, "deliver_remainder", lambda uri, log: given.update(run="89ab") or 0)
    monkeypatch.setattr(execution, "name_delivered", lambda uri, run_id: given[run_id])
    shift = run()
    assert (shift.parent_run_id, shift.best_run_id) == ("0123", "89ab")
    assert journal() == [shift]


def test_the_gpus_are_free_while_what_is_left_is_delivered(searches: Searches, monkeypatch: pytest.MonkeyPatch) -> None:
    claims: list[list[Claim]] = []
    book = ClaimBook(claims_folder())
    monkeypatch.setattr(execution, "deliver_remainder", lambda uri, log: claims.append(book.read()) or 0)
    assert run().state == "complete"
    assert claims == [[]]


def test_a_signal_leaves_no_time_to_deliver_and_what_is_left_is_counted_all_the_same(
    searches: Searches, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    monkeypatch.setattr(execution, "deliver_remainder", lambda uri, log: pytest.fail("It is delivered."))
    monkeypatch.setattr(execution, "count_remainder", lambda uri: asked.append(uri) or 2)
    searches.ended = Ended(143, signal.SIGTERM, False)
    searches.adds = 1
    shift = run("tracking.uri=http://127.0.0.1:1")
    assert (shift.state, shift.undelivered, asked) == ("interrupted", 2, ["http://127.0.0.1:1"])


def test_a_study_that_refuses_to_go_on_is_left_where_new_ones_begin(searches: Searches) -> None:
    searches.adds, searches.ended = 5, Ended(143, None, out_of_time=True)
    first = run("schedule.study=new")
    searches.adds, searches.ended = 0, Ended(2, None, False)
    assert run("schedule.study=new").study == first.study
    assert run("schedule.study=new").study != first.study


def test_a_timer_that_comes_after_the_end_starts_nothing(searches: Searches) -> None:
    now = local_now()
    hour, minute = (now - timedelta(minutes=3)).hour, (now - timedelta(minutes=3)).minute
    overrides = [f"schedule.when='{minute} {hour} * * *'", f"schedule.until='{now - timedelta(minutes=1):%H:%M}'"]
    shift = run(*overrides, by_timer=True)
    assert (shift.state, searches.commands, shift.is_trouble) == ("missed", [], True)
    assert journal() == [shift]
    # By hand it is wanted now.
    assert run(*overrides).state == "complete"


@pytest.fixture
def taken() -> Iterator[Claim]:
    """Another sweep has all GPUs."""
    book = ClaimBook(claims_folder())
    held = book.place(Claim("other", "/there", None))
    book.grant(held, [], None)
    yield held.claim
    book.release(held)


def test_a_sweep_that_does_not_wait_is_skipped_and_says_who_was_in_its_way(taken: Claim, searches: Searches) -> None:
    shift = run("schedule.if_running=skip")
    assert (shift.state, searches.commands, shift.is_trouble) == ("skipped", [], False)
    assert (shift.reason or "").startswith(f"Its GPUs are taken: other of /there (process {os.getpid()} on ")


def test_a_sweep_that_waits_until_its_time_is_over_has_missed_it(taken: Claim, searches: Searches) -> None:
    shift = run("schedule.until=null", "schedule.time_limit=8h", "schedule.if_running=skip")
    assert shift.state == "skipped"
    assert [claim.sweep for claim in ClaimBook(claims_folder()).read()] == ["other"]


def test_a_shift_whose_process_was_killed_is_lost_at_the_next_look_told_and_gone_on_with(
    searches: Searches, tmp_path: Path
) -> None:
    started = "2026-11-25T22:30:00.000000+01:00"
    dead = Shift("nightly", started, study="digits/nightly", begun_with=16, n_trials=16, counted=16)
    Journal(sweep_folder("nightly")).write(dead)
    searches.counted["digits/nightly"] = 20
    told = tmp_path / "told"
    told.write_text("")
    run(f"schedule.command='{shutil.which('tee')} -a {told}'")
    notices = [json.loads(text) for text in told.read_text().replace("}{", "}\n{").splitlines()]
    assert [(notice["state"], notice["started"] == started) for notice in notices] == [
        ("lost", True),
        ("complete", False),
    ]
    assert searches.given("n_trials") == "32"
    assert [shift.state for shift in journal()] == ["lost", "complete"]


def test_what_goes_wrong_before_the_search_is_recorded_and_told(
    searches: Searches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(url: str, name: str, objectives: Any) -> Standing | None:
        raise StudyError("The storage is away.")

    monkeypatch.setattr(execution, "read_standing", refuse)
    with pytest.raises(StudyError, match="The storage is away"):
        run(f"schedule.command='{shutil.which('tee')} {tmp_path / 'notice'}'")
    (shift,) = journal()
    assert (shift.state, shift.reason, shift.is_trouble) == ("failed", "The storage is away.", True)
    assert json.loads((tmp_path / "notice").read_text())["trouble"] is True
    assert ClaimBook(claims_folder()).read() == []


def test_a_defect_is_recorded_too(searches: Searches, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> Ended:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(execution, "run_search", fail)
    with pytest.raises(OSError, match="No space"):
        run()
    (shift,) = journal()
    assert (shift.state, shift.reason) == ("failed", "[Errno 28] No space left on device")


def test_a_block_that_is_wrong_starts_nothing(searches: Searches) -> None:
    with pytest.raises(ConfigError, match=r"sweeps/nightly\.yaml cannot be scheduled"):
        run("schedule.until=late")
    assert searches.commands == []


def test_a_file_that_is_refused_is_recorded_and_told_where_a_timer_starts_it(
    searches: Searches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice, broken = tmp_path / "notice", tmp_path / "sweeps" / "nightly.yaml"
    broken.parent.mkdir()
    monkeypatch.setattr(sweep_file, "SWEEPS", broken.parent)
    broken.write_text(f"schedule:\n  when: 30 22 * * *\n  command: {shutil.which('tee')} {notice}\n")
    with pytest.raises(ConfigError, match="cannot be scheduled"):
        run("model.no_such_key=1")
    assert journal() == []
    with pytest.raises(ConfigError, match="cannot be scheduled"):
        run("model.no_such_key=1", by_timer=True)
    (shift,) = journal()
    assert (shift.state, shift.goal, shift.is_trouble) == ("failed", None, True)
    assert "no_such_key" in (shift.reason or "")
    assert json.loads(notice.read_text())["reason"] == shift.reason
    # Of a block that is wrong nobody can be told, and it is recorded all the same.
    broken.write_text("schedule: [")
    with pytest.raises(ConfigError):
        run("model.no_such_key=1", by_timer=True)
    assert [shift.state for shift in journal()] == ["failed", "failed"]


def test_the_shipped_sweep_runs_is_recorded_and_tells(box: Box) -> None:
    process = box.start("trainer.epochs=1", "hydra.sweeper.n_trials=1")
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert "nightly: complete, 1 of 1 trials in " in output
    (shift,) = journal()
    notice = json.loads((box.folder / "notice").read_text())
    assert notice["parent_run_id"] == shift.parent_run_id
    assert notice["best"] == shift.best is not None
    assert shift.parent_run_id in Path(shift.log or "").read_text()


def test_a_search_that_is_refused_says_why_in_a_message_and_its_study_is_left(box: Box) -> None:
    process = box.start("schedule.study=new", "hydra.sweeper.objective=no_such_metric")
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 1, output
    (shift,) = journal()
    assert shift.exit_code == 2
    assert (shift.reason or "").startswith("The search ended with 2: hydra.sweeper.objective and constraints name what")
    assert "Traceback" not in Path(shift.log or "").read_text()


@pytest.mark.slow
def test_a_grid_is_ended_in_time_and_gone_on_with(box: Box) -> None:
    grid = (
        "hydra.sweeper.params={model.dropout:[0,0.5],optimizer.learning_rate:0.001,augmentation.strength:0}",
        "hydra.sweeper.warm_start=[]",
        "schedule.study=new",
    )
    process = box.start(*grid, "trainer.epochs=60")
    assert process.stdout is not None
    log = Path(process.stdout.readline().rpartition("its log is ")[2].strip())
    wait_until(lambda: log.exists() and "#0 complete" in log.read_text(), "the first cell is done")
    process.terminate()
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 130, output

    process = box.start(*grid, "trainer.epochs=60")
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    first, second = journal()
    assert (first.state, first.new_trials) == ("interrupted", 0)
    assert (second.state, second.new_trials, second.study) == ("complete", 1, first.study)
    assert second.parent_run_id == first.parent_run_id
    assert "dropout=0.5" in Path(second.log or "").read_text()


def test_the_search_of_a_shift_does_not_mind_its_own_claim(box: Box, make_gpus: Callable[..., None]) -> None:
    # No GPU is there, and TensorFlow does without where they are made up.
    make_gpus({}, {})
    process = box.start("trainer.epochs=1", "hydra.sweeper.n_trials=1", "schedule.gpus=1")
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    (shift,) = journal()
    assert (shift.state, shift.gpus) == ("complete", "0")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_sweep_that_waits_says_for_whom_and_leaves_no_claim_when_it_is_told_to_end(
    number: signal.Signals, taken: Claim, box: Box
) -> None:
    process = box.start()
    assert process.stdout is not None
    told = process.stdout.readline()
    assert told.startswith(f"Waiting for all GPUs. In the way: other of /there (process {os.getpid()} on ")
    assert [claim.sweep for claim in ClaimBook(claims_folder()).read()] == ["other", "nightly"]
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143, output
    assert [claim.sweep for claim in ClaimBook(claims_folder()).read()] == ["other"]
    (shift,) = journal()
    assert (shift.state, shift.study) == ("interrupted", None)
    assert json.loads((box.folder / "notice").read_text())["state"] == "interrupted"


def test_a_terminal_that_is_closed_is_no_reason_to_end_where_nohup_has_been_asked_for() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_on_hangup():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
def test_a_sweep_that_is_told_to_end_closes_its_books_and_goes_on_next_time(box: Box) -> None:
    command = ("trainer.epochs=60", "hydra.sweeper.n_trials=2", "hydra.sweeper.pruner=none")
    process = box.start(*command)
    assert process.stdout is not None
    log = Path(process.stdout.readline().rpartition("its log is ")[2].strip())
    wait_until(lambda: log.exists() and "parent run" in log.read_text(), "the search has begun")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 130, output
    assert "digits/nightly: interrupted" in log.read_text()
    assert journal()[-1].state == "interrupted"
    assert ClaimBook(claims_folder()).read() == []

    process = box.start("trainer.epochs=60", *command[1:])
    output, _ = process.communicate(timeout=280)
    assert process.returncode == 0, output
    first, second = journal()
    assert (second.state, second.study, second.counted) == ("complete", first.study, 2)
    assert second.parent_run_id == first.parent_run_id


@pytest.mark.slow
def test_after_a_power_cut_the_next_shift_goes_on_with_what_is_lost(box: Box) -> None:
    command = ("trainer.epochs=60", "hydra.sweeper.n_trials=1", "hydra.sweeper.pruner=none")
    process = box.start(*command)
    assert process.stdout is not None
    log = Path(process.stdout.readline().rpartition("its log is ")[2].strip())
    wait_until(lambda: log.exists() and "parent run" in log.read_text(), "the search has begun")
    process.kill()
    process.wait()
    # The search is still there, and so is its claim.
    (claim,) = ClaimBook(claims_folder()).read()
    assert claim.pid != process.pid
    os.killpg(claim.pid, signal.SIGKILL)
    wait_until(lambda: not ClaimBook(claims_folder()).read(), "the claim has ended with its last process")

    process = box.start("trainer.epochs=60", *command[1:])
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    lost, second = journal()
    assert (lost.state, second.state, second.counted) == ("lost", "complete", 1)
    assert (second.study, second.parent_run_id is not None) == (lost.study, True)


@pytest.mark.slow
def test_a_sweep_whose_tracking_server_is_away_comes_to_its_trials_and_says_what_is_left(
    box: Box, dead_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITGAP_OUTBOX_DIR", str(tmp_path / "outbox"))
    process = box.start("hydra.sweeper.n_trials=1", "trainer.epochs=1", f"tracking.uri={dead_uri}")
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    [shift] = journal()
    # The parent run and that of the trial.
    assert (shift.state, shift.counted, shift.undelivered) == ("complete", 1, 2)
    assert len(list((tmp_path / "outbox").iterdir())) == 2
    log = Path(shift.log or "").read_text(encoding="utf-8")
    assert f"The tracking server at {dead_uri} is away" in log
    assert "2 runs are still pending" in log
