from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from src.data import download
from tests.data.file_server import FileServer
from tests.data.image_files import pet_files, write_zip


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def pets_zip(tmp_path: Path) -> Path:
    return write_zip(tmp_path / "pets.zip", pet_files())


@pytest.fixture
def server(pets_zip: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(download, "_FIRST_PAUSE_SECONDS", 0)
    server = FileServer(pets_zip.read_bytes())
    yield server
    server.close()
