"""Warm starts: defaults, points and the best of an earlier study."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from optuna.storages import BaseStorage, InMemoryStorage

from src.errors import ConfigError
from src.study.space import SearchSpace, parse_space
from src.study.warm_start import collect_points

DEFAULTS = {"model.dropout": 0, "optimizer": "adam", "optimizer.momentum": 0.9, "layers": [64, 32], "other": 3}


@pytest.fixture
def space() -> SearchSpace:
    lines = ["model.dropout=interval(0, 0.7)", "optimizer=choice(adam, sgd)", "optimizer.momentum=interval(0, 0.95)"]
    lines += ["+size=range(1, 9, 2)", "layers=choice([64, 32], [128])"]
    parser = OverridesParser.create(config_loader=None)
    return parse_space([parser.parse_override(line) for line in lines], {"optimizer.momentum": "optimizer=sgd"}, {})


@pytest.fixture
def storage() -> BaseStorage:
    return InMemoryStorage()


def begin_study(storage: BaseStorage, name: str, *directions: str) -> optuna.Study:
    return optuna.create_study(study_name=name, storage=storage, directions=list(directions))


def add(study: optuna.Study, params: dict[str, float], *values: float, violation: float = 0.0) -> None:
    trial = study.ask()
    for key, value in params.items():
        trial.suggest_float(key, value, value)
    trial.set_constraint("gap", violation)
    study.tell(trial, list(values))


def test_the_configurations_own_values_are_a_point_of_what_is_searched(
    space: SearchSpace, storage: BaseStorage
) -> None:
    points = collect_points(["defaults"], space, {}, DEFAULTS, storage)

    # Momentum is searched with sgd only, and size has no value.
    assert points == [{"model.dropout": 0.0, "optimizer": "adam", "layers": "[64,32]"}]
    assert isinstance(points[0]["model.dropout"], float)


def test_points_may_leave_keys_out_and_the_plus_sign_and_are_taken_once(
    space: SearchSpace, storage: BaseStorage
) -> None:
    entries = OmegaConf.create([{"size": 3}, {"+size": 3}, {"optimizer": "sgd", "optimizer.momentum": 0.5}])

    points = collect_points(entries, space, {}, DEFAULTS, storage)

    assert points == [{"+size": 3}, {"optimizer": "sgd", "optimizer.momentum": 0.5}]


def test_a_study_tries_its_points_first(space: SearchSpace, storage: BaseStorage) -> None:
    entries = ["defaults", {"layers": [128], "optimizer": "sgd", "size": 7}]
    study = begin_study(storage, "warm", "minimize")
    for point in collect_points(entries, space, {}, DEFAULTS, storage):
        study.enqueue_trial(point)

    first, second = (space.suggest(study.ask(), {}) for _ in range(2))

    assert (first["model.dropout"], first["optimizer"], first["layers"]) == (0.0, "adam", "[64,32]")
    assert space.to_overrides(second)[-2:] == ["+size=7", "layers=[128]"]
    assert "optimizer.momentum" in second


def test_the_best_trials_of_an_earlier_study_are_points(space: SearchSpace, storage: BaseStorage) -> None:
    earlier = begin_study(storage, "earlier", "maximize")
    for dropout, value in ((0.1, 0.7), (0.2, 0.9), (0.3, 0.8)):
        add(earlier, {"model.dropout": dropout, "gone": 1.0}, value)
    add(earlier, {"model.dropout": 0.6}, 1.0, violation=0.1)
    earlier.tell(earlier.ask(), state=optuna.trial.TrialState.FAIL)

    best_two = collect_points([{"study": "earlier", "best": 2}], space, {}, DEFAULTS, storage)
    best = collect_points([{"study": "earlier"}], space, {}, DEFAULTS, storage)

    assert best_two == [{"model.dropout": 0.2}, {"model.dropout": 0.3}]
    assert best == best_two[:1]


def test_the_front_of_an_earlier_study_of_two_objectives_is_its_best(space: SearchSpace, storage: BaseStorage) -> None:
    earlier = begin_study(storage, "front", "maximize", "minimize")
    for dropout, values in ((0.1, (0.9, 1.0)), (0.2, (0.8, 2.0)), (0.3, (0.7, 0.5))):
        add(earlier, {"model.dropout": dropout}, *values)

    points = collect_points([{"study": "front", "best": 5}], space, {}, DEFAULTS, storage)

    assert points == [{"model.dropout": 0.1}, {"model.dropout": 0.3}]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"dropout": 0.3}, r"warm_start\[0\] does not lie in the search space. dropout is not searched. Did you mean"),
        ({"model.dropout": 0.9}, r"warm_start\[0\] .* model.dropout must be 0 to 0.7, but got 0.9."),
        ({"optimizer": "adam", "optimizer.momentum": 0.5}, "is searched only where optimizer=sgd"),
        ({"layers": [64]}, r"layers must be one of \[64,32\], \[128\], but got \[64\]."),
        ("default", r"warm_start\[0\] must be defaults, a point such as .*, but got 'default'"),
        ({}, r"must be defaults, a point .*, but got \{\}"),
        (
            {"study": "earlyer", "best": 2},
            r"there is no study 'earlyer' .* Did you mean 'earlier'\? There are: earlier",
        ),
        ({"study": "earlier", "best": 0}, "best must be a number of trials from 1 on, but got 0"),
        ({"study": "earlier", "top": 1}, r"the unknown key 'top'. Write it as \{study: NAME, best: 3\}"),
        ({"study": "empty", "best": 1}, "'empty' has no complete trial that keeps to its constraints"),
        (
            {"study": "earlier", "best": 1},
            r"warm_start\[0\], trial 0 of earlier does not lie in the search space. model",
        ),
    ],
)
def test_mistakes_are_named_with_what_to_type_instead(
    space: SearchSpace, storage: BaseStorage, entry: Any, message: str
) -> None:
    add(begin_study(storage, "earlier", "minimize"), {"model.dropout": 0.8}, 1.0)
    begin_study(storage, "empty", "minimize")

    with pytest.raises(ConfigError, match=message):
        collect_points([entry], space, {}, DEFAULTS, storage)


def test_defaults_outside_of_the_space_or_without_a_searched_key_are_refused(
    space: SearchSpace, storage: BaseStorage
) -> None:
    with pytest.raises(ConfigError, match=r"warm_start\[0\]=defaults does not .* model.dropout must be 0 to 0.7"):
        collect_points(["defaults"], space, {}, {"model.dropout": 0.8}, storage)
    with pytest.raises(ConfigError, match=r"warm_start\[0\]=defaults finds no value of a searched key"):
        collect_points(["defaults"], space, {}, {"other": 0.8}, storage)


def test_a_key_named_study_can_be_searched(storage: BaseStorage) -> None:
    override = OverridesParser.create(config_loader=None).parse_override("study=choice(a, b)")

    assert collect_points([{"study": "a"}], parse_space([override], {}, {}), {}, {}, storage) == [{"study": "a"}]
