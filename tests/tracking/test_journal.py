"""The journal survives what can happen to a process and to a disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from filelock import FileLock

from src.tracking.journal import Journal


def _open(folder: Path) -> Journal:
    journal = Journal(folder)
    assert journal.open()
    return journal


def _steps(journal: Journal) -> list[int]:
    return [record["step"] for record in journal.pending(100)]


def test_a_second_process_finds_what_the_first_has_left_pending(tmp_path: Path) -> None:
    first = _open(tmp_path / "run")
    for step in range(5):
        first.append("metrics", step=step, values={"val_loss": float("nan")})
    first.confirm([1, 2])
    first.close()

    second = _open(tmp_path / "run")
    assert _steps(second) == [2, 3, 4]
    assert not second.finished
    second.append("finish", status="FINISHED")
    second.close()
    assert _open(tmp_path / "run").finished


def test_two_processes_never_hold_one_journal(tmp_path: Path) -> None:
    first = _open(tmp_path / "run")
    assert not Journal(tmp_path / "run").open()
    first.close()
    _open(tmp_path / "run").close()


def test_who_looks_for_a_moment_keeps_no_run_from_its_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look = FileLock(tmp_path / "lock")
    look.acquire()
    monkeypatch.setattr("filelock._api.time.sleep", lambda seconds: look.release())
    journal = Journal(tmp_path)
    assert journal.open()
    journal.close()


def test_a_half_written_last_line_is_ignored_and_overwritten(tmp_path: Path) -> None:
    first = _open(tmp_path / "run")
    first.append("metrics", step=1, values={})
    first.close()
    path = tmp_path / "run" / "journal.jsonl"
    path.write_bytes(path.read_bytes() + b'{"number": 2, "kind": "metr')

    second = _open(tmp_path / "run")
    assert _steps(second) == [1]
    second.append("metrics", step=3, values={})
    second.close()
    assert _steps(_open(tmp_path / "run")) == [1, 3]


def test_what_is_confirmed_out_of_turn_takes_nothing_before_it_for_delivered(tmp_path: Path) -> None:
    first = _open(tmp_path / "run")
    first.append("metrics", step=1, values={"val_loss": 0.5})
    moved = first.append("header", uri="elsewhere")
    first.confirm([moved["number"]])
    first.close()

    second = _open(tmp_path / "run")
    assert second.pending(100)[0]["step"] == 1
    second.confirm([record["number"] for record in second.pending(100)])
    second.close()
    assert _open(tmp_path / "run").count() == 0


def test_a_lost_cursor_only_delivers_again(tmp_path: Path) -> None:
    first = _open(tmp_path / "run")
    first.append("metrics", step=1, values={})
    first.confirm([1])
    first.close()
    (tmp_path / "run" / "cursor.json").write_text('{"deliv')

    assert _steps(_open(tmp_path / "run")) == [1]


def test_what_was_set_aside_stays_and_can_be_recalled(tmp_path: Path) -> None:
    first = _open(tmp_path / "run")
    for step in range(3):
        first.append("metrics", step=step, values={})
    first.set_aside(1, "refused")
    first.confirm([2])
    first.close()

    second = _open(tmp_path / "run")
    assert _steps(second) == [2]
    assert second.count() == 2
    assert second.refusals() == ["refused"]
    second.recall()
    assert _steps(second) == [0, 2]


def test_a_full_disk_keeps_records_in_memory_and_warns_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    journal = _open(tmp_path / "run")
    journal.append("metrics", step=0, values={})
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) > 10:
            return write(descriptor, data[:10])  # A disk fills up in the middle of a line.
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", lambda descriptor, data: full(descriptor, data[:15]))
    journal.append("metrics", step=1, values={})
    journal.append("metrics", step=2, values={})
    assert caplog.text.count("No space left on device") == 1
    assert _steps(journal) == [0, 1, 2]

    # When there is space again, what was kept in memory is written first.
    monkeypatch.setattr(os, "write", write)
    journal.append("metrics", step=3, values={})
    journal.close()
    assert _steps(_open(tmp_path / "run")) == [0, 1, 2, 3]


def test_an_interrupt_while_writing_leaves_a_valid_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = _open(tmp_path / "run")
    write = os.write

    def interrupted(descriptor: int, data: bytes) -> int:
        write(descriptor, data[:7])
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        journal.append("metrics", step=1, values={})
    monkeypatch.setattr(os, "write", write)
    journal.append("finish", status="KILLED", step=2)
    journal.close()

    again = _open(tmp_path / "run")
    assert _steps(again) == [1, 2]
    assert again.finished


def test_a_journal_that_could_not_be_opened_works_in_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "run").write_text("not a folder")
    journal = Journal(tmp_path / "run")
    with pytest.raises(OSError, match="run") as raised:
        journal.open()
    journal.open_failed(raised.value)
    journal.append("metrics", step=1, values={})

    assert _steps(journal) == [1]
    assert "cannot be written" in caplog.text
