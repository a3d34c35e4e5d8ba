"""Pruners by name: each really judges a trial, and each mistake is named before the search."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from typing import Any

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.pruners import BasePruner, MedianPruner, NopPruner, PatientPruner, PercentilePruner

from src.errors import ConfigError
from src.study.pruners import PRUNERS, build_pruner, choose_pruner


def judge(pruner: BasePruner, curves: Sequence[Sequence[float]]) -> list[int | None]:
    """Returns for each trial the step at which it was stopped, of a study that minimizes."""
    # Hyperband draws each trial's bracket from the study's name.
    study = optuna.create_study(study_name="study", pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=1))
    stopped: list[int | None] = []
    for curve in curves:
        trial = study.ask()
        stopped.append(None)
        for step, value in enumerate(curve):
            trial.report(value, step)
            if trial.should_prune():
                stopped[-1] = step
                break
        state = optuna.trial.TrialState.COMPLETE if stopped[-1] is None else optuna.trial.TrialState.PRUNED
        study.tell(trial, curve[-1] if stopped[-1] is None else None, state=state)
    return stopped


GOOD, BAD = [0.5, 0.4, 0.3, 0.2, 0.1, 0.05], [9.0, 9.1, 9.2, 9.3, 9.4, 9.5]


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("median", {}),
        ("percentile", {}),
        ("percentile", {"percentile": 50.0, "n_warmup_steps": 1}),
        ("successive_halving", {"min_resource": 1, "reduction_factor": 2}),
        ("hyperband", {"min_resource": 1, "max_resource": 5, "reduction_factor": 2}),
        ("threshold", {"upper": 5}),
        ("patient", {"patience": 2}),
        ("patient", {"patience": 1, "wrapped_pruner": "median"}),
        ("wilcoxon", {"p_threshold": 0.2}),
    ],
)
def test_every_pruner_stops_a_bad_trial_and_no_good_one(name: str, kwargs: dict[str, Any]) -> None:
    good = [[value + offset / 100 for value in GOOD] for offset in (5, 4, 3, 2, 1, 0)]

    stopped = judge(build_pruner(name, kwargs), [*good, BAD])

    assert stopped[-1] is not None
    # Whoever halves stops what is good as well, where something else is better.
    assert stopped[:-1] == [None] * len(good) or name in ("successive_halving", "hyperband")


def test_without_a_pruner_nothing_is_stopped() -> None:
    assert isinstance(build_pruner("none", {}), NopPruner)
    assert judge(build_pruner("none", {}), [GOOD] * 6 + [BAD])[-1] is None


def test_every_name_can_be_built() -> None:
    needed: dict[str, dict[str, Any]] = {"threshold": {"lower": 0.1}, "patient": {"patience": 3}}

    assert all(isinstance(build_pruner(name, needed.get(name, {})), BasePruner) for name in PRUNERS)


def test_a_percentile_is_25_unless_it_is_said() -> None:
    pruner = build_pruner("percentile", {})

    assert isinstance(pruner, PercentilePruner)
    assert pruner._percentile == 25.0


def test_a_patient_pruner_wraps_another_by_name_with_its_arguments() -> None:
    kwargs = {"patience": 3, "wrapped_pruner": "median", "wrapped_kwargs": {"n_startup_trials": 2}}

    pruner = build_pruner("patient", OmegaConf.create(kwargs))

    assert isinstance(pruner, PatientPruner)
    assert isinstance(pruner._wrapped_pruner, MedianPruner)
    assert pruner._wrapped_pruner._n_startup_trials == 2


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        (
            "medain",
            {},
            r"hydra.sweeper.pruner must be one of none, median, .* but got 'medain'. Did you mean 'median'\?",
        ),
        ("median", {"n_warmup": 3}, r"pruner_kwargs has no 'n_warmup', but got 3 .* Did you mean 'n_warmup_steps'\?"),
        ("none", {"n_warmup": 3}, "The pruner none has no arguments"),
        ("median", {"n_startup_trials": 2.5}, "pruner_kwargs.n_startup_trials must be int, but got 2.5"),
        ("median", {"n_startup_trials": -1}, "The pruner median does not accept .* Optuna says: .*-1"),
        ("percentile", {"percentile": 120}, "does not accept"),
        ("successive_halving", {"min_resource": "most"}, "does not accept"),
        ("threshold", {}, "The pruner threshold does not accept .* with nothing. Optuna says: Either lower or upper"),
        ("patient", {}, "The pruner patient needs hydra.sweeper.pruner_kwargs.patience: set it"),
        ("patient", {"patience": 1, "wrapped_pruner": "medan"}, "pruner_kwargs.wrapped_pruner must be one of none, "),
        (
            "patient",
            {"patience": 1, "wrapped_pruner": ["median"]},
            "pruner_kwargs.wrapped_pruner must be one of none, ",
        ),
        ("patient", {"patience": 1, "wrapped_kwargs": {"p": 1}}, "wrapped_kwargs has no 'p', but got 1"),
        (
            "patient",
            {"patiens": 1},
            r"Did you mean 'patience'\? .*: min_delta, patience, wrapped_kwargs, wrapped_pruner",
        ),
    ],
)
def test_mistakes_are_named_with_what_to_type_instead(name: str, kwargs: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_pruner(name, kwargs)


def race(n_trials: int, steps: int, seed: int = 0) -> tuple[list[float], list[int | None]]:
    """Judges trials that differ in how low they get; returns their last values, and the step at which each stopped.

    They come in any order, and how low they are is to be seen from the first step on.
    """
    floors = [float(floor) for floor in range(n_trials)]
    random.Random(seed).shuffle(floors)
    curves = [[floor + 1 / step for step in range(1, steps + 1)] for floor in floors]
    name, kwargs = choose_pruner(n_trials, steps)
    return [curve[-1] for curve in curves], judge(build_pruner(name, kwargs), curves)


def test_where_no_pruner_is_named_the_best_is_never_stopped_and_half_of_the_steps_are_saved() -> None:
    spent = []
    for seed in range(10):
        values, stopped = race(16, 20, seed)
        assert set(stopped) <= {4, 16, None}
        assert stopped[values.index(min(values))] is None
        spent.append(sum(20 if step is None else step for step in stopped))
    assert statistics.fmean(spent) <= 0.5 * 16 * 20


def test_the_first_look_comes_later_the_longer_the_trainings_are_and_never_before_the_fourth_step() -> None:
    for steps, first in ((1, None), (4, None), (5, 4), (20, 4), (21, 5), (100, 20)):
        _, stopped = race(16, steps)
        assert min((step for step in stopped if step is not None), default=None) == first


@pytest.mark.parametrize("n_trials", [1, 2, 5])
def test_of_a_few_trials_all_are_trained_to_their_end(n_trials: int) -> None:
    assert race(n_trials, 20)[1] == [None] * n_trials


def test_below_ten_trials_no_one_is_stopped_before_five_are_complete() -> None:
    _, stopped = race(9, 20)
    assert stopped[:5] == [None] * 5
    assert set(stopped[5:]) == {4, None}


def test_the_median_stops_trainings_of_unknown_length() -> None:
    assert choose_pruner(100, None) == ("median", {})
