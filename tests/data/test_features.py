from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from src.data import entry as entry_module
from src.data.features import open_features
from src.data.split import Split, unite
from src.errors import StorageError

Rows = NDArray[np.float32]

ROWS: Rows = np.random.default_rng(0).normal(size=(10, 6)).astype(np.float32)


def compute(rows: Rows = ROWS) -> Iterator[Rows]:
    """Gives rows in pieces, the last of them smaller."""
    for start in range(0, len(rows), 4):
        yield rows[start : start + 4]


def refuse() -> Iterator[Rows]:
    raise AssertionError("These features were computed already.")


def open_rows(cache: Path, work: Callable[[], Iterator[Rows]] = compute, identity: object = "a") -> Rows:
    return open_features("tiny", identity, str(cache), shape=ROWS.shape, dtype=ROWS.dtype, compute=work)


def entry(cache: Path) -> Path:
    return next(path for path in (cache / "features").iterdir() if path.is_dir())


def test_features_are_computed_once_and_memory_mapped_afterwards(tmp_path: Path) -> None:
    first = open_rows(tmp_path)
    again = open_rows(tmp_path, refuse)
    for rows in (first, again):
        assert isinstance(rows, np.memmap)
        assert not rows.flags.writeable
        np.testing.assert_array_equal(rows, ROWS)


def test_another_identity_has_features_of_its_own(tmp_path: Path) -> None:
    open_rows(tmp_path, identity={"weights": "a"})
    other = open_rows(tmp_path, partial(compute, ROWS + 1), identity={"weights": "b"})
    np.testing.assert_array_equal(other, ROWS + 1)
    np.testing.assert_array_equal(open_rows(tmp_path, refuse, identity={"weights": "a"}), ROWS)


@pytest.mark.parametrize("damage", ["truncated", "empty", "another shape", "missing"])
def test_damaged_features_are_computed_again_with_a_warning(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    open_rows(tmp_path)
    path = entry(tmp_path) / "features.npy"
    match damage:
        case "truncated":
            os.truncate(path, 200)
        case "empty":
            os.truncate(path, 0)
        case "another shape":
            np.save(path, ROWS[:5])
        case "missing":
            path.unlink()
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(open_rows(tmp_path), ROWS)
    assert "are damaged" in caplog.text
    assert "are computed again" in caplog.text
    open_rows(tmp_path, refuse)


def test_what_is_interrupted_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt() -> Iterator[Rows]:
        yield ROWS[:4]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_rows(tmp_path, interrupt)
    assert [path.suffix for path in (tmp_path / "features").iterdir()] == [".lock"]
    np.testing.assert_array_equal(open_rows(tmp_path), ROWS)


def test_a_full_disk_is_a_storage_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(entry_module.os, "fsync", fail)
        with pytest.raises(StorageError, match="No space left on device"):
            open_rows(tmp_path)
    assert [path.suffix for path in (tmp_path / "features").iterdir()] == [".lock"]


def _compute_and_tell(told: multiprocessing.Queue[int]) -> Iterator[Rows]:
    told.put(os.getpid())
    yield from compute()


def _open_and_report(
    cache: Path,
    barrier: multiprocessing.Barrier,  # type: ignore[valid-type]
    told: multiprocessing.Queue[int],
    results: multiprocessing.Queue[Rows],
) -> None:
    barrier.wait(timeout=60)  # type: ignore[attr-defined]
    results.put(np.array(open_rows(cache, partial(_compute_and_tell, told))))


def test_of_three_processes_that_ask_at_once_one_computes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, told, results = context.Barrier(3), context.Queue(), context.Queue()
    arguments = (tmp_path, barrier, told, results)
    processes = [context.Process(target=_open_and_report, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    reports = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    for rows in reports:
        np.testing.assert_array_equal(rows, ROWS)
    told.get(timeout=60)
    assert told.empty()


def test_splits_unite_to_each_image_once() -> None:
    images = np.zeros((9, 4, 4, 3), np.uint8)
    labels = np.arange(9, dtype=np.int32) % 2
    parts = [np.array([5, 2, 8]), np.array([2, 5]), np.array([0]), np.array([], np.int64)]
    united = unite([Split(str(number), images, part, labels[part]) for number, part in enumerate(parts)])
    assert united.indices.tolist() == [0, 2, 5, 8]
    np.testing.assert_array_equal(united.labels, labels[[0, 2, 5, 8]])
