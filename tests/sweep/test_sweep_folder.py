"""The folder for the files of a sweep."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.errors import StorageError
from src.sweep.folder import make_folder


def test_a_sweeps_folder_may_be_there_already(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "outputs" / "sweep")
    assert (tmp_path / "outputs" / "sweep").is_dir()


@pytest.mark.parametrize("name", ["file", "file/sweep"])
def test_a_sweeps_folder_that_cannot_be_made_is_named_with_the_option_that_chooses_another(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match=r"hydra\.sweep\.dir=") as refused:
        make_folder(tmp_path / name)
    assert str(tmp_path / name) in str(refused.value)
