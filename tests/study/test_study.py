"""A study: asked for trials and told what became of them, to a total that holds across processes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage

from src.errors import ConfigError, StudyError
from src.study.counts import Counts
from src.study.objective import MissingMetricError
from src.study.outcome import Outcome
from src.study.owner import Owner
from src.study.storage import open_storage
from src.study.study import ArmStudy, Ask, StudySpec
from src.study.view import TrialView

Open = Callable[..., ArmStudy]
Run = Callable[..., Ask | None]


def test_a_trial_is_asked_run_and_told(open_study: Open) -> None:
    study = open_study(space=("x=interval(0,1)", "k=choice(a,b)", "+layers=range(1,4)"))
    assert not study.resumed
    owner = Owner.current()
    ask = study.ask(owner)
    assert ask is not None
    assert ask.number == 0
    assert ask.attempt == 1
    assert set(ask.values) == {"x", "k", "+layers"}
    assert ask.overrides == (f"x={ask.values['x']!r}", f"k={ask.values['k']}", f"+layers={ask.values['+layers']}")
    study.place(ask.number, "/sweep/0")
    running = study.trials()[0]
    assert (running.state, running.folder, running.seconds) == ("running", "/sweep/0", None)
    assert study.counts() == Counts(complete=0, pruned=0, failed=0, running=1, waiting=0)
    outcome = Outcome("complete", {"accuracy": 0.9, "loss": 0.1}, run_id="abc", seconds=12.5)
    view = study.tell(ask.number, outcome, retry=True)
    assert view == study.trials()[0]
    assert (view.state, view.objectives, view.run_id, view.seconds) == ("complete", (0.9,), "abc", 12.5)
    assert view.metrics == {"accuracy": 0.9, "loss": 0.1}
    assert view.values == ask.values
    assert view.feasible
    assert study.counts() == Counts(complete=1, pruned=0, failed=0, running=0, waiting=0)


def test_no_trial_is_given_beyond_the_total(open_study: Open, run_trial: Run) -> None:
    study = open_study(n_trials=2)
    first, second = study.ask(Owner.current()), study.ask(Owner.current())
    assert first is not None
    assert second is not None
    assert study.ask(Owner.current()) is None
    study.tell(first.number, Outcome("pruned", {}), retry=False)
    study.tell(second.number, Outcome("failed", {}, "ValueError: no"), retry=False)
    assert study.ask(Owner.current()) is None
    assert study.counts() == Counts(complete=0, pruned=1, failed=1, running=0, waiting=0)
    assert study.counts().counted == 2
    assert open_study(n_trials=3).ask(Owner.current()) is not None


def test_a_trial_that_is_run_again_counts_once_and_comes_first(open_study: Open, run_trial: Run) -> None:
    study = open_study(n_trials=2)
    failed = run_trial(study, state="oom", metrics={}, error="MemoryError", traceback="…\nMemoryError", retry=True)
    assert failed is not None
    assert study.counts() == Counts(complete=0, pruned=0, failed=0, running=0, waiting=1)
    again = study.ask(Owner.current())
    assert again is not None
    assert (again.number, again.attempt, again.values) == (1, 2, failed.values)
    other = study.ask(Owner.current())
    assert other is not None
    assert other.attempt == 1
    assert other.values != failed.values
    assert study.ask(Owner.current()) is None
    study.tell(again.number, Outcome("oom", {}, "MemoryError"), retry=True)
    third = study.ask(Owner.current())
    assert third is not None
    assert (third.attempt, third.values) == (3, failed.values)
    study.tell(third.number, Outcome("complete", {"accuracy": 0.5}), retry=False)
    study.tell(other.number, Outcome("complete", {"accuracy": 0.5}), retry=False)
    assert study.ask(Owner.current()) is None
    assert study.counts() == Counts(complete=2, pruned=0, failed=0, running=0, waiting=0)
    first = study.trials()[0]
    assert (first.state, first.error, first.traceback) == ("oom", "MemoryError", "…\nMemoryError")


def test_a_trial_that_is_run_again_knows_how_often_it_failed_and_where_the_first_attempt_had_its_files(
    open_study: Open,
) -> None:
    study = open_study(n_trials=1)
    told = []
    for attempt, state in enumerate(("interrupted", "lost", "interrupted", "failed"), start=1):
        ask = study.ask(Owner.current())
        assert ask is not None
        told.append((ask.attempt, ask.failures, ask.checkpoints))
        study.place(ask.number, f"/sweep/{attempt}")
        study.tell(ask.number, Outcome(state, {}), retry=True)
    assert told == [(1, 0, None), (2, 0, "/sweep/1"), (3, 1, "/sweep/1"), (4, 1, "/sweep/1")]
    assert [view.checkpoints for view in study.trials()] == ["/sweep/1"] * 5


def test_what_succeeded_is_not_run_again(open_study: Open, run_trial: Run) -> None:
    study = open_study()
    run_trial(study, retry=True)
    run_trial(study, state="pruned", metrics={}, retry=True)
    assert study.counts().waiting == 0


def test_a_trial_that_has_ended_stays_as_it_is(open_study: Open, run_trial: Run) -> None:
    study = open_study()
    run_trial(study, 0.7)
    view = study.tell(0, Outcome("failed", {}, "late"), retry=True)
    assert (view.state, view.objectives, view.error) == ("complete", (0.7,), None)
    assert len(study.trials()) == 1
    study.report(0, 0.5, 1)
    study.place(0, "/elsewhere")
    assert study.trials()[0].intermediate == {}


def test_a_missing_objective_ends_the_trial_and_is_an_error(open_study: Open) -> None:
    study = open_study()
    ask = study.ask(Owner.current())
    assert ask is not None
    with pytest.raises(MissingMetricError, match=r"'accuracy'.*Did you mean 'val_accuracy'"):
        study.tell(ask.number, Outcome("complete", {"val_accuracy": 0.5}), retry=True)
    # It would fail again.
    assert study.counts() == Counts(complete=0, pruned=0, failed=1, running=0, waiting=0)
    assert study.trials()[0].metrics == {"val_accuracy": 0.5}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_objective_that_is_no_number_is_a_divergence(open_study: Open, run_trial: Run, value: float) -> None:
    study = open_study()
    run_trial(study, value)
    view = study.trials()[0]
    assert (view.state, view.error) == ("diverged", f"accuracy is {value}")
    assert study.best() is None


def test_a_pruned_trial_keeps_its_reports_for_the_pruner(open_study: Open) -> None:
    study = open_study(pruner="median", pruner_kwargs={"n_startup_trials": 1, "n_warmup_steps": 0})
    good, bad = study.ask(Owner.current()), study.ask(Owner.current())
    assert good is not None
    assert bad is not None
    study.report(good.number, 0.9, 0)
    assert not study.should_prune(good.number)
    study.tell(good.number, Outcome("complete", {"accuracy": 0.9}), retry=False)
    study.report(bad.number, 0.1, 0)
    assert study.should_prune(bad.number)
    view = study.tell(bad.number, Outcome("pruned", {"accuracy": 0.1}), retry=False)
    assert (view.state, view.intermediate, view.objectives) == ("pruned", {0: 0.1}, ())


def test_the_best_trial_is_the_first_of_the_best_that_keep_the_constraints(open_study: Open, run_trial: Run) -> None:
    study = open_study(constraints=["gap <= 0.1"], n_trials=9)
    assert study.best() is None
    assert study.trials_since_best() == 0
    for accuracy, gap in ((0.6, 0.0), (0.99, 0.2), (0.8, 0.1), (0.8, 0.0), (0.7, math.nan)):
        run_trial(study, metrics={"accuracy": accuracy, "gap": gap})
    best = study.best()
    assert best is not None
    assert best.number == 2
    assert [view.number for view in study.ranking()] == [2, 3, 0]
    assert [view.feasible for view in study.trials()] == [True, False, True, True, False]
    assert study.trials_since_best() == 2
    assert [view.number for view in study.front()] == [2, 3]
    # Optuna sees the same constraints, which its samplers heed.
    assert study.study.best_trial.number == 2


def test_less_is_better_where_the_objective_is_minimized(open_study: Open, run_trial: Run) -> None:
    study = open_study(objective="loss", direction="minimize")
    for loss in (0.5, 0.2, 0.3):
        run_trial(study, metrics={"loss": loss})
    best = study.best()
    assert best is not None
    assert best.objectives == (0.2,)
    assert study.trials_since_best() == 1


def test_two_objectives_have_a_front_and_no_best(open_study: Open, run_trial: Run) -> None:
    study = open_study(objective=["accuracy", "loss"], direction=["maximize", "minimize"], n_trials=9, sampler="tpe")
    for accuracy, loss in ((0.5, 0.5), (0.6, 0.4), (0.9, 0.9), (0.6, 0.4), (0.4, 0.9)):
        run_trial(study, metrics={"accuracy": accuracy, "loss": loss})
    assert study.best() is None
    assert [view.number for view in study.front()] == [2, 1, 3]
    assert study.trials_since_best() == 2
    assert {trial.number for trial in study.study.best_trials} == {1, 2, 3}


def test_failed_trials_count_as_trials_without_improvement(open_study: Open, run_trial: Run) -> None:
    study = open_study(n_trials=9)
    run_trial(study, state="failed", metrics={})
    assert study.trials_since_best() == 1
    run_trial(study, 0.5)
    run_trial(study, state="failed", metrics={}, retry=True)
    assert study.trials_since_best() == 0
    run_trial(study, state="failed", metrics={})
    assert study.trials_since_best() == 1


def test_given_points_come_first_and_may_leave_keys_out(open_study: Open, run_trial: Run) -> None:
    space = ("x=interval(0,1)", "k=choice(a,b)")
    points = [{"x": 0.25, "k": "b"}, {"x": 0.75}, {"x": 0.25, "k": "b"}]
    study = open_study(points, space=space, n_trials=4)
    asks = [study.ask(Owner.current()) for _ in range(4)]
    values = [ask.values for ask in asks if ask is not None]
    assert values[0] == {"x": 0.25, "k": "b"}
    assert values[1]["x"] == 0.75
    assert values[2]["x"] not in (0.25, 0.75)
    assert values[2] != values[3]


def test_a_study_that_goes_on_keeps_the_points_it_was_begun_with(open_study: Open, run_trial: Run) -> None:
    run_trial(open_study([{"x": 0.25}, {"x": 0.5}]))
    ask = run_trial(open_study([{"x": 0.75}]))
    assert ask is not None
    assert ask.values == {"x": 0.5}
    ask = run_trial(open_study([{"x": 0.75}]))
    assert ask is not None
    assert ask.values not in ({"x": 0.75}, {"x": 0.25}, {"x": 0.5})


def test_a_grid_tries_every_point_once(open_study: Open, run_trial: Run) -> None:
    space = ("x=range(0.1,0.5,0.1)", "k=choice(a,true,3)", "n=range(1,3)")
    study = open_study(space=space, sampler="grid", n_trials=100)
    assert study.spec.n_trials == 24
    tried = []
    while (ask := run_trial(study)) is not None:
        tried.append(ask.overrides)
    assert len(set(tried)) == len(tried) == 24
    assert study.counts().counted == 24
    # It knows its end when it is opened again.
    again = open_study(space=space, sampler="grid", n_trials=100)
    assert again.spec.n_trials == 24
    assert again.ask(Owner.current()) is None


def test_a_grid_begins_with_the_points_that_agree_with_those_to_be_tried_first(
    open_study: Open, run_trial: Run
) -> None:
    study = open_study([{"b": "v"}], space=("a=choice(1,2)", "b=choice(u,v)"), sampler="grid", n_trials=20)
    tried = []
    while (ask := run_trial(study)) is not None:
        tried.append(tuple(ask.values.values()))
    assert tried == [(1, "v"), (2, "v"), (1, "u"), (2, "u")]
    # Whoever waits for more would wait for ever.
    assert study.counts().counted == study.spec.n_trials


def test_a_grid_may_be_cut_and_goes_on_where_another_sampler_ended(open_study: Open, run_trial: Run) -> None:
    space = ("x=range(0.1,0.5,0.1)", "k=choice(a,b)")
    values = []
    for sampler, n_trials in (("random", 2), ("grid", 4), ("grid", 100)):
        study = open_study(space=space, sampler=sampler, n_trials=n_trials)
        while (ask := run_trial(study)) is not None:
            values.append((round(ask.values["x"], 6), ask.values["k"]))
    assert len(values) in (8, 9)
    assert len(set(values)) == 8


def test_a_grid_of_numbers_without_number_is_refused(open_study: Open) -> None:
    with pytest.raises(ConfigError, match="x=interval"):
        open_study(sampler="grid")


def test_the_same_seed_gives_the_same_points(make_spec: Callable[..., StudySpec], tmp_path: Any) -> None:
    values = []
    for name in ("a", "b"):
        url = f"sqlite:///{tmp_path}/{name}.db"
        study = ArmStudy.open(open_storage(url), url, make_spec(seed=7))
        asks = [study.ask(Owner.current()) for _ in range(3)]
        values.append([ask.values for ask in asks if ask])
    assert values[0] == values[1]


def test_a_random_search_that_goes_on_does_not_repeat_itself(open_study: Open, run_trial: Run) -> None:
    values = set()
    for _ in range(4):
        # None of these openings has told anything when the next one begins.
        study = open_study(n_trials=50)
        for _ in range(2):
            ask = study.ask(Owner.current())
            assert ask is not None
            values.add(ask.values["x"])
    assert len(values) == 8


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "qmc", "nsgaii"])
def test_every_sampler_is_asked_and_told_with_trials_in_every_state(
    open_study: Open, run_trial: Run, sampler: str
) -> None:
    space = ("x=interval(0,1)", "y=tag(log,interval(1e-4,1))")
    # CMA-ES has no use for constraints, and warns.
    constraints = [] if sampler == "cmaes" else ["gap <= 0.5"]
    study = open_study(space=space, sampler=sampler, n_trials=40, constraints=constraints)
    study.ask(Owner.current())
    for index in range(16):
        run_trial(study, metrics={"accuracy": index / 16, "gap": index / 16})
        run_trial(study, state="pruned" if index % 2 else "failed", metrics={})
    assert study.counts() == Counts(complete=16, pruned=8, failed=8, running=1, waiting=0)


def test_a_run_that_becomes_known_after_the_end_is_kept(open_study: Open, run_trial: Run) -> None:
    study = open_study()
    run_trial(study)
    assert study.trials()[0].run_id is None
    study.set_run_id(0, "late")
    assert study.trials()[0].run_id == "late"
    assert open_study().trials()[0].run_id == "late"
    ask = study.ask(Owner.current())
    assert ask is not None
    study.set_run_id(ask.number, "early")
    assert study.trials()[1].run_id == "early"


def test_a_run_that_another_process_names_late_is_seen_at_once_where_that_is_asked_for(
    open_study: Open, run_trial: Run
) -> None:
    study, other = open_study(), open_study()
    run_trial(study)
    assert other.trials()[0].run_id is None
    study.set_run_id(0, "late")
    other.refresh()
    assert other.trials()[0].run_id == "late"


def test_what_a_study_keeps_is_json(open_study: Open) -> None:
    study = open_study()
    assert study.get_attr("fitgap.parent") is None
    study.set_attr("fitgap.parent", {"run": "abc", "numbers": [1, 2.5, None]})
    assert open_study().get_attr("fitgap.parent") == {"run": "abc", "numbers": [1, 2.5, None]}
    with pytest.raises(TypeError, match="not JSON serializable"):
        study.set_attr("fitgap.parent", object())


def test_a_study_of_another_program_is_not_taken_over(open_study: Open, storage: BaseStorage) -> None:
    other = optuna.create_study(storage=storage, study_name="study", direction="maximize")
    # One without trials may be ours, of a process that was killed when it had just created it.
    assert not open_study().resumed
    optuna.delete_study(storage=storage, study_name="study")
    other = optuna.create_study(storage=storage, study_name="study", direction="maximize")
    other.enqueue_trial({"x": 0.5})
    with pytest.raises(ConfigError, match=r"not begun by fitgap\. Choose another name with hydra\.sweeper\.study_name"):
        open_study()


def test_a_trial_enqueued_by_hand_is_taken(open_study: Open) -> None:
    study = open_study()
    study.study.enqueue_trial({"x": 0.125})
    ask = study.ask(Owner.current())
    assert ask is not None
    assert ask.values == {"x": 0.125}


def test_a_storage_that_is_lost_is_a_study_error(open_study: Open, tmp_path: Any) -> None:
    study = open_study()
    (tmp_path / "optuna.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StudyError, match="cannot be used"):
        study.ask(Owner.current())
    with pytest.raises(StudyError, match="cannot be used"):
        study.counts()


def test_eight_processes_share_a_total(
    run_together: Callable[..., list[str]], opened: str, url: str, open_study: Open
) -> None:
    code = (
        opened
        + """
