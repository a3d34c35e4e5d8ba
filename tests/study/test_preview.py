"""What a study would try first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from src.errors import ConfigError
from src.study.address import sqlite_url
from src.study.outcome import Outcome
from src.study.owner import Owner
from src.study.preview import collect_known_points, sample_points
from src.study.study import ArmStudy, StudySpec

SPACE = ("x=interval(0,1)", "y=int(interval(1,9))")


@pytest.mark.parametrize("sampler", ["random", "tpe", "qmc"])
def test_a_preview_shows_the_points_that_the_study_then_tries(
    sampler: str, make_spec: Callable[..., StudySpec], open_study: Callable[..., ArmStudy]
) -> None:
    points = [{"x": 0.25}, {"x": 0.5, "y": 3}]
    shown = sample_points(make_spec(space=SPACE, sampler=sampler), points, 3)
    study = open_study(points, space=SPACE, sampler=sampler)
    tried = []
    while (ask := study.ask(Owner.current())) is not None:
        tried.append(ask.values)
        study.tell(ask.number, Outcome("complete", {"accuracy": 0.5}), retry=False)
    assert len(shown) == 5
    assert shown[0]["x"] == 0.25
    assert shown[1] == {"x": 0.5, "y": 3}
    assert shown == tried


def test_a_preview_has_no_more_points_than_the_study_has_trials(make_spec: Callable[..., StudySpec]) -> None:
    assert len(sample_points(make_spec(n_trials=2), [{"x": 0.1}], 3)) == 2


def test_a_preview_of_a_grid_shows_its_first_points_after_those_of_the_warm_start(
    make_spec: Callable[..., StudySpec],
) -> None:
    spec = make_spec(space=("a=choice(1,2)", "b=choice(u,v)"), sampler="grid", n_trials=9)
    assert sample_points(spec, [{"a": 1, "b": "v"}], 2) == [{"a": 1, "b": "v"}, {"a": 1, "b": "u"}, {"a": 2, "b": "u"}]
    assert len(sample_points(spec, [], 100)) == 4


@pytest.mark.parametrize("changes", [{"sampler": "tpee"}, {"pruner": "medium"}, {"pruner_kwargs": {"n": 1}}])
def test_what_cannot_be_had_is_refused_before_the_study_begins(
    changes: dict[str, object], make_spec: Callable[..., StudySpec]
) -> None:
    with pytest.raises(ConfigError):
        sample_points(make_spec(**changes), [], 1)


def test_a_storage_that_nobody_needs_is_neither_opened_nor_made(
    tmp_path: Path, make_spec: Callable[..., StudySpec]
) -> None:
    space, url = make_spec().space, sqlite_url(tmp_path / "absent.db")
    assert collect_known_points(["defaults", {"x": 0.5}], space, {}, {"x": 0.1}, url) == [{"x": 0.1}, {"x": 0.5}]
    with pytest.raises(ConfigError, match="there is no study 'other'"):
        collect_known_points([{"study": "other", "best": 1}], space, {}, {}, url)
    assert list(tmp_path.iterdir()) == []


def test_the_best_trials_of_an_earlier_study_are_looked_up(
    url: str, open_study: Callable[..., ArmStudy], run_trial: Callable[..., object]
) -> None:
    study = open_study([{"x": 0.125}], name="earlier")
    run_trial(study, 0.5)
    points = collect_known_points([{"study": "earlier", "best": 1}], study.spec.space, {}, {}, url)
    assert points == [{"x": 0.125}]
