"""Tickets for trials of a study, as a sweep writes them for its jobs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from src.study.owner import Owner
from src.study.study import ArmStudy
from src.study.ticket import Ticket


def make_ticket(study: ArmStudy, url: str, folder: Path, **changes: Any) -> Ticket:
    """Asks a study for a trial and returns its ticket, for a job in a folder that may not be there yet."""
    ask = study.ask(Owner.current())
    assert ask is not None
    folder.mkdir(exist_ok=True)
    ticket = Ticket(
        storage=url,
        study_name=study.name,
        trial_id=ask.trial_id,
        number=ask.number,
        objectives=study.spec.objectives.names,
        pruner="none",
        pruner_kwargs={},
        reports=True,
        timeout_seconds=None,
        outcome=str(folder / "outcome.json"),
        heartbeat_seconds=10,
    )
    return replace(ticket, **changes)
