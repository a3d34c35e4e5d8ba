"""The end of a grid: what it makes of cells that its store has not got yet."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from src.sweep.sweep import close_sweep
from src.tracking.outbox import open_journal
from src.tracking.records import load_run
from src.tracking.run import start_run
from src.tracking.store import Store, connect


@pytest.mark.parametrize(("slow", "report"), [(True, "due"), (False, "made")])
def test_the_report_of_a_grid_is_due_as_long_as_cells_are_on_disk(
    slow: bool, report: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = start_run(store, name="grid", tags={"fitgap.kind": "sweep"})
    cell = connect(store.uri).create_run(store.experiment_id, tags={"mlflow.parentRunId": parent.run_id}).info.run_id
    journal = open_journal(store, cell, "cell")
    journal.append("finish", status="FINISHED")
    journal.close()
    if slow:
        # As where it takes longer than is waited for.
        monkeypatch.setattr("src.tracking.reconciliation.deliver_pending", lambda outbox, *, quiet: [])
    console = Console(file=io.StringIO(), width=160)
    config = SimpleNamespace(tracking=SimpleNamespace(log_model=False))
    sweep = SimpleNamespace(
        console=console, question="Which?", axes=["model"], folder=tmp_path / "out", configs=[config]
    )
    close_sweep(cast(Any, sweep), store, parent, [], "complete")
    assert load_run(store, parent.run_id).tags["fitgap.report"] == report
