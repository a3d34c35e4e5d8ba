"""From the command line's lists to cells, each with all that composes it."""

from __future__ import annotations

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser

from src.config.paths import PROJECT_ROOT
from src.errors import ConfigError
from src.sweep.grid import Cell, expand_grid


def expand(*arguments: str) -> list[Cell]:
    """Expands the grid of a command line, with the shipped configuration for globs to look into."""
    loader = ConfigLoaderImpl(create_config_search_path(str(PROJECT_ROOT / "conf")))
    return expand_grid(OverridesParser.create(config_loader=loader).parse_overrides(list(arguments)))


def parse_back(text: str) -> object:
    """Returns the value that Hydra reads from an override."""
    return OverridesParser.create().parse_override(text).value()


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("model.dropout=0,0.25,0.5", ["0", "0.25", "0.5"]),
        ("trainer.deterministic=true,false", ["True", "False"]),
        ("trainer.patience_epochs=null,3", ["null", "3"]),
        ("model.conv_filters=[8,16],[32]", ["[8,16]", "[32]"]),
        ("optimizer.learning_rate=1e-3,5e-4", ["0.001", "0.0005"]),
    ],
)
def test_a_list_is_an_axis_with_a_cell_per_value(argument: str, values: list[str]) -> None:
    key = argument.partition("=")[0]
    cells = expand(argument)
    assert [cell.axes for cell in cells] == [{key: value} for value in values]
    assert [cell.overrides for cell in cells] == [(f"{key}={value}",) for value in values]
    assert [cell.number for cell in cells] == list(range(len(values)))


def test_a_glob_is_an_axis_of_the_options_that_match_it() -> None:
    options = sorted(path.stem for path in (PROJECT_ROOT / "conf" / "optimizer").glob("adam*.yaml"))
    assert len(options) >= 2
    assert [cell.axes for cell in expand("optimizer=glob(adam*)")] == [{"optimizer": option} for option in options]
    assert {"optimizer": "adam"} not in [cell.axes for cell in expand("optimizer=glob(*,exclude=adam)")]


@pytest.mark.parametrize("value", ["'cats, and dogs'", '"cats, and dogs"', "'it\\'s a dog'", "'a=b'", "''", "' '"])
def test_a_quoted_value_survives_as_it_is(value: str) -> None:
    first, second = expand(f"tracking.run_name={value},plain")
    assert parse_back(first.overrides[0]) == parse_back(f"tracking.run_name={value}")
    assert second.overrides == ("tracking.run_name=plain",)


def test_a_quoted_list_is_no_axis() -> None:
    (cell,) = expand("tracking.run_name='cats,dogs'")
    assert cell.overrides == ("tracking.run_name='cats,dogs'",)
    assert cell.axes == {}


@pytest.mark.parametrize("value", ["file:///some/cats\\ and\\ dogs.zip", "https://example.org/a.zip"])
def test_an_address_survives_as_an_axis(value: str) -> None:
    first, _ = expand(f"dataset.url={value},plain")
    assert parse_back(first.overrides[0]) == parse_back(f"dataset.url={value}")


def test_several_axes_span_every_combination_and_the_last_runs_fastest() -> None:
    cells = expand("model=vgg16,cnn", "model.dropout=0.5,0", "seed=0,1")
    assert [tuple(cell.axes.values()) for cell in cells] == [
        (model, dropout, seed) for model in ("vgg16", "cnn") for dropout in ("0.5", "0") for seed in ("0", "1")
    ]
    assert [cell.number for cell in cells] == list(range(8))
    assert all(tuple(cell.axes) == ("model", "model.dropout", "seed") for cell in cells)


def test_fixed_overrides_stay_in_their_places() -> None:
    cells = expand("seed=3", "model=cnn,vgg16", "+tracking.tags.owner='a b'", "trainer.epochs=1,2", "~trainer.monitor")
    assert cells[1].overrides == (
        "seed=3",
        "model=cnn",
        "+tracking.tags.owner='a b'",
        "trainer.epochs=2",
        "~trainer.monitor",
    )
    assert cells[1].axes == {"model": "cnn", "trainer.epochs": "2"}


def test_signs_and_packages_belong_to_the_key_of_an_axis() -> None:
    cells = expand("+tracking.tags.owner=me,you", "model@other=cnn,vgg16")
    assert cells[3].overrides == ("+tracking.tags.owner=you", "model@other=vgg16")


@pytest.mark.parametrize("arguments", [(), ("seed=3",), ("seed=3", "model=vgg16")])
def test_without_a_list_there_is_one_cell(arguments: tuple[str, ...]) -> None:
    (cell,) = expand(*arguments)
    assert cell == Cell(0, arguments, {})
    assert cell.name == "single cell"


def test_a_cell_is_named_by_its_axes_with_short_keys() -> None:
    cells = expand("seed=3", "model=vgg16,cnn", "model.dropout=0,0.5", "model.conv_filters=[8,16],[32]")
    assert cells[0].name == "model=vgg16, dropout=0, conv_filters=[8,16]"
    assert cells[-1].name == "model=cnn, dropout=0.5, conv_filters=[32]"


def test_a_cells_long_name_is_cut() -> None:
    (first, _) = expand(f"tracking.run_name={'x' * 200},y")
    assert len(first.name) == 80
    assert first.overrides == (f"tracking.run_name={'x' * 200}",)


def test_cells_have_different_names_however_many_axes_they_have() -> None:
    cells = expand(
        "model=efficientnetv2b0,mobilenet",
        "optimizer.learning_rate=0.0005,0.001",
        "augmentation.strength=0.25,0.5",
        "optimizer.weight_decay=0.0001,0.001",
        "model.dropout=0.25,0.5",
    )
    assert len({cell.name for cell in cells}) == len(cells)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(("seed=9", "seed=1,2"), [("seed=1",), ("seed=2",)]), (("seed=1,2", "seed=9"), [("seed=9",)])],
)
def test_of_two_overrides_of_one_key_the_last_counts(
    arguments: tuple[str, ...], expected: list[tuple[str, ...]]
) -> None:
    # Earlier overrides of the key may stay: Hydra lets the last one win.
    assert [cell.overrides[-1:] for cell in expand(*arguments)] == expected


@pytest.mark.parametrize(
    ("argument", "repeated"),
    [
        ("seed=0,0", "0"),
        ("seed=0,1,2,1,0", "0, 1"),
        ("model.dropout=0.5,0.25,0.50", "0.5"),
        ("optimizer.learning_rate=1e-3,0.001", "0.001"),
        ("model=choice(cnn,vgg16,cnn)", "cnn"),
        ("model.conv_filters=[8,16],[8, 16]", "[8,16]"),
    ],
)
def test_a_value_that_is_listed_twice_is_refused_by_name(argument: str, repeated: str) -> None:
    with pytest.raises(ConfigError) as refused:
        expand("trainer.epochs=1,2", argument)
    assert str(refused.value).startswith(f"{argument} lists {repeated} more than once. Give each value once")
