"""Which runs of trials that were run again count."""

from __future__ import annotations

import pytest

from src.comparison.retries import Retries
from src.tracking.records import RunRecord

RETRIES = Retries(frozenset({("adam", "3")}), {("adam", "5"): "local-01", ("sgd", "5"): None})


def make_run(arm: str, number: int, state: str, begun_with: str = "") -> RunRecord:
    tags = {"fitgap.arm": arm, "fitgap.trial_number": str(number), "fitgap.state": state, "fitgap.journal": begun_with}
    return RunRecord("0123", "run", "FAILED", "trial", tags)


@pytest.mark.parametrize(
    ("run", "named"),
    [
        (make_run("adam", 3, "lost"), True),
        (make_run("sgd", 3, "lost"), False),
        (make_run("adam", 5, "oom"), True),
        # It was begun while the store was away, and ran out of memory alone on its GPU too.
        (make_run("adam", 5, "oom", begun_with="local-01"), False),
        (make_run("adam", 5, "complete"), False),
        (make_run("sgd", 5, "oom"), True),
        (make_run("sgd", 6, "oom"), False),
    ],
)
def test_the_last_attempt_of_a_trial_counts_alone(run: RunRecord, named: bool) -> None:
    assert RETRIES.names(run) == named
    assert Retries.from_text(RETRIES.to_text()).names(run) == named


@pytest.mark.parametrize("text", ["", RETRIES.to_text()[:20]])
def test_a_note_that_is_not_there_or_cut_off_names_no_run(text: str) -> None:
    assert Retries.from_text(text) == Retries()
