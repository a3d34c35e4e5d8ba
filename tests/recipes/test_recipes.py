"""The nineteen recipes say what their authors did, and differ from each other in what their authors changed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from src.config.composition import flatten, register_schemas, to_run_config
from src.config.dataset import CatsVsDogsConfig, DogsVsCatsConfig
from src.config.model import TransferConfig
from src.config.paths import PROJECT_ROOT
from src.config.run import RunConfig
from src.errors import ConfigError
from src.naming import name_run
from src.sweep.winner import write_winner
from tests.recipes.printed import PRINTED, RECIPES
from tests.sweep.test_grid import expand
from tests.sweep.test_winner import compose_trial, compose_winner

Compose = Callable[..., RunConfig]


def tell_apart(one: RunConfig, other: RunConfig) -> set[str]:
    """Returns the keys in which two runs differ; of a group whose options differ, only the group."""
    left, right = flatten(one), flatten(other)
    keys = {key for key in left.keys() | right.keys() if left.get(key) != right.get(key)} - {"recipe"}
    groups = {key.removesuffix(".name") for key in keys if key.endswith(".name")}
    return {key.partition(".")[0] if key.partition(".")[0] in groups else key for key in keys}


def test_all_nineteen_are_there() -> None:
    assert sorted(PRINTED) == RECIPES


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_trains_as_its_author_did(recipe: str, compose_recipe: Compose) -> None:
    config, printed = compose_recipe(recipe), PRINTED[recipe]
    assert config.recipe == recipe
    assert (config.dataset.image_size, config.model.scaling) == (printed.image_size, printed.scaling)
    assert (config.optimizer.name, config.optimizer.learning_rate) == (printed.optimizer, printed.learning_rate)
    assert (config.trainer.batch_size, config.trainer.epochs) == (printed.batch_size, printed.epochs)
    assert config.trainer.keep_weights == "last"


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_divides_its_images_as_its_author_did(recipe: str, compose_recipe: Compose) -> None:
    dataset = compose_recipe(recipe).dataset
    if recipe[0] == "C":
        assert isinstance(dataset, DogsVsCatsConfig)
        assert (dataset.num_train, dataset.num_val, dataset.num_test) == (3000, 1000, 1000)
    else:
        assert isinstance(dataset, CatsVsDogsConfig)
        assert (dataset.num_train, dataset.num_val, dataset.num_test) == (None, None, 0 if recipe[0] == "A" else 192)


@pytest.mark.parametrize("recipe", RECIPES)
def test_only_recipes_with_a_backbone_ask_for_imagenet_weights_and_do_not_go_without(
    recipe: str, compose_recipe: Compose
) -> None:
    model = compose_recipe(recipe).model
    assert isinstance(model, TransferConfig) == (recipe in {"B4", "C4", "C5", "D4", "E4"})
    if isinstance(model, TransferConfig):
        assert model.weights == "imagenet"
        assert not model.trainable


@pytest.mark.parametrize(
    ("recipes", "ranges"),
    [
        ("A2", {"rotation_degrees": "40", "zoom": "0.2", "fill_mode": "nearest"}),
        ("C3 C5", {"rotation_degrees": "50", "zoom": "0.3", "fill_mode": "nearest"}),
        ("A2 C3 C5", {"width_shift": "0.2", "height_shift": "0.2", "shear_degrees": "0.2"}),
        # A fifth of a turn, as Keras's RandomRotation(0.2) turns and fills.
        ("B2 B3 B4 D2 D3 D4 E2 E3 E4", {"rotation_degrees": "72", "zoom": "0", "fill_mode": "reflect"}),
        ("A2 B2 B3 B4 C3 C5", {"horizontal_flip": "True", "vertical_flip": "False", "strength": "1"}),
        ("D2 D3 D4 E2 E3 E4", {"horizontal_flip": "True", "vertical_flip": "True", "strength": "1"}),
        ("A1 B1 C1 C2 C4 D1 E1", {"name": "none", "strength": "0"}),
    ],
)
def test_a_recipe_augments_as_its_author_did(recipes: str, ranges: dict[str, str], compose_recipe: Compose) -> None:
    for recipe in recipes.split():
        flat = flatten(compose_recipe(recipe))
        assert {key: flat[f"augmentation.{key}"] for key in ranges} == ranges


@pytest.mark.parametrize(
    ("one", "other", "keys"),
    [
        # Augmentation and dropout hold A1 together.
        ("A1", "A2", {"augmentation", "model.dropout"}),
        ("B1", "B2", {"augmentation", "model.dense_units"}),
        # Scaling is worth more than augmentation: nothing but the scaling differs.
        ("B2", "B3", {"model.scaling"}),
        ("D2", "D3", {"model.scaling"}),
        ("B3", "B4", {"model"}),
        ("C2", "C3", {"augmentation", "optimizer.learning_rate", "trainer.epochs"}),
        # VGG16's head with and without augmentation; the author lowered the learning rate too.
        ("C4", "C5", {"augmentation", "optimizer.learning_rate", "trainer.epochs"}),
        ("C3", "C5", {"model", "optimizer.learning_rate"}),
        ("D1", "D2", {"augmentation"}),
        ("D3", "D4", {"model"}),
        ("B4", "D4", {"augmentation.vertical_flip", "model.dropout"}),
        ("D4", "E4", set()),
        (
            "E2",
            "E3",
            {
                "model.scaling",
                "model.conv_filters",
                "model.pooling",
                "model.dense_units",
                "model.dense_activation",
                "model.dense_on",
            },
        ),
    ],
)
def test_two_recipes_differ_in_what_their_author_changed(
    one: str, other: str, keys: set[str], compose_recipe: Compose
) -> None:
    assert tell_apart(compose_recipe(one), compose_recipe(other)) == keys


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_opens_with_what_it_shows_its_command_its_cost_and_what_was_published(recipe: str) -> None:
    lines = (PROJECT_ROOT / "conf" / "recipe" / f"{recipe}.yaml").read_text(encoding="utf-8").splitlines()
    head = "\n".join(itertools.takewhile(lambda line: line.startswith("#"), lines))
    printed = PRINTED[recipe]
    assert head.startswith("# @package _global_\n# Shows:     ")
    assert f"\n# Command:   python -m src.train recipe={recipe}" in head
    assert f"\n# Cost:      {3000 if recipe[0] == 'C' else 2000:,} images, {printed.epochs} epochs, at " in head
    told = " ".join(head.partition("# Published: ")[2].replace("#", " ").split())
    final, best = (f"{accuracy:.4f}".lstrip("0") for accuracy in (printed.final_accuracy, printed.best_accuracy))
    assert f"validation accuracy {final} at the end, best {best} @ {printed.best_epoch}" in told


def test_without_a_recipe_there_is_no_label(compose_run: Compose) -> None:
    assert compose_run().recipe is None


def test_the_command_line_overrides_a_recipe(compose_recipe: Compose) -> None:
    changed = compose_recipe("A1", "model.dropout=0.3", "optimizer=sgd", "trainer.epochs=2")
    assert tell_apart(compose_recipe("A1"), changed) == {"model.dropout", "optimizer", "trainer.epochs"}


def test_a_file_of_sweeps_overrides_a_recipe(compose_recipe: Compose) -> None:
    searched = compose_recipe("A1", "sweeps=regularization")
    assert tell_apart(compose_recipe("A1"), searched) == {"augmentation", "trainer.epochs"}


def test_a_run_of_a_recipe_is_named_after_it(compose_recipe: Compose) -> None:
    assert name_run(compose_recipe("A1"), ["recipe=A1", "dataset.url=somewhere"]) == "recipe=A1"
    overrides = ["seed=3", "recipe=A1", "model.dropout=0.3"]
    assert name_run(compose_recipe("A1", *overrides), overrides) == "recipe=A1, seed=3, dropout=0.3"


def test_recipes_are_cells_of_a_grid() -> None:
    assert [cell.name for cell in expand("recipe=A1,A2", "seed=0")] == ["recipe=A1", "recipe=A2"]
    assert [cell.axes["recipe"] for cell in expand("recipe=glob(*)")] == RECIPES


@pytest.mark.parametrize("recipe", ["A2", "B4", "C5", "E2"])
def test_a_winner_with_a_recipe_composes_to_its_own_configuration(recipe: str, tmp_path: Path) -> None:
    overrides = [f"recipe={recipe}", "dataset.url=somewhere", "model.dropout=0.125", "optimizer=sgd"]
    trial = compose_trial(*overrides)
    write_winner(trial, extends="train", facts={}, path=tmp_path / "winner.yaml")
    register_schemas()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        expected = to_run_config(compose("train", overrides=overrides))
    assert to_run_config(compose_winner(tmp_path)) == expected
    assert (expected.recipe, expected.model.dropout) == (recipe, 0.125)


@pytest.mark.parametrize(
    ("variable", "recipe", "address"),
    [("FITGAP_CATS_VS_DOGS", "A1", "my/pets"), ("FITGAP_DOGS_VS_CATS", "C1", "my/flat")],
)
def test_both_data_sets_can_be_placed_by_the_environment(
    variable: str, recipe: str, address: str, compose_run: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, address)
    assert flatten(compose_run(f"recipe={recipe}"))["dataset.url"] == address
    assert flatten(compose_run(f"recipe={recipe}", "dataset.url=other"))["dataset.url"] == "other"


def test_data_that_nobody_placed_must_be_given_in_one_of_two_ways(
    compose_run: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FITGAP_DOGS_VS_CATS", raising=False)
    with pytest.raises(ConfigError) as refused:
        compose_run("recipe=C1")
    assert str(refused.value) == (
        "dataset.url has no default and must be given: dataset.url=…, or FITGAP_DOGS_VS_CATS in the environment"
    )
