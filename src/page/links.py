"""Addresses within MLflow, as the page's content gives them: relative to its start page, `#/experiments/1/runs/…`."""

from __future__ import annotations

import re

_RUN = re.compile(r"/runs/([0-9A-Za-z_-]+)")


def leads_into_mlflow(link: str) -> bool:
    """Whether an address leads to a page of MLflow, and nowhere else."""
    return link.startswith("#/")


def find_run_id(link: str) -> str:
    """Returns the id of the run to which an address leads; empty where it leads elsewhere."""
    match = _RUN.search(link) if leads_into_mlflow(link) else None
    return match.group(1) if match else ""
