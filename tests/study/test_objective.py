"""Objectives and constraints of a study."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pytest
from omegaconf import OmegaConf

from src.errors import ConfigError
from src.study.objective import MissingMetricError, Objective, parse_objectives

METRICS = {"best_val_accuracy": 0.9, "final_gap_accuracy": 0.05, "seconds": 12.0}


def test_one_metric_is_optimized_in_its_direction() -> None:
    objectives = parse_objectives("best_val_accuracy", "maximize", [])

    assert objectives.names == ("best_val_accuracy",)
    assert objectives.values(METRICS) == [0.9]
    assert objectives.violations(METRICS) == {}


def test_two_metrics_have_two_directions_also_from_hydras_configuration() -> None:
    config = OmegaConf.create({"names": ["best_val_accuracy", "seconds"], "ways": ["maximize", "minimize"]})

    objectives = parse_objectives(config.names, config.ways, OmegaConf.create(["seconds < 60"]))

    assert objectives.values(METRICS) == [0.9, 12.0]
    assert [objective.direction for objective in objectives.objectives] == ["maximize", "minimize"]
    assert objectives.violations(METRICS) == {"seconds < 60": -48.0}


def test_better_follows_the_direction_and_nan_is_never_better() -> None:
    up, down = Objective("a", "maximize"), Objective("a", "minimize")

    assert up.better(2, 1)
    assert not up.better(1, 1)
    assert down.better(1, 2)
    assert up.better(1, math.nan)
    assert not down.better(math.nan, 1)
    assert not up.better(math.nan, math.nan)


@pytest.mark.parametrize(
    ("text", "kept", "broken"),
    [
        ("gap <= 0.05", 0.05, 0.06),
        ("gap<=0.05", 0.05, 0.06),
        ("  gap  >=  -1e-2 ", -0.01, -0.02),
        ("gap < 0.05", 0.049, 0.05),
        ("gap > 1", 1.1, 1.0),
        ("gap > 1", math.inf, math.nan),
    ],
)
def test_a_constraint_is_kept_or_broken(text: str, kept: float, broken: float) -> None:
    objectives = parse_objectives("a", "maximize", [text])

    (kept_by,) = objectives.violations({"gap": kept}).values()
    (broken_by,) = objectives.violations({"gap": broken}).values()
    assert kept_by <= 0 < broken_by


def test_optuna_takes_a_broken_constraint_for_infeasible() -> None:
    objectives = parse_objectives("a", "maximize", ["gap < 0.05"])
    study = optuna.create_study(direction="maximize")
    for value, gap in ((1.0, 0.05), (0.5, 0.04), (2.0, math.nan)):
        trial = study.ask()
        for key, violation in objectives.violations({"gap": gap}).items():
            trial.set_constraint(key, violation)
        study.tell(trial, value)

    assert study.best_trial.value == 0.5


def test_a_constraint_is_shown_with_its_whole_bound_and_kept_once() -> None:
    objectives = parse_objectives("a", "maximize", ["gap<=0.05123456789", "gap <= 0.05123456789", "n>3"])

    assert [constraint.text for constraint in objectives.constraints] == ["gap <= 0.05123456789", "n > 3"]


def test_a_metric_that_is_missing_is_named_with_those_that_there_are() -> None:
    objectives = parse_objectives("best_val_acuracy", "maximize", ["final_gap <= 0.1"])

    with pytest.raises(MissingMetricError, match=r"'best_val_acuracy'.* Did you mean 'best_val_accuracy'\?.*seconds\."):
        objectives.values(METRICS)
    with pytest.raises(MissingMetricError, match=r"The constraint 'final_gap <= 0.1' needs the metric 'final_gap'"):
        objectives.violations(METRICS)
    with pytest.raises(MissingMetricError, match="ended with: none"):
        objectives.values({})


@pytest.mark.parametrize(
    ("objective", "direction", "constraints", "message"),
    [
        (["a", "b", "c"], "maximize", [], r"must be one metric or two, but got 3: \[a, b, c\]. Make constraints of"),
        ([], "maximize", [], "must be one metric or two, but got 0"),
        (["a", "a"], ["maximize", "minimize"], [], "names a twice. Write hydra.sweeper.objective=a."),
        (
            ["a", "b"],
            "maximize",
            [],
            r"one entry for each of a, b, but got maximize. .*direction=\[maximize,minimize\]",
        ),
        ("a", ["maximize", "minimize"], [], r"for example hydra.sweeper.direction=maximize\."),
        ("a", "maximise", [], r"must be maximize or minimize, but got 'maximise'. Did you mean 'maximize'\?"),
        (None, "maximize", [], "hydra.sweeper.objective must be a name or a list of names, such as best_val_accuracy"),
        ("", "maximize", [], "must be a name or a list of names"),
        ("a", 1, [], "hydra.sweeper.direction must be a name or a list of names, such as maximize, but got 1"),
        ("a", "maximize", ["gap = 0.1"], "such as 'final_gap_accuracy <= 0.05', but got 'gap = 0.1'"),
        ("a", "maximize", ["0.1 >= gap"], "but got '0.1 >= gap'"),
        ("a", "maximize", ["gap <= nan"], "but got 'gap <= nan'"),
        ("a", "maximize", ["0 <= gap <= 1"], "but got '0 <= gap <= 1'"),
        ("a", "maximize", [3], r"hydra.sweeper.constraints must be a name or a list"),
    ],
)
def test_mistakes_are_named_with_what_to_type_instead(
    objective: Any, direction: Any, constraints: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_objectives(objective, direction, constraints)
