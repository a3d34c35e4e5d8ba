"""The commands of `python -m src.schedule` but for `run`: what they print, and what they find to mend."""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from src.claims import Claim, ClaimBook
from src.config.paths import PROJECT_ROOT
from src.errors import ConfigError, ScheduleError
from src.occupancy import claims_folder
from src.scheduling import installation, machine, overview
from src.scheduling.doctor import print_examination
from src.scheduling.journal import Journal
from src.scheduling.machine import examine_folder, examine_machine
from src.scheduling.places import sweep_folder
from src.scheduling.shift import Shift
from src.scheduling.stores import examine_database, examine_stores
from src.scheduling.sweep_file import ScheduledSweep, load_sweep
from src.scheduling.systemd import Systemd

SHIFT = Shift(
    "nightly",
    "2026-11-25T22:30:00.000000+01:00",
    state="complete",
    ended="2026-11-25T23:30:00.000000+01:00",
    study="digits/nightly",
    n_trials=16,
    counted=16,
    objective="best_val_accuracy",
    best=0.9871,
)


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=300)


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> Systemd:
    """The user's units, in a folder of the test's own; no systemd is told of them."""
    monkeypatch.setattr("src.scheduling.systemd._has_manager", lambda: False)
    ours = Systemd(PROJECT_ROOT)
    for module in (overview, machine):
        monkeypatch.setattr(module, "open_timers", lambda kind: ours)
    return ours


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def test_installing_is_told_once_and_removing_too(timers: Systemd, console: Console) -> None:
    installation.install(timers, [], dry_run=False, console=console)
    assert "Installed in systemd: nightly." in printed(console)
    installation.install(timers, ["nightly"], dry_run=False, console=console)
    assert "Nothing to do: nightly is installed as written." in printed(console)
    installation.remove(timers, [], dry_run=False, console=console)
    installation.remove(timers, [], dry_run=False, console=console)
    assert "Nothing to do: systemd starts no sweep." in printed(console)


def test_installing_all_removes_what_is_not_scheduled_any_more(timers: Systemd, console: Console) -> None:
    timers.install([replace(load_sweep("nightly"), name="gone")], dry_run=False)
    installation.install(timers, ["nightly"], dry_run=False, console=console)
    assert timers.list_installed() == ["gone", "nightly"]
    installation.install(timers, [], dry_run=True, console=console)
    assert timers.list_installed() == ["gone", "nightly"]
    installation.install(timers, [], dry_run=False, console=console)
    assert timers.list_installed() == ["nightly"]


def test_a_sweep_without_a_schedule_is_not_installed(timers: Systemd, console: Console) -> None:
    with pytest.raises(ConfigError, match="It has no schedule block"):
        installation.install(timers, ["quick"], dry_run=False, console=console)


