"""The published curves as data: complete, and equal to what their authors say of them."""

from __future__ import annotations

import pytest

from src.errors import ConfigError
from src.published.curves import list_recipes, load_published
from tests.recipes.printed import PRINTED, RECIPES


def test_there_is_a_curve_for_each_recipe() -> None:
    assert list(list_recipes()) == RECIPES
    assert sum(len(load_published(recipe)) for recipe in RECIPES) == 730


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_printed_figures_are_those_of_the_curve(recipe: str) -> None:
    published, printed = load_published(recipe), PRINTED[recipe]
    assert [epoch.epoch for epoch in published.epochs] == list(range(1, printed.epochs + 1))
    assert published.final.val_accuracy == printed.final_accuracy
    assert published.final.train_accuracy == printed.final_train_accuracy
    assert (published.best.val_accuracy, published.best.epoch) == (printed.best_accuracy, printed.best_epoch)


def test_what_no_curve_tells_is_there_where_it_was_printed() -> None:
    assert {recipe: load_published(recipe).test_accuracy for recipe in ("B4", "D4", "E4", "A1")} == {
        "B4": 0.9844,
        "D4": 0.974,
        "E4": 0.9792,
        "A1": None,
    }
    assert load_published("B1").num_params is None
    assert load_published("B4").num_trainable_params == 2_562


def test_the_curve_of_a_network_that_had_been_trained_before_is_no_fresh_start() -> None:
    assert [recipe for recipe in RECIPES if not load_published(recipe).is_fresh_start] == ["E1"]
    # A fresh network does not get nine of ten images right in its first epoch.
    assert load_published("E1").epochs[0].train_accuracy > 0.85
    assert load_published("E2").epochs[0].train_accuracy < 0.6


def test_a_recipe_that_nobody_published_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no recipe 'F1'\. The published ones are A1, A2, .*, E4\."):
        load_published("F1")
