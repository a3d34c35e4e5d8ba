"""Files that are never seen half-written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from src.whole_file import open_whole, write_whole


def test_a_file_is_written_into_a_folder_that_was_not_there(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "file.txt", b"whole")
    assert (tmp_path / "a" / "b" / "file.txt").read_bytes() == b"whole"
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file.txt"]


@pytest.mark.parametrize(("private", "mode"), [(False, 0o644), (True, 0o600)])
def test_who_may_read_it_is_said(tmp_path: Path, private: bool, mode: int) -> None:
    write_whole(tmp_path / "file", b"", private=private)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_where_it_cannot_be_written_the_old_one_stays_and_nothing_else_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_shall_last_is_on_the_disk_before_it_takes_the_place_of_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append((path.read_bytes(), os.fstat(descriptor).st_size))
    )
    write_whole(path, b"newer", lasting=True)
    assert synced == [(b"old", 5)]
    assert path.read_bytes() == b"newer"


def test_what_is_broken_off_while_it_is_written_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def write() -> None:
        with open_whole(tmp_path / "file") as file:
            file.write(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
