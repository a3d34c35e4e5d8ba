"""Lines in a crontab: a program stands in for `crontab`, and keeps what it is given as the real one does."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from src.config.paths import PROJECT_ROOT
from src.errors import ConfigError, ScheduleError
from src.scheduling.cron import Cron
from src.scheduling.crontab import Crontab
from src.scheduling.sweep_file import ScheduledSweep, load_sweep

#: Lists, replaces and removes a table, and refuses one with a line that it cannot read, as Debian's does.
CRONTAB = """#!/bin/sh
table="{table}"
case "$1" in
  -l) [ -f "$table" ] && cat "$table" || {{ echo "no crontab for $USER" >&2; exit 1; }} ;;
  -r) rm "$table" ;;
  -) cat > "$table.new"; grep -q refuse "$table.new" && {{ echo "errors in crontab file" >&2; exit 1; }}
     mv "$table.new" "$table" ;;
esac
"""
THEIRS = "MAILTO=me\n# mine\n0 5 * * * backup %H\n"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the stand-in keeps the table in."""
    program = tmp_path / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(CRONTAB.format(table=tmp_path / "table"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path / "table"


@pytest.fixture
def nightly() -> ScheduledSweep:
    return load_sweep("nightly")


def test_a_line_reads_back_as_what_was_to_be_started(
    table: Path, nightly: ScheduledSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITGAP_OUTBOX_DIR", "/a b/50%'s")
    # Others of the machine could see it while the sweep runs.
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    Crontab(PROJECT_ROOT).install([nightly], dry_run=False)
    begin, line, end = table.read_text().splitlines()
    assert begin.startswith("#")
    assert end.startswith("#")
    *fields, command = line.split(maxsplit=5)
    assert Cron(" ".join(fields)).text == "30 22 * * 1-5"
    # An unescaped percent sign would be a line break to cron.
    assert re.findall(r"(?<!\\)%", command) == []
    assert "secret" not in command
    words = shlex.split(command.replace("\\%", "%"), comments=True)
    assert words[words.index("cd") + 1] == str(PROJECT_ROOT)
    assert "FITGAP_OUTBOX_DIR=/a b/50%'s" in words
    start = words.index(sys.executable)
    assert words[start : start + 6] == [sys.executable, "-m", "src.schedule", "run", "nightly", "--by-timer"]


def test_installing_twice_changes_nothing_and_removing_leaves_what_was_there(
    table: Path, nightly: ScheduledSweep
) -> None:
    table.write_text(THEIRS)
    crontab = Crontab(PROJECT_ROOT)
    assert list(crontab.install([nightly], dry_run=False).texts) == ["crontab"]
    assert table.read_text().startswith(THEIRS)
    assert crontab.list_installed() == ["nightly"]
    assert crontab.is_current(nightly)
    assert crontab.install([nightly], dry_run=False).texts == {}
    assert crontab.remove(["other"], dry_run=False).texts == {}
    crontab.remove(["nightly"], dry_run=False)
    assert table.read_text() == THEIRS


def test_a_table_that_holds_nothing_else_is_removed_as_a_whole(table: Path, nightly: ScheduledSweep) -> None:
    crontab = Crontab(PROJECT_ROOT)
    crontab.install([nightly], dry_run=False)
    crontab.remove(["nightly"], dry_run=False)
    assert not table.exists()


def test_another_checkouts_lines_and_those_without_an_end_stay(
    table: Path, nightly: ScheduledSweep, tmp_path: Path
) -> None:
    other, crontab = Crontab(tmp_path / "other"), Crontab(PROJECT_ROOT)
    other.install([nightly], dry_run=False)
    crontab.install([nightly], dry_run=False)
    begin = next(line for line in table.read_text().splitlines() if str(PROJECT_ROOT) in line)
    table.write_text(table.read_text() + f"{begin}\n{THEIRS}")
    crontab.remove(["nightly"], dry_run=False)
    assert other.list_installed() == ["nightly"]
    assert table.read_text().endswith(THEIRS)


def test_what_cron_refuses_is_told(table: Path, nightly: ScheduledSweep) -> None:
    table.write_text("refuse\n")
    with pytest.raises(ScheduleError, match="cron does not take the lines: errors in crontab file"):
        Crontab(PROJECT_ROOT).install([nightly], dry_run=False)


def test_without_cron_nothing_is_installed_and_nothing_can_be(
    tmp_path: Path, nightly: ScheduledSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Crontab(PROJECT_ROOT).list_installed() == []
    with pytest.raises(ScheduleError, match="There is no crontab on this machine"):
        Crontab(PROJECT_ROOT).install([nightly], dry_run=False)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("shown", [True, False])
def test_a_calendar_of_systemd_is_no_line_of_a_crontab(shown: bool, table: Path) -> None:
    sweep = load_sweep("nightly", ["schedule.when='Mon..Fri 22:30'"])
    with pytest.raises(ConfigError, match=r"the timers of this machine are cron's"):
        Crontab(PROJECT_ROOT).install([sweep], dry_run=shown)
