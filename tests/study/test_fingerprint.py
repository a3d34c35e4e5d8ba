"""What a study is recognized by, and what is said where it was begun with something else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from src.errors import ConfigError
from src.study.fingerprint import check_fingerprint
from src.study.study import ArmStudy

_BEGUN = {
    "search space": {"optimizer.learning_rate": "1e-05 to 0.01, log", "model.dropout": "0 to 0.7"},
    "objective": {"best_val_accuracy": "maximize"},
    "data": {"digest": "abc"},
}


def test_the_same_goes_on() -> None:
    check_fingerprint("regularization", _BEGUN, {section: dict(keys) for section, keys in _BEGUN.items()})


def test_every_difference_is_shown_with_the_ways_to_go_on() -> None:
    asked = {
        "search space": {"optimizer.learning_rate": "0.0001 to 0.01, log", "model.hidden": "64 to 512"},
        "objective": {"best_val_accuracy": "maximize"},
        "data": {"digest": "xyz"},
    }
    with pytest.raises(ConfigError) as caught:
        check_fingerprint("regularization/model=vgg16", _BEGUN, asked)
    assert str(caught.value) == (
        "Study 'regularization/model=vgg16' was begun with another search space:\n"
        "  optimizer.learning_rate: was 1e-05 to 0.01, log; is 0.0001 to 0.01, log\n"
        "  model.dropout: is not searched any more (was 0 to 0.7)\n"
        "  model.hidden: is searched now (64 to 512), was not before\n"
        "and with other data:\n"
        "  digest: was abc; is xyz\n"
        "Give the old values to go on with it, or begin a new one with hydra.sweeper.study_name=NAME."
    )


def test_a_setting_that_came_or_went_is_a_difference() -> None:
    with pytest.raises(ConfigError) as caught:
        check_fingerprint("s", {"configuration": {"a": "1"}}, {"configuration": {"b": "2"}})
    assert "  a: is not set any more (was 1)\n  b: is set now (2), was not before\n" in str(caught.value)


def test_a_section_that_another_version_did_not_write_is_not_compared() -> None:
    check_fingerprint("s", _BEGUN, {**_BEGUN, "weather": {"sky": "blue"}})
    check_fingerprint("s", {**_BEGUN, "weather": {"sky": "blue"}}, _BEGUN)


def test_a_study_refuses_another_search_space(open_study: Callable[..., ArmStudy]) -> None:
    open_study(space=["x=interval(0,1)"])
    with pytest.raises(ConfigError, match=r"x: was 0 to 1; is 0 to 2"):
        open_study(space=["x=interval(0,2)"])


def test_a_study_goes_on_with_another_sampler_pruner_seed_and_total(open_study: Callable[..., ArmStudy]) -> None:
    assert not open_study().resumed
    study = open_study(sampler="tpe", pruner="median", n_trials=50, seed=3)
    assert study.resumed
    assert study.spec.n_trials == 50
