"""What a scheduled sweep has to come to."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from src.config.schedule import ScheduleConfig
from src.scheduling.goal import Goal, set_goal

NOW = datetime(2026, 11, 26, 22, 30, tzinfo=ZoneInfo("Europe/Berlin"))
LAST = Goal("digits/x 2026-11-25 22:30:00", 0, 16)


def decide(last: Goal | None, *, counted: int = 0, **block: str) -> Goal:
    return set_goal(ScheduleConfig(**block), "digits/x", 20, last, counted, NOW)


def test_a_new_study_begins_each_time_under_a_name_of_its_own() -> None:
    assert decide(None, counted=16) == Goal("digits/x 2026-11-26 22:30:00+01:00", 0, 20)


def test_a_study_that_grows_gets_as_many_trials_again_as_it_has_beyond_those_that_it_has() -> None:
    goal = decide(None, counted=33, study="grow")
    assert (goal.study, goal.total) == ("digits/x", 53)


@pytest.mark.parametrize("study", ["new", "grow"])
def test_what_was_not_finished_is_gone_on_with_to_its_own_total(study: str) -> None:
    unfinished = Goal("digits/x", 32, 16)
    goal = decide(unfinished, counted=40, study=study)
    # The number of trials is that of the file, which may have been changed.
    assert (goal.study, goal.total, goal.resumed) == ("digits/x", 52, True)


def test_what_was_not_finished_is_left_where_the_block_says_so() -> None:
    assert decide(LAST, unfinished="new").study == "digits/x 2026-11-26 22:30:00+01:00"
    assert decide(Goal("digits/x", 32, 16), counted=40, unfinished="new", study="grow") == Goal("digits/x", 40, 20)
