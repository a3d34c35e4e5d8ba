"""The shifts of a sweep on disk."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from src.errors import StorageError
from src.scheduling.journal import Journal
from src.scheduling.shift import Shift

SHIFT = Shift(sweep="nightly", started="2026-11-26T22:30:00.000000+01:00")


def test_a_shift_is_a_line_that_is_replaced_when_more_is_known(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "nightly")
    assert journal.read() == []
    journal.write(SHIFT)
    journal.write(replace(SHIFT, started="2026-11-27T22:30:00.000000+01:00"))
    journal.write(ended := replace(SHIFT, state="complete", best=0.5))
    assert journal.read()[1] == ended
    assert len(journal.path.read_text().splitlines()) == 2


def test_what_other_versions_have_written_and_what_is_damaged_does_not_hide_the_rest(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    lines = [
        json.dumps({"sweep": "nightly", "started": "x", "of_the_future": 1}),
        '{"sweep": "ni',
        "[]",
        SHIFT.to_json(),
    ]
    journal.path.write_text("\n".join(lines))
    assert [shift.started for shift in journal.read()] == ["x", SHIFT.started]


def test_a_shift_that_nobody_has_ended_is_lost(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(SHIFT)
    journal.write(replace(SHIFT, started="earlier", state="failed"))
    assert journal.close_lost() == journal.read()[:1]
    assert [shift.state for shift in journal.read()] == ["lost", "failed"]
    assert journal.close_lost() == []


def test_old_logs_are_removed(tmp_path: Path) -> None:
    journal, start = Journal(tmp_path), datetime(2026, 1, 1, 22, 30)
    for day in range(70):
        journal.name_log(start + timedelta(days=day)).touch()
    logs = sorted(path.name for path in tmp_path.glob("*.log"))
    assert (len(logs), logs[0], logs[-1]) == (60, "2026-01-11T22-30-00.log", "2026-03-11T22-30-00.log")


def test_where_it_cannot_be_written_another_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="FITGAP_SCHEDULE_DIR"):
        Journal(tmp_path / "file" / "nightly").write(SHIFT)
