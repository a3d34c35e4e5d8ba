"""What the command line asks for: arms, and searched keys."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from src.config.sweeper import SweeperConfig
from src.errors import ConfigError
from src.sweep.request import Request, read_request


def read(*arguments: str, **params: object) -> Request:
    """Reads a command line beside `hydra.sweeper.params`."""
    return read_request(arguments, SweeperConfig(params=dict(params)), OverridesParser.create())


def searched(request: Request) -> list[str]:
    """The searched overrides as text."""
    return [str(override.input_line) for override in request.searched]


def test_lists_are_arms_and_intervals_choices_and_ranges_are_searched() -> None:
    request = read("model=vgg16,mobilenet", "x=interval(0,1)", "optimizer=choice(adam,sgd)", "n=range(1,5)", "seed=3")
    assert [cell.axes for cell in request.cells] == [{"model": "vgg16"}, {"model": "mobilenet"}]
    assert [cell.overrides for cell in request.cells] == [("model=vgg16", "seed=3"), ("model=mobilenet", "seed=3")]
    assert searched(request) == ["x=interval(0,1)", "optimizer=choice(adam,sgd)", "n=range(1,5)"]
    assert request.axes == {"model": ["vgg16", "mobilenet"]}


def test_without_any_there_is_one_cell_and_nothing_is_searched() -> None:
    request = read("seed=3")
    assert [cell.overrides for cell in request.cells] == [("seed=3",)]
    assert request.searched == []


def test_params_add_arms_and_searched_keys_and_the_command_line_has_the_last_word() -> None:
    params = {"model.dropout": "interval(0, 0.5)", "model": ["vgg16", "cnn"], "seed": 4, "x": "choice(1, 2)"}
    request = read("model.dropout=0.2", "x=7", **params)
    assert [cell.overrides for cell in request.cells] == [
        ("model=vgg16", "seed=4", "model.dropout=0.2", "x=7"),
        ("model=cnn", "seed=4", "model.dropout=0.2", "x=7"),
    ]
    assert request.searched == []


@pytest.mark.parametrize("value", [True, None, 0.5, "text"])
def test_params_may_be_plain_values_of_yaml(value: object) -> None:
    override = OverridesParser.create().parse_override(read(key=value).cells[0].overrides[0])
    assert override.value() == value


@pytest.mark.parametrize("argument", ["sweeps=quick,transfer", "sweeps=choice(quick,transfer)"])
def test_sweeps_cannot_be_arms(argument: str) -> None:
    with pytest.raises(ConfigError, match="Start one for each"):
        read(argument)


def test_settings_of_the_sweep_itself_cannot_be_searched() -> None:
    with pytest.raises(ConfigError, match=r"hydra\.job\.name=.*no setting of a run"):
        read("hydra.job.name=a,b")


def test_an_interval_within_a_list_is_refused_rather_than_handed_to_the_run() -> None:
    with pytest.raises(ConfigError, match=r"model\.dense_units=\[interval\(1,8\)\].*as a whole"):
        read("model.dense_units=[interval(1,8)]")
