from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from src.closing import name_page, print_closing
from src.config.paths import PROJECT_ROOT
from src.tracking.delivery import Delivery
from src.tracking.store import Store


def make_store(uri: str) -> Store:
    return Store(uri=uri, experiment_id="7", experiment_name="digits", outbox=Path("outbox"))


def say(delivery: Delivery, width: int = 200, charts: str = "") -> str:
    """Returns what is printed at the end of a run with the id `abc` in the project's own store."""
    file = io.StringIO()
    run: Any = SimpleNamespace(run_id="abc", store=make_store(f"sqlite:///{PROJECT_ROOT / 'mlflow.db'}"))
    print_closing(Console(file=file, width=width), "vgg16: complete", run, delivery, charts)
    return file.getvalue()


def test_the_last_lines_name_the_run_the_viewer_and_the_page() -> None:
    said = say(Delivery(delivered=True, pending=0, reason=None, command="python -m src.deliver"))
    assert "vgg16: complete" in said
    assert "abc in experiment digits" in said
    assert "mlflow ui" in said
    assert "http://127.0.0.1:5000/#/experiments/7/runs/abc" in said
    assert "not delivered" not in said
    assert "its charts" not in said


def test_the_last_lines_of_a_sweep_name_its_charts() -> None:
    said = say(Delivery(delivered=True, pending=0, reason=None, command=""), charts="#/experiments/7/runs?x=y")
    assert "http://127.0.0.1:5000/#/experiments/7/runs?x=y" in said


def test_an_address_is_whole_also_where_it_does_not_fit() -> None:
    said = say(Delivery(delivered=True, pending=0, reason=None, command="python -m src.deliver"), width=50)
    assert "http://127.0.0.1:5000/#/experiments/7/runs/abc?workflowType=machine_learning" in "".join(said.split())


def test_what_is_not_delivered_is_said_with_the_reason_and_the_command() -> None:
    said = say(Delivery(delivered=False, pending=3, reason="no answer", command="python -m src.deliver"))
    assert "no answer; deliver later with: python -m src.deliver" in said


def test_a_servers_page_is_at_the_servers_address() -> None:
    page = name_page(make_store("http://tracking.example:5000"), "abc")
    assert page == "http://tracking.example:5000/#/experiments/7/runs/abc?workflowType=machine_learning"
