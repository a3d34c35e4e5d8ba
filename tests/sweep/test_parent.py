"""The parent run of a search: who leads it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from filelock import FileLock

from src.sweep.parent import _lock_path, open_parent


def test_who_looks_for_a_moment_keeps_no_search_from_leading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = SimpleNamespace(
        name="mine",
        storage_url=f"sqlite:///{tmp_path / 'optuna.db'}",
        get_attr=lambda name: None,
        set_attr=lambda name, value: None,
    )
    search = cast(Any, SimpleNamespace(root=tmp_path, name="mine"))
    studies = cast(Any, [study])
    run = SimpleNamespace(run_id="1234")
    look = FileLock(_lock_path(tmp_path, "mine", studies[0]))
    look.acquire()
    monkeypatch.setattr("filelock._api.time.sleep", lambda seconds: look.release())
    monkeypatch.setattr("src.sweep.parent._start", lambda search, store, warnings: run)
    monkeypatch.setattr("src.sweep.parent._await_parent", lambda studies: "of another process")
    parent = open_parent(search, cast(Any, None), studies, [])
    parent.release()
    assert parent.run is cast(Any, run)
