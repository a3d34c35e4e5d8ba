"""The last lines about a run: how it ended, where it can be looked at, and what to do if the store does not have it."""

from __future__ import annotations

from rich.console import Console

from src.console import print_facts
from src.tracking.delivery import Delivery
from src.tracking.identity import find_experiment_id, is_provisional
from src.tracking.run import TrackedRun
from src.tracking.store import Store, name_viewer

#: Where `mlflow ui` serves its pages unless it is told otherwise.
_LOCAL_PAGES = "http://127.0.0.1:5000"


def print_closing(console: Console, title: str, run: TrackedRun, delivery: Delivery, charts: str = "") -> None:
    """Prints a run's id, the pages that show it, and whether anything has still to be delivered.

    Args:
        console: Where to print.
        title: What has come to its end, and how.
        run: The run.
        delivery: What the store has of it.
        charts: Address of a sweep's charts, relative to MLflow's start page; empty where there are none.
    """
    facts = [
        ("run", f"{run.run_id} in experiment {run.store.experiment_name}"),
        ("look at it", name_viewer(run.store)),
    ]
    if not is_provisional(run.run_id):
        facts.append(("its page", name_page(run.store, run.run_id)))
    if charts:
        facts.append(("its charts", f"{_name_start(run.store)}/{charts}"))
    if delivery.reason is not None:
        facts.append(("not delivered", f"{delivery.reason}; deliver later with: {delivery.command}"))
    print_facts(console, title, facts)


def name_page(store: Store, run_id: str) -> str:
    """Returns the address of a run's page, on the server that is the store or that `mlflow ui` starts.

    The store has to have the run. MLflow 3.17 opens its pages for language models first; the address asks for those for
    trainings.
    """
    return f"{_name_start(store)}/#/experiments/{find_experiment_id(store)}/runs/{run_id}?workflowType=machine_learning"


def _name_start(store: Store) -> str:
    """Returns the address of MLflow's start page."""
    return name_viewer(store) if store.uri.startswith(("http:", "https:")) else _LOCAL_PAGES
