from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from src.errors import StudyError
from src.study.ticket import Ticket

TICKET = Ticket(
    storage="postgresql://fitgap:secret@host/studies",
    study_name="regularization-vgg16",
    trial_id=112,
    number=7,
    objectives=("best_val_accuracy", "final_gap_accuracy"),
    pruner="patient",
    pruner_kwargs={"patience": 3, "wrapped_pruner": "median", "wrapped_kwargs": {"n_startup_trials": 2}},
    reports=True,
    timeout_seconds=None,
    outcome="/sweeps/7/outcome.json",
    heartbeat_seconds=10,
)


@pytest.mark.parametrize("ticket", [TICKET, replace(TICKET, timeout_seconds=0.5, reports=False, pruner_kwargs={})])
def test_a_ticket_survives_its_file(ticket: Ticket, tmp_path: Path) -> None:
    ticket.write(tmp_path / "trial.json")
    assert Ticket.read(tmp_path / "trial.json") == ticket


def test_a_ticket_may_hold_a_password_and_is_read_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "trial.json"
    path.write_text("", encoding="utf-8")
    path.chmod(0o644)
    TICKET.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"objectives": ["a"], "queue": "fast"}'])
def test_a_ticket_that_cannot_be_read_says_which_file_and_what_it_is_for(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "trial.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError, match=r"which trial it is: .*trial\.json, named by FITGAP_TRIAL"):
        Ticket.read(path)
