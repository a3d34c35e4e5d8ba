"""Who uses files: what one process does not say hides nothing of the rest."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from src.occupancy import _list_open, find_held_locks


def test_a_descriptor_that_has_vanished_hides_neither_the_others_nor_what_is_mapped(tmp_path: Path) -> None:
    descriptors = tmp_path / "fd"
    descriptors.mkdir()
    # It cannot be read as a link, like one that was closed between two looks.
    (descriptors / "0").touch()
    for number in range(1, 9):
        (descriptors / str(number)).symlink_to(f"/data/{number}")
    (tmp_path / "maps").write_text("7f00-7f10 r--s 00000000 08:01 12 /data/images.npy\n")
    expected = {Path(f"/data/{name}") for name in (*range(1, 9), "images.npy")}
    assert set(_list_open(tmp_path)) == expected


def test_what_is_mapped_counts_where_nobody_may_see_the_descriptors(tmp_path: Path) -> None:
    (tmp_path / "maps").write_text("7f00-7f10 r--s 00000000 08:01 12 /data/images.npy\n")
    assert list(_list_open(tmp_path)) == [Path("/data/images.npy")]


def test_a_lock_is_held_as_long_as_somebody_has_it_and_looking_changes_no_file(tmp_path: Path) -> None:
    (tmp_path / "poetry.lock").write_text("an artifact")
    (tmp_path / "poetry.lock").chmod(0o444)
    with FileLock(tmp_path / "mine.lock"):
        assert find_held_locks([tmp_path]) == [tmp_path / "mine.lock"]
    assert find_held_locks([tmp_path]) == []
    assert (tmp_path / "poetry.lock").read_text() == "an artifact"
