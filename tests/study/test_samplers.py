"""Samplers by name: each really samples, and each mistake is named before the search."""

from __future__ import annotations

import importlib.util
from typing import Any

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.samplers.nsgaii import UniformCrossover

from src.errors import ConfigError
from src.study.samplers import SAMPLERS, build_sampler

WITHOUT_TORCH = [name for name in SAMPLERS if name != "gp"]


def build(
    name: str, kwargs: Any = None, *, seed: int | None = 1, objectives: int = 1, conditions: bool = False
) -> BaseSampler:
    return build_sampler(name, kwargs or {}, seed=seed, num_objectives=objectives, has_conditions=conditions)


def search(sampler: BaseSampler, trials: int = 12, directions: tuple[str, ...] = ("minimize",)) -> list[dict[str, Any]]:
    study = optuna.create_study(sampler=sampler, directions=list(directions))
    for _ in range(trials):
        trial = study.ask()
        x, n = trial.suggest_float("x", 1e-4, 1, log=True), trial.suggest_int("n", 1, 9)
        c = trial.suggest_categorical("c", ("a", "b"))
        study.tell(trial, [x + n + (c == "a")] + [-x] * (len(directions) - 1))
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_every_sampler_samples_and_repeats_itself_with_its_seed(name: str) -> None:
    first, again = search(build(name)), search(build(name))

    assert len(first) == 12
    assert first == again


@pytest.mark.parametrize("name", ["tpe", "random", "qmc", "nsgaii", "grid"])
def test_samplers_of_several_objectives_sample_for_two(name: str) -> None:
    assert len(search(build(name, objectives=2), directions=("minimize", "maximize"))) == 12


def test_seeds_decide_what_is_sampled_and_that_of_the_arguments_wins() -> None:
    assert search(build("random", seed=1)) != search(build("random", seed=2))
    assert search(build("random", {"seed": 1}, seed=2)) == search(build("random", seed=1))
    assert len(search(build("tpe", seed=None))) == 12


@pytest.mark.parametrize("directions", [("minimize",), ("minimize", "maximize")])
def test_tpe_samples_keys_with_conditions_in_groups_without_a_warning(directions: tuple[str, ...]) -> None:
    sampler = build("tpe", {"n_startup_trials": 3}, conditions=True, objectives=len(directions))
    study = optuna.create_study(sampler=sampler, directions=list(directions))

    for _ in range(8):
        trial = study.ask()
        x = trial.suggest_float("x", 0, 1)
        if trial.suggest_categorical("optimizer", ("adam", "sgd")) == "sgd":
            x += trial.suggest_float("momentum", 0, 1)
        study.tell(trial, [x] * len(directions))

    assert isinstance(sampler, TPESampler)
    assert sampler._group
    assert sampler._multivariate


def test_the_groups_of_tpe_can_be_turned_off() -> None:
    plain = build("tpe", {"multivariate": False}, conditions=True)
    without_group = build("tpe", {"group": False}, conditions=True)

    assert isinstance(plain, TPESampler)
    assert isinstance(without_group, TPESampler)
    assert not plain._group
    assert not without_group._group


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("tpe", {"n_startup_trials": 2, "n_ei_candidates": 8, "constant_liar": False, "multivariate": True}),
        ("cmaes", {"n_startup_trials": 2, "popsize": 4, "with_margin": True}),
        ("qmc", {"qmc_type": "halton", "scramble": True}),
        ("nsgaii", {"population_size": 4, "mutation_prob": 0.1, "crossover": UniformCrossover(), "crossover_prob": 1}),
    ],
)
def test_arguments_reach_optuna(name: str, kwargs: dict[str, Any]) -> None:
    assert len(search(build(name, kwargs))) == 12


def test_an_argument_that_optuna_gives_up_works_with_its_warning() -> None:
    with pytest.warns(FutureWarning, match="`x0` has been deprecated"):
        sampler = build("cmaes", {"x0": {"x": 0.1, "n": 3}})

    assert len(search(sampler)) == 12


def test_arguments_may_come_from_hydras_configuration() -> None:
    config = OmegaConf.create({"size": 7, "kwargs": {"population_size": "${size}"}})

    sampler = build("nsgaii", config.kwargs)

    assert isinstance(sampler, NSGAIISampler)
    assert sampler._population_size == 7


def test_a_grid_samples_at_random_because_the_study_has_its_points() -> None:
    assert isinstance(build("grid"), RandomSampler)


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("tpa", {}, r"hydra.sweeper.sampler must be one of tpe, random, .* but got 'tpa'. Did you mean 'tpe'\?"),
        ("tpe", {"n_startup_trails": 3}, r"has no 'n_startup_trails', but got 3 .* Did you mean 'n_startup_trials'\?"),
        ("random", {"population": 3}, "The sampler random has the arguments: seed."),
        ("tpe", {"n_startup_trials": "ten"}, "sampler_kwargs.n_startup_trials must be int, but got 'ten'"),
        ("tpe", {"n_startup_trials": True}, "must be int, but got True"),
        ("tpe", {"multivariate": "yes"}, "sampler_kwargs.multivariate must be bool or None, but got 'yes'"),
        ("tpe", {"constraints_func": len}, "Name the constraints in hydra.sweeper.constraints"),
        ("tpe", {"group": True, "multivariate": False}, "The sampler tpe does not accept .*Optuna says: .*group"),
        ("qmc", {"qmc_type": "sobel"}, "The sampler qmc does not accept .* with seed=1, qmc_type='sobel'"),
        ("nsgaii", {"population_size": 1}, "does not accept"),
        (
            "random",
            {"seed": -1},
            r"sampler_kwargs.seed must be a whole number from 0 to 4294967295, or null, but got -1",
        ),
        ("random", {"seed": "one"}, "but got 'one'"),
        ("random", ["seed"], r"sampler_kwargs must be a mapping such as \{seed: 1\}, but got \['seed'\]"),
    ],
)
def test_mistakes_are_named_with_what_to_type_instead(name: str, kwargs: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(name, kwargs)


def test_cmaes_is_refused_for_two_objectives() -> None:
    with pytest.raises(ConfigError, match=r"cmaes has one objective, but .* names 2. Use hydra.sweeper.sampler=tpe"):
        build("cmaes", objectives=2)


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_the_gaussian_process_names_the_package_that_it_needs() -> None:
    with pytest.raises(ConfigError, match=r"hydra.sweeper.sampler=gp needs .* python -m pip install 'torch>=2.4'"):
        build("gp")


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_the_gaussian_process_samples() -> None:
    assert len(search(build("gp"))) == 12
