"""Searches from command line to report, with trials in this process: what is run, told, refused and gone on with."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sweep.site import PARABOLOID, Answer, Site, check_books

MakeSite = Callable[[str], Site]


@pytest.fixture(scope="module")
def make_site(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> MakeSite:
    """Makes a folder for a test's searches."""
    return lambda name: Site(tmp_path_factory.mktemp(name), migrated_database)


@pytest.fixture
def site(tmp_path: Path, migrated_database: Path) -> Site:
    return Site(tmp_path, migrated_database)


@pytest.fixture(scope="module")
def done(make_site: MakeSite) -> tuple[Site, Answer]:
    """A search that has been run to its end; those who go on with it take a copy."""
    site = make_site("done")
    return site, site.call("x=interval(-5,5)", "hydra.sweeper.n_trials=3", "hydra.sweeper.pruner=none")


@pytest.fixture
def copy(done: tuple[Site, Answer], tmp_path: Path) -> Site:
    """The same search at the same place as far as its stores know, to be gone on with."""
    original, _ = done
    site = Site(tmp_path, None)
    shutil.copy(original.folder / "optuna.db", tmp_path)
    # The store's address is part of what a study is recognized by.
    site.uri = original.uri
    return site


def test_a_search_runs_its_trials_and_its_parent_run_has_all_that_came_of_it(done: tuple[Site, Answer]) -> None:
    site, answer = done
    assert answer.code == 0, answer.output
    check_books(site, 3)
    parent, children = site.parent(), site.children()
    assert (parent.info.status, parent.data.tags["fitgap.state"]) == ("FINISHED", "complete")
    assert parent.data.params["search.x"] == "-5 to 5"
    assert site.artifacts(parent) >= {"trials.csv", "winner.yaml", "comparison.csv", "plots"}
    for trial, run in zip(site.trials(), children, strict=True):
        assert trial.state == "complete"
        assert float(run.data.params["x"]) == trial.values["x"]
        assert run.data.metrics == trial.metrics == {"value": trial.objectives[0], "cost": abs(trial.values["x"])}
    best = min(trial.objectives[0] for trial in site.trials())
    assert f"{best:.4g}" in answer.output
    assert parent.data.metrics["best_so_far_value"] == best


def test_a_grid_that_has_a_name_is_kept_under_it_and_gone_on_with(site: Site) -> None:
    grid = ("x=1,2", "hydra.sweeper.study_name=mine")
    answer = site.call(*grid)
    assert answer.code == 0, answer.output
    check_books(site, 1, studies=2)
    assert site.study_names() == ["mine/x=1", "mine/x=2"]
    answer = site.call(*grid)
    assert "nothing is left to do" in answer.words
    assert len(site.begun()) == 2


def test_an_application_of_fifteen_lines_reports_each_step(site: Site) -> None:
    overrides = ["x=interval(-5,5)", "y=interval(-5,5)", "hydra.sweeper.n_trials=2", "hydra.sweeper.pruner=none"]
    answer = site.call(*overrides, app=PARABOLOID)
    assert answer.code == 0, answer.output
    check_books(site, 2)
    assert [sorted(trial.intermediate) for trial in site.trials()] == [[1, 2, 3, 4, 5]] * 2


def test_the_same_command_runs_nothing_and_says_so_where_all_is_done(copy: Site) -> None:
    answer = copy.call("x=interval(-5,5)", "hydra.sweeper.n_trials=3", "hydra.sweeper.pruner=none")
    assert answer.code == 0, answer.output
    assert "nothing is left to do" in answer.words
    assert copy.begun() == []
    check_books(copy, 3)


def test_a_larger_total_goes_on(copy: Site) -> None:
    answer = copy.call("x=interval(-5,5)", "hydra.sweeper.n_trials=5")
    assert answer.code == 0, answer.output
    assert [note["job"] for note in copy.begun()] == [3, 4]
    check_books(copy, 5)
    assert copy.parent().info.status == "FINISHED"


@pytest.mark.parametrize(
    ("overrides", "difference"),
    [
        (["x=interval(-4,5)"], "x: was -5 to 5; is -4 to 5"),
        (["x=interval(-5,5)", "hydra.sweeper.direction=maximize"], "value: was minimize; is maximize"),
        (["x=interval(-5,5)", "pause=0.01"], "pause: was 0.0; is 0.01"),
    ],
    ids=["space", "objective", "configuration"],
)
def test_a_search_that_has_changed_is_refused_with_what_has_changed(
    copy: Site, overrides: list[str], difference: str
) -> None:
    answer = copy.call("hydra.sweeper.n_trials=4", *overrides)
    assert answer.code == 2, answer.output
    assert difference in answer.words
    assert "hydra.sweeper.study_name=" in answer.words
    assert "Traceback" not in answer.output
    assert copy.begun() == []
    assert copy.parent().info.status == "FINISHED"


