from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest

from src.data import paging
from src.data.paging import find_pages, read_limits
from src.data.split import Split

PAGE = mmap.PAGESIZE


@pytest.fixture
def mapped(tmp_path: Path) -> np.memmap:
    path = tmp_path / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (50, 40, 40, 3), dtype=np.uint8))
    return np.load(path, mmap_mode="r")


def split_of(images: np.ndarray) -> Split:
    indices = np.random.default_rng(1).permutation(len(images))[:30]
    return Split("train", images, indices, np.zeros(30, np.int32))


@pytest.mark.parametrize("memory", [1, 2**40])
@pytest.mark.parametrize("positions", [None, slice(3, 20), np.asarray([29, 0, 7, 7])])
def test_a_split_loads_the_same_whether_its_images_fit_into_memory_or_not(
    mapped: np.memmap, monkeypatch: pytest.MonkeyPatch, memory: int, positions: slice | np.ndarray | None
) -> None:
    monkeypatch.setattr(paging, "usable_memory", lambda: memory)
    split = split_of(mapped)
    chosen = split.indices if positions is None else split.indices[positions]
    assert np.array_equal(split.load(positions), np.array(mapped)[chosen])


def test_arrays_that_are_mapped_from_no_file_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "usable_memory", lambda: 1)
    split = split_of(np.zeros((50, 4)))
    assert split.load().shape == (30, 4)


def test_rows_are_asked_for_in_the_files_order_by_whole_pages_that_hold_them() -> None:
    rows = np.asarray([2, 0])
    assert list(find_pages(128, PAGE, rows)) == [(0, PAGE + 128), (2 * PAGE, PAGE + 128)]
    for begin, (first, length) in zip([128, 128 + 2 * PAGE], find_pages(128, PAGE, rows), strict=True):
        assert first % PAGE == 0
        assert first <= begin
        assert begin + PAGE <= first + length


def test_a_split_asks_for_its_rows_alone_and_only_where_its_images_do_not_fit(
    mapped: np.memmap, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []
    original = paging.find_pages

    def spy(start, row_bytes, rows):
        # The header of the file is what comes before the first image.
        assert (start, row_bytes) == (mapped.offset, 40 * 40 * 3)
        asked.append(rows.tolist())
        return original(start, row_bytes, rows)

    monkeypatch.setattr(paging, "find_pages", spy)
    split = split_of(mapped)
    monkeypatch.setattr(paging, "usable_memory", lambda: 2 * mapped.nbytes)
    split.load(slice(0, 4))
    assert asked == []
    monkeypatch.setattr(paging, "usable_memory", lambda: 2 * mapped.nbytes - 2)
    split.load(slice(0, 4))
    assert asked == [split.indices[:4].tolist()]


def write_limits(root: Path, limits: dict[str, str]) -> Path:
    for name, limit in limits.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{limit}\n", encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("membership", "limits", "expected"),
    [
        ("0::/user/job\n", {"user/job/memory.max": "max", "user/memory.max": "1000", "memory.max": "5"}, [1000, 5]),
        # In a container the group's own folder is out of sight.
        ("0::/../outside\n", {"memory.max": "700"}, [700]),
        ("5:cpu:/x\n4:memory:/box/1\n", {"memory/box/1/memory.limit_in_bytes": "900"}, [900]),
        ("4:memory:/elsewhere\n", {"memory/memory.limit_in_bytes": "800", "memory.max": "1"}, [800]),
        ("0::/\n", {}, []),
    ],
)
def test_the_limits_of_control_groups_of_both_versions_are_read(
    tmp_path: Path, membership: str, limits: dict[str, str], expected: list[int]
) -> None:
    groups = tmp_path / "groups"
    groups.write_text(membership, encoding="utf-8")
    assert read_limits(groups, write_limits(tmp_path / "root", limits)) == expected


def test_a_system_without_control_groups_has_no_limits(tmp_path: Path) -> None:
    assert read_limits(tmp_path / "none", tmp_path) == []


def test_what_may_be_used_is_no_more_than_the_machine_has() -> None:
    machine = int(Path("/proc/meminfo").read_text(encoding="utf-8").split()[1]) * 1024
    assert 0 < paging.usable_memory() <= machine
