"""Fixtures for the tests of scheduled sweeps: nothing of the user's or the machine's is touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scheduling.box import Box


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own for records, locks and units; no variable of the shell leaks into them."""
    for variable in ("FITGAP_WEBHOOK", "FITGAP_OUTBOX_DIR", "MLFLOW_TRACKING_URI", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("FITGAP_SCHEDULE_DIR", str(tmp_path / "schedule"))
    monkeypatch.setenv("FITGAP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("FITGAP_CLAIMS_DIR", str(tmp_path / "claims"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def box(tmp_path: Path, cache_dir: Path, migrated_database: Path) -> Iterator[Box]:
    """A folder in which the shipped sweep, shrunk, is run by the command."""
    box = Box(tmp_path, cache_dir, migrated_database)
    yield box
    box.close()