def test_a_search_that_has_changed_is_begun_anew_under_another_name(site: Site) -> None:
    for overrides in (["x=interval(-5,5)"], ["x=interval(-4,5)", "hydra.sweeper.study_name=other"]):
        answer = site.call("hydra.sweeper.n_trials=1", *overrides)
        assert answer.code == 0, answer.output
    assert sorted(site.study_names()) == ["misbehaving/search of x", "other"]
    assert [len(site.trials(name)) for name in site.study_names()] == [1, 1]


def test_each_arm_is_a_study_of_its_own_with_the_whole_budget(site: Site) -> None:
    answer = site.call("y=0,1", "x=interval(-5,5)", "hydra.sweeper.n_trials=2", "hydra.sweeper.pruner=none")
    assert answer.code == 0, answer.output
    check_books(site, 2, studies=2)
    # The arms take turns, so that an end before time leaves them with equal numbers.
    assert [run.data.tags["fitgap.arm"] for run in site.runs() if "fitgap.arm" in run.data.tags] == ["y=0", "y=1"] * 2
    assert {line.split()[0] for line in re.findall(r"y=[01] #\d", answer.output)} == {"y=0", "y=1"}
    parent = site.parent()
    assert parent.data.params["grid.y"] == "0,1"
    assert {path for path in site.artifacts(parent)} >= {"trials.csv", "winner.yaml", "plots"}


def test_a_trial_over_seeds_is_their_mean_above_a_run_for_each(site: Site) -> None:
    pruner = ["hydra.sweeper.pruner=threshold", "+hydra.sweeper.pruner_kwargs.upper=10"]
    answer = site.call("x=choice(1,9)", "hydra.sweeper.sampler=grid", "hydra.sweeper.seeds=[0,1,2]", *pruner)
    assert answer.code == 0, answer.output
    check_books(site, 2)
    mean, pruned = site.trials()
    assert mean.objectives == (pytest.approx(1.01),)
    assert mean.metrics["value_std"] == pytest.approx(0.01)
    assert mean.metrics["num_seeds"] == 3
    # The pruner has seen the first seed, and spared the others.
    assert pruned.state == "pruned"
    assert [(note["x"], note["seed"]) for note in site.begun()] == [(1, 0), (1, 1), (1, 2), (9, 0)]
    run, stopped = site.children()
    assert (run.info.status, stopped.info.status) == ("FINISHED", "KILLED")
    assert run.data.metrics["value"] == pytest.approx(1.01)


def test_an_arm_ends_when_nothing_has_improved_for_long(site: Site) -> None:
    settings = ["hydra.sweeper.warm_start=[{x: 2}]", "hydra.sweeper.patience=2", "hydra.sweeper.n_trials=9"]
    answer = site.call("x=interval(-5,5)", *settings)
    assert answer.code == 0, answer.output
    assert len(site.trials()) == 3
    assert "nothing has improved for 2 trials (hydra.sweeper.patience)" in answer.words
    assert site.parent().data.tags["fitgap.state"] == "complete"


def test_the_time_of_a_search_is_a_total_across_its_processes(site: Site) -> None:
    settings = ["x=interval(-5,5)", "pause=0.3", "hydra.sweeper.n_trials=50"]
    numbers = []
    for _ in range(2):
        answer = site.call(*settings, "hydra.sweeper.timeout=1")
        assert answer.code == 0, answer.output
        assert "hydra.sweeper.timeout of 1 s is used up" in answer.words
        numbers.append(len(site.trials()))
    assert 1 <= numbers[0] < 5
    assert numbers[1] == numbers[0]
    assert site.parent().data.tags["fitgap.reason"] == "hydra.sweeper.timeout of 1 s is used up"


def test_after_its_clock_time_a_search_starts_no_trial(site: Site) -> None:
    answer = site.call("x=interval(-5,5)", "hydra.sweeper.until='2020-01-01 06:30'")
    assert answer.code == 0, answer.output
    assert "it is past 2020-01-01 06:30 (hydra.sweeper.until)" in answer.words
    assert site.begun() == []


def test_only_trials_that_keep_the_constraints_can_be_the_best(site: Site) -> None:
    points = "hydra.sweeper.warm_start=[{x: 2},{x: 1},{x: 0}]"
    settings = ["hydra.sweeper.constraints=['cost <= 1']", "hydra.sweeper.n_trials=3", "hydra.sweeper.pruner=none"]
    answer = site.call("x=interval(0,3)", points, *settings)
    assert answer.code == 0, answer.output
    check_books(site, 3)
    assert [trial.feasible for trial in site.trials()] == [False, True, True]
    assert "best: #1" in answer.words
    assert "\nx: 1" in (next(site.folder.glob("multirun/*/*/winner.yaml"))).read_text(encoding="utf-8")


