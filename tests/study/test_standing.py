"""Where a search stands, seen from outside."""

from __future__ import annotations

from pathlib import Path

import optuna

from src.study.address import sqlite_url
from src.study.objective import parse_objectives
from src.study.standing import read_standing
from src.study.storage import close_storage, open_storage

OBJECTIVES = parse_objectives("value", "minimize", [])


def make_study(url: str, name: str, values: list[float | None]) -> None:
    storage = open_storage(url)
    study = optuna.create_study(storage=storage, study_name=name, direction="minimize")
    for value in values:
        state = optuna.trial.TrialState.FAIL if value is None else optuna.trial.TrialState.COMPLETE
        study.add_trial(optuna.trial.create_trial(state=state, value=value))
    study.set_user_attr("of", name)
    close_storage(storage)


def test_a_search_that_has_not_begun_stands_nowhere_and_no_storage_is_made_by_looking(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "optuna.db")
    assert read_standing(url, "digits/x", OBJECTIVES) is None
    assert list(tmp_path.iterdir()) == []
    make_study(url, "digits/xyz", [1.0])
    assert read_standing(url, "digits/x", OBJECTIVES) is None


def test_the_arms_of_a_search_are_added_up_and_the_one_with_the_fewest_trials_counts(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "optuna.db")
    make_study(url, "digits/x/model=cnn", [3.0, 2.0, None])
    make_study(url, "digits/x/model=vgg16", [2.5, 1.5])
    make_study(url, "digits/other", [0.0])
    standing = read_standing(url, "digits/x", OBJECTIVES)
    assert standing is not None
    assert (standing.counted, standing.complete, standing.failed) == (2, 4, 1)
    assert standing.best is not None
    assert standing.best.objectives == (1.5,)
    assert standing.attrs["of"] in ("digits/x/model=cnn", "digits/x/model=vgg16")