while (ask := study.ask(owner)) is not None:
    study.place(ask.number, "/folder")
    for step in range(5):
        study.report(ask.number, step / 5, step)
    retry = ask.attempt == 1 and ask.number % 3 == 0
    state = "failed" if retry else "complete"
    study.tell(ask.number, Outcome(state, {"accuracy": ask.values["x"]}), retry=retry)
    print(ask.number, ask.values["x"])
close_storage(storage)
"""
    )
    printed = run_together(code, url, json.dumps({"n_trials": 30}), count=8)
    lines = [line.split() for output in printed for line in output.splitlines()]
    study = open_study(n_trials=30)
    views: list[TrialView] = study.trials()
    assert study.counts() == Counts(complete=30, pruned=0, failed=0, running=0, waiting=0)
    assert sorted(int(number) for number, _ in lines) == [view.number for view in views] == list(range(len(views)))
    firsts = [view for view in views if view.attempt == 1]
    assert len(firsts) == 30
    # No process repeats another's points, though all have the same seed.
    assert len({view.values["x"] for view in firsts}) == 30
    assert all(len(view.intermediate) == 5 for view in views)


def test_six_processes_may_begin_a_study_at_once(
    run_together: Callable[..., list[str]], opened: str, url: str, open_study: Open
) -> None:
    code = opened + "print(study.resumed)\nclose_storage(storage)\n"
    printed = run_together(code, url, "{}", count=6)
    assert sorted(printed) == ["False\n"] + ["True\n"] * 5
    assert open_study().get_attr("fitgap.openings") == 7
