"""Units of systemd in a folder of the test's own, checked by systemd's own tools."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from src.config.paths import PROJECT_ROOT
from src.errors import ScheduleError
from src.scheduling.sweep_file import ScheduledSweep, load_sweep
from src.scheduling.systemd import Systemd, stamp_path, verify_units
from src.scheduling.units import write_service

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@pytest.fixture(autouse=True)
def _without_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever systemd runs this machine is not told of the test's units."""
    monkeypatch.setattr("src.scheduling.systemd._has_manager", lambda: False)


@pytest.fixture
def systemd() -> Systemd:
    return Systemd(PROJECT_ROOT)


@pytest.fixture
def nightly() -> ScheduledSweep:
    return load_sweep("nightly")


def test_units_lie_among_the_users_own(places: Path, systemd: Systemd, nightly: ScheduledSweep) -> None:
    change = systemd.install([nightly], dry_run=False)
    folder = places / "config" / "systemd" / "user"
    assert sorted(path.name for path in folder.iterdir()) == ["fitgap-nightly.service", "fitgap-nightly.timer"]
    assert set(change.texts) == {str(path) for path in folder.iterdir()}
    assert any("systemctl --user daemon-reload && systemctl --user enable --now fitgap-nightly.timer" in line
               for line in change.said)  # fmt: skip
    assert systemd.list_installed() == ["nightly"]
    assert systemd.is_current(nightly)


@needs_systemd
def test_systemd_finds_no_fault_with_them_and_starts_them_when_it_should(
    systemd: Systemd, nightly: ScheduledSweep
) -> None:
    systemd.install([nightly], dry_run=False)
    assert verify_units(sorted(systemd.folder.iterdir())) == []
    timer = (systemd.folder / "fitgap-nightly.timer").read_text()
    (calendar,) = [line.partition("=")[2] for line in timer.splitlines() if line.startswith("OnCalendar=")]
    answer = subprocess.run(["systemd-analyze", "calendar", calendar], capture_output=True, text=True, check=True)
    assert "Normalized form: Mon..Fri *-*-* 22:30:00" in answer.stdout


@needs_systemd
def test_units_that_systemd_finds_fault_with_are_not_installed(
    systemd: Systemd, nightly: ScheduledSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.scheduling.timers.find_python", lambda: "/not/there/python")
    with pytest.raises(ScheduleError, match="systemd finds fault with the units, and nothing is installed"):
        systemd.install([nightly], dry_run=False)
    assert systemd.list_installed() == []


def test_installing_twice_changes_nothing_and_another_environment_does(
    systemd: Systemd, nightly: ScheduledSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd.install([nightly], dry_run=False)
    times = {path: path.stat().st_mtime_ns for path in systemd.folder.iterdir()}
    assert systemd.install([nightly], dry_run=False).texts == {}
    assert {path: path.stat().st_mtime_ns for path in systemd.folder.iterdir()} == times

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://box:5000")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    assert not systemd.is_current(nightly)
    (changed,) = systemd.install([nightly], dry_run=False).texts
    assert Path(changed).name == "fitgap-nightly.service"
    assert 'Environment="MLFLOW_TRACKING_URI=http://box:5000"' in Path(changed).read_text()
    assert 'Environment="MLFLOW_TRACKING_TOKEN=secret"' in Path(changed).read_text()
    assert Path(changed).stat().st_mode & 0o077 == 0


def test_a_timer_that_is_installed_again_does_not_start_what_was_missed_meanwhile(
    systemd: Systemd, nightly: ScheduledSweep
) -> None:
    stamp = stamp_path("fitgap-nightly.timer")
    stamp.parent.mkdir(parents=True)
    stamp.touch()
    os.utime(stamp, (1, 1))
    systemd.install([nightly], dry_run=True)
    assert stamp.stat().st_mtime == 1
    systemd.install([nightly], dry_run=False)
    assert stamp.stat().st_mtime > 1
    os.utime(stamp, (1, 1))
    # As it is already: what the machine has missed while it was off is still to be started.
    systemd.install([nightly], dry_run=False)
    assert stamp.stat().st_mtime == 1


def test_removing_leaves_nothing_behind(places: Path, systemd: Systemd, nightly: ScheduledSweep) -> None:
    systemd.install([nightly], dry_run=False)
    wants = systemd.folder / "timers.target.wants"
    wants.mkdir()
    (wants / "fitgap-nightly.timer").symlink_to(systemd.folder / "fitgap-nightly.timer")
    stamp = stamp_path("fitgap-nightly.timer")
    stamp.parent.mkdir(parents=True)
    stamp.touch()
    assert len(systemd.remove(["nightly"], dry_run=True).texts) == 2
    assert systemd.list_installed() == ["nightly"]
    assert set(systemd.remove(["nightly"], dry_run=False).texts.values()) == {None}
    assert not systemd.folder.exists()
    assert not stamp.exists()
    assert systemd.remove(["nightly"], dry_run=False).texts == {}


def test_what_is_shown_is_not_written(systemd: Systemd, nightly: ScheduledSweep) -> None:
    change = systemd.install([nightly], dry_run=True)
    service = change.texts[str(systemd.folder / "fitgap-nightly.service")] or ""
    assert f'ExecStart="{sys.executable}" "-m" "src.schedule" "run" "nightly" "--by-timer"\n' in service
    assert f"WorkingDirectory={PROJECT_ROOT}\n" in service
    assert not systemd.folder.exists()


def test_another_checkouts_units_stay_as_they_are(systemd: Systemd, nightly: ScheduledSweep, tmp_path: Path) -> None:
    other = Systemd(tmp_path / "other checkout")
    other.install([nightly], dry_run=False)
    before = {path: path.read_text() for path in other.folder.iterdir()}
    assert systemd.list_installed() == []
    for change in (
        lambda: systemd.install([nightly], dry_run=False),
        lambda: systemd.remove(["nightly"], dry_run=False),
    ):
        with pytest.raises(ScheduleError, match="belongs to another checkout"):
            change()
    assert {path: path.read_text() for path in other.folder.iterdir()} == before


@needs_systemd
def test_a_command_and_an_environment_with_signs_of_systemds_own_come_through(tmp_path: Path) -> None:
    """Systemd's own reading of the service, without a systemd that runs anything."""
    folder = tmp_path / "a b%h$c"
    folder.mkdir()
    program = folder / "py thon"
    program.symlink_to(sys.executable)
    text = write_service("odd", folder, [str(program), "-c", "print('100%', '$5')"], {"X": 'a "b" $HOME 50% \\ c'})
    unit = tmp_path / "fitgap-odd.service"
    unit.write_text(text)
    assert verify_units([unit]) == []
    assert """"print('100%%', '$$5')"\n""" in text
    assert 'Environment="X=a \\"b\\" $HOME 50%% \\\\ c"' in text
    assert "a b%%h$c/py thon" in text
