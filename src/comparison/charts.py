"""The charts of a sweep in MLflow's pages: there from its start, so that it can be watched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from src.tracking.run import TrackedRun
from src.tracking.sweeps import arrange_sweep
from src.tracking.views import NOTE_TAG


def arrange_charts(
    parent: TrackedRun,
    question: str,
    keys: Iterable[str],
    settings: Mapping[str, str],
    objectives: Mapping[str, str] | None = None,
) -> None:
    """Prepares the charts of a sweep that starts, and describes its parent run until its report does.

    Args:
        parent: The sweep's parent run.
        question: What the sweep shall answer.
        keys: The keys of the configuration in which its runs differ.
        settings: The configuration of one of them, as text by key, in which form runs log it as params.
        objectives: Direction of each metric that the sweep is about; the best validation accuracy if none is given.
    """
    address = arrange_sweep(parent.store, parent.run_id, name_params(keys, settings), objectives)
    parent.set_tags({NOTE_TAG: "\n\n".join(filter(None, [question, describe_charts(address)]))})


def describe_charts(address: str) -> str:
    """Returns the link to a sweep's charts in Markdown; nothing where there are none."""
    return f"[Its runs in charts]({address})" if address else ""


def name_params(keys: Iterable[str], settings: Mapping[str, str]) -> list[str]:
    """Returns the params that tell runs apart: for `model=vgg16,mobilenet`, the choice of a group, `model.name`."""
    named = [key.lstrip("+") for key in keys]
    return [key if key in settings or f"{key}.name" not in settings else f"{key}.name" for key in named]
