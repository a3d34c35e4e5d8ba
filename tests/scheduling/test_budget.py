"""The budget of the disk that a scheduled sweep keeps: whatever goes wrong with it is said, and ends no shift."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from src.errors import StorageError
from src.scheduling.budget import keep_budget


@pytest.fixture
def sweep() -> Any:
    """A sweep with a budget."""
    return cast(
        Any, SimpleNamespace(schedule=SimpleNamespace(disk_gb=1.0), tracking_uri="", storage="", cache_dir=None)
    )


def test_names_with_brackets_are_no_markup(sweep: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*places: object) -> None:
        raise StorageError("[/data] and [bold] :house: must stay.")

    monkeypatch.setattr("src.housekeeping.inventory.take_inventory", refuse)
    keep_budget(sweep, tmp_path / "log")
    assert (tmp_path / "log").read_text().strip() == "[/data] and [bold] :house: must stay."


def test_a_disk_that_cannot_be_read_is_said_and_ends_nothing(
    sweep: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*places: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("src.housekeeping.inventory.take_inventory", refuse)
    keep_budget(sweep, tmp_path / "log")
    assert "Input/output error" in (tmp_path / "log").read_text()


def test_a_log_that_cannot_be_written_ends_nothing(sweep: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    keep_budget(sweep, tmp_path / "file" / "log")
    assert (tmp_path / "file").read_bytes() == b""