def test_two_objectives_come_to_a_front(site: Site) -> None:
    objectives = ["hydra.sweeper.objective=[value,cost]", "hydra.sweeper.direction=[minimize,minimize]"]
    points = "hydra.sweeper.warm_start=[{x: 0},{x: 2},{x: 3}]"
    answer = site.call("x=interval(0,3)", points, *objectives, "hydra.sweeper.n_trials=3")
    assert answer.code == 0, answer.output
    check_books(site, 3)
    assert [trial.objectives for trial in site.trials()] == [(4, 0), (0, 2), (1, 3)]
    table = (next(site.folder.glob("multirun/*/*/comparison.csv"))).read_text(encoding="utf-8").splitlines()
    assert len(table) == 3
    assert site.parent().info.status == "FINISHED"


def test_an_objective_that_no_trial_logs_is_named_with_those_that_are(site: Site) -> None:
    answer = site.call("x=interval(0,3)", "hydra.sweeper.objective=valeu")
    assert answer.code == 2, answer.output
    assert "'valeu'" in answer.words
    assert "It ended with: cost, value." in answer.words
    assert len(site.trials()) == 1
    assert site.parent().info.status == "FAILED"
    (run,) = site.children()
    assert run.info.status == "FAILED"
    assert "'valeu'" in run.data.tags["fitgap.error"]


def test_known_points_are_tried_first(site: Site) -> None:
    settings = ["hydra.sweeper.warm_start=[defaults,{x: 2}]", "hydra.sweeper.n_trials=3"]
    answer = site.call("x=interval(-5,5)", "y=interval(-1,1)", *settings)
    assert answer.code == 0, answer.output
    first, second, _ = site.trials()
    assert first.values == {"x": 0.0, "y": 0.0}
    assert second.values["x"] == 2.0
    refused = site.call("x=interval(-5,5)", "hydra.sweeper.warm_start=[{x: 7}]", "hydra.sweeper.study_name=other")
    assert refused.code == 2
    assert "x must be -5 to 5, but got 7" in refused.words


def test_a_key_with_a_condition_is_searched_only_where_it_holds(site: Site) -> None:
    settings = ["+hydra.sweeper.conditions.y='how=well'", "hydra.sweeper.n_trials=4", "hydra.sweeper.pruner=none"]
    points = "hydra.sweeper.warm_start=[{how: well},{how: fine}]"
    answer = site.call("how=choice(well,fine)", "y=interval(-1,1)", points, *settings)
    assert answer.code == 0, answer.output
    check_books(site, 4)
    for trial in site.trials():
        assert ("y" in trial.values) == (trial.values["how"] == "well")


def test_a_grid_tries_every_point_once(site: Site) -> None:
    settings = ["hydra.sweeper.sampler=grid", "hydra.sweeper.pruner=none"]
    answer = site.call("x=choice(1,2)", "y=range(0,2)", *settings)
    assert answer.code == 0, answer.output
    check_books(site, 4)
    assert sorted((trial.values["x"], trial.values["y"]) for trial in site.trials()) == [(1, 0), (1, 1), (2, 0), (2, 1)]


@pytest.mark.parametrize(
    ("limits", "number", "reason"),
    [
        (["hydra.sweeper.max_consecutive_failures=2"], 2, "2 trials failed one after another"),
        (
            ["hydra.sweeper.max_consecutive_failures=null", "hydra.sweeper.max_failure_rate=0.25"],
            3,
            "3 of 8 planned trials failed",
        ),
    ],
    ids=["in a row", "rate"],
)
def test_too_many_failures_end_a_search_with_the_last_reasons(
    site: Site, limits: list[str], number: int, reason: str
) -> None:
    fixed = ["how=raise", "hydra.sweeper.retries=0", "hydra.sweeper.n_trials=8"]
    answer = site.call("x=interval(-5,5)", *fixed, *limits)
    assert answer.code == 1, answer.output
    assert reason in answer.words
    assert "failed: ValueError: x is" in answer.words
    assert len(site.trials()) == number
    parent = site.parent()
    assert (parent.info.status, parent.data.tags["fitgap.state"]) == ("FAILED", "failed")
    assert reason in parent.data.tags["fitgap.reason"]


def test_the_basic_launcher_says_that_it_runs_one_trial_at_a_time(site: Site) -> None:
    answer = site.call("x=interval(-5,5)", "hydra.sweeper.n_jobs=2", "hydra.sweeper.n_trials=2")
    assert answer.code == 0, answer.output
    assert "one trial at a time: n_jobs=2 has no effect" in answer.words
    check_books(site, 2)