def test_the_list_shows_when_each_starts_and_what_came_of_it(
    timers: Systemd, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    Journal(sweep_folder("nightly")).write(SHIFT)
    overview.print_list(console)
    assert "22:30 no 2026-11-25 22:30 complete, 16 of 16 trials in 1:00 h, best_val_accuracy 0.9871" in printed(console)
    assert "python -m src.schedule install" in printed(console)
    timers.install([load_sweep("nightly")], dry_run=False)
    overview.print_list(console)
    assert "22:30 yes 2026-11-25" in printed(console)
    monkeypatch.setenv("FITGAP_OUTBOX_DIR", "/elsewhere")
    overview.print_list(console)
    assert "22:30 outdated 2026-11-25" in printed(console)


def test_the_status_shows_who_has_what_and_who_waits(console: Console) -> None:
    overview.print_status(console)
    assert printed(console) == "No scheduled sweep runs or waits, and no other has GPUs."
    book = ClaimBook(claims_folder())
    running = book.place(Claim("one", "/a", None))
    book.grant(running, [], "2026-11-27T06:30:00+01:00")
    waiting = book.place(Claim("two", "/b", None, count=2, priority=3))
    overview.print_status(console)
    told = printed(console)
    assert f"{os.getpid()} on " in told
    assert "one running all GPUs" in told
    assert "2026-11-27 06:30 0" in told
    assert "two waiting 2 GPUs" in told
    for held in (running, waiting):
        book.release(held)


def test_a_machine_in_order_has_nothing_to_mend(
    timers: Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_FREE", 0)
    monkeypatch.setattr(machine, "_ask", lambda program, *arguments: "yes")
    sweep = load_sweep("nightly")
    findings = [*examine_machine([sweep]), *examine_stores([in_folder(sweep, tmp_path)])]
    assert {finding.state for finding in findings} == {"good"}
    assert {finding.what for finding in findings} == {
        "GPUs", "folder", "disk", "clock", "timers", "lingering", "tracking store", "outbox", "studies"
    }  # fmt: skip


def test_what_has_to_be_mended_is_told_with_how(timers: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_FREE", 1e18)
    monkeypatch.setattr(machine, "_ask", lambda program, *arguments: "no")
    timers.install([load_sweep("nightly")], dry_run=False)
    monkeypatch.setenv("FITGAP_OUTBOX_DIR", "/elsewhere")
    told = " ".join(
        finding.told
        for finding in examine_machine([load_sweep("nightly", ["schedule.gpus=64"])])
        if finding.state == "mend"
    )
    for remedy in (
        "nightly: schedule.gpus=64, but",
        "Make room",
        "timedatectl set-ntp true",
        "python -m src.schedule install nightly",
        "loginctl enable-linger",
    ):
        assert remedy in told


def test_the_doctor_names_each_gpu_and_says_which_are_made_up(
    timers: Systemd, make_gpus: Callable[..., None], tmp_path: Path
) -> None:
    def find() -> list[tuple[str, str]]:
        return [(one.state, one.told) for one in examine_machine([load_sweep("nightly")]) if one.what == "GPUs"]

    make_gpus({"driver": "550.54.14"}, {"name": "Another GPU"})
    assert find() == [
        ("unknown", f"made up by FITGAP_GPUS={tmp_path}/gpus.json: unset it where sweeps are to use what there is."),
        ("good", "2: 0 (Some GPU, 25.8 GB, driver 550.54.14), 1 (Another GPU, 25.8 GB, driver made up)"),
    ]
    crowded = load_sweep("nightly", ["hydra.sweeper.n_jobs=3"])
    told = [one.told for one in examine_machine([crowded]) if one.what == "GPUs" and one.state == "mend"]
    assert told == [
        "nightly: 3 jobs at a time do not fit on 2 GPUs with 1 on each: set hydra.launcher.trials_per_gpu=2, or "
        "hydra.launcher.n_jobs=2."
    ]
    (tmp_path / "gpus.json").write_text("{}", encoding="utf-8")
    ((state, told),) = find()
    assert (state, "must hold a list" in told) == ("mend", True)


@pytest.mark.parametrize(
    ("listing", "seen", "state", "told"),
    [
        ("GPU 0: Some\\nGPU 1: Some\\n", "2", "good", "TensorFlow sees them"),
        ("GPU 0: Some\\nGPU 1: Some\\n", "0", "mend", "TensorFlow sees 0 of 2. Without CUDA's libraries"),
        ("GPU 0: Some\\n  (UUID: MIG-1)\\n  (UUID: MIG-2)\\n", "1", "good", "TensorFlow sees them"),
        ("GPU 0: Some\\n", None, "unknown", "TensorFlow could not be asked"),
    ],
)
def test_the_doctor_asks_whether_tensorflow_sees_the_gpus_that_the_driver_has(
    listing: str,
    seen: str | None,
    state: str,
    told: str,
    timers: Systemd,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "FITGAP_GPUS"):
        monkeypatch.delenv(name, raising=False)
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n[ $1 = --list-gpus ] && printf '{listing}'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr(machine, "_ask", lambda asked, *arguments, **_: seen if asked == sys.executable else "no")
    found = [one for one in examine_machine([]) if one.what == "GPUs"]
    assert found[-1].state == state
    assert found[-1].told.startswith(told)


def test_a_folder_that_is_no_folder_cannot_be_written(tmp_path: Path) -> None:
    assert examine_folder(tmp_path / "not" / "there").state == "good"
    (tmp_path / "file").touch()
    finding = examine_folder(tmp_path / "file" / "below")
    assert finding.state == "mend"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_database_is_looked_at_without_being_changed(tmp_path: Path) -> None:
    path = tmp_path / "optuna.db"
    assert examine_database("studies", path).state == "good"
    assert not path.exists()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY, text TEXT)")
        connection.executemany("INSERT INTO numbers (text) VALUES (?)", [("x" * 500,) for _ in range(500)])
        connection.commit()
    content = path.read_bytes()
    assert examine_database("studies", path).state == "good"
    assert path.read_bytes() == content

    damaged = bytearray(content)
    damaged[8192:20480] = bytes(12288)
    path.write_bytes(damaged)
    finding = examine_database("studies", path)
    assert (finding.state, str(path) in finding.told) == ("mend", True)
    path.write_text("This is no database at all, but a text.")
    assert "file is not a database" in examine_database("studies", path).told


def test_a_tracking_server_that_is_away_and_a_storage_that_cannot_be_used_are_told(
    dead_uri: str, tmp_path: Path
) -> None:
    sweep = replace(load_sweep("nightly"), tracking_uri=dead_uri, storage="postgresql://nobody@127.0.0.1:1/none")
    tracking, outbox, studies = examine_stores([sweep])
    assert (tracking.state, outbox.state, studies.state) == ("mend", "good", "mend")
    assert "connection refused" in tracking.told


def test_the_doctors_command_fails_where_something_has_to_be_mended(timers: Systemd, console: Console) -> None:
    Journal(sweep_folder("nightly")).write(replace(SHIFT, state="failed", reason="The disk is full.", log="/the/log"))
    with pytest.raises(ScheduleError, match="to be mended"):
        print_examination(console)
    assert "The disk is full. Read /the/log." in printed(console)


def test_the_command_line_names_its_commands_and_refuses_others() -> None:
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "src.schedule", *arguments]
        return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=False)

    told = call("--help")
    assert told.returncode == 0
    for command in ("install", "remove", "list", "run", "status", "doctor"):
        assert command in told.stdout
    assert call("instal").returncode == 2
    wrong = call("run", "nightlie")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert wrong.stderr.startswith("Error: There is no sweeps/nightlie.yaml.")


def in_folder(sweep: ScheduledSweep, folder: Path) -> ScheduledSweep:
    """Returns a sweep whose stores lie in a folder."""
    places = {"tracking_uri": f"sqlite:///{folder / 'mlflow.db'}", "storage": f"sqlite:///{folder / 'optuna.db'}"}
    return replace(sweep, **places)
