"""The parent run of a search: who leads it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from filelock import FileLock

from src.config.tracking import TrackingConfig
from src.errors import TrackingError
from src.sweep.parent import Parent, _lock_path, open_parent, take_over
from src.tracking.store import Store


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


@pytest.mark.parametrize("offline", ["continue", "fail"])
def test_who_takes_over_a_search_leads_it_though_its_parent_run_is_still_to_be_delivered(
    offline: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = SimpleNamespace(tracking=TrackingConfig(offline=offline))
    search = cast(Any, SimpleNamespace(name="mine", arms=[SimpleNamespace(checked=checked)]))
    joined = Parent("local-0123", None, FileLock(tmp_path / "lead.lock"))
    run = SimpleNamespace(run_id="local-0123")
    monkeypatch.setattr("src.sweep.parent._resume", lambda store, run_id, search: run)
    if offline == "fail":
        with pytest.raises(TrackingError, match="has not been delivered"):
            take_over(search, store, joined)
        return
    leading = take_over(search, store, joined)
    leading.release()
    assert leading.run is cast(Any, run)
