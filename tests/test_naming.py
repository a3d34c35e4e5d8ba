"""Names of runs: what distinguishes one, and no more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from src.config.run import RunConfig
from src.naming import name_run, shorten, shorten_key

Compose = Callable[..., RunConfig]


def test_a_run_without_overrides_is_named_after_its_model(compose_run: Compose) -> None:
    assert name_run(compose_run(), []) == "cnn"
    assert name_run(compose_run("model=vgg16"), ["model=vgg16"]) == "vgg16"


def test_overrides_follow_the_model_in_their_order_with_short_keys(compose_run: Compose) -> None:
    overrides = ["optimizer.learning_rate=1e-4", "model=vgg16", "model.dropout=0.5", "seed=3"]
    assert name_run(compose_run(*overrides), overrides) == "vgg16, learning_rate=1e-4, dropout=0.5, seed=3"


@pytest.mark.parametrize(
    "override",
    [
        "dataset.url=somewhere/cats.zip",
        "dataset.cache_dir=somewhere/else",
        "++dataset.cache_dir=somewhere/else",
        "trainer.eval_batch_size=50",
        "trainer.features=in_the_loop",
        "tracking.experiment=mine",
        "hydra.run.dir=somewhere",
        "model=cnn",
    ],
)
def test_what_does_not_distinguish_a_training_is_left_out(override: str, compose_run: Compose) -> None:
    assert name_run(compose_run(), [override, "seed=3"]) == "cnn, seed=3"


@pytest.mark.parametrize("override", ["dataset=cats_vs_dogs", "augmentation=affine", "optimizer=sgd"])
def test_the_choice_of_another_group_is_told(override: str, compose_run: Compose) -> None:
    assert name_run(compose_run(override), [override]) == f"cnn, {override}"


def test_a_models_own_name_is_told_once_and_with_the_option_it_stands_for(compose_run: Compose) -> None:
    overrides = ["model=vgg16", "model.name=mine"]
    assert name_run(compose_run(*overrides), overrides) == "mine, model=vgg16"


@pytest.mark.parametrize("sign", ["+", "++"])
def test_an_added_tag_is_left_out_too(sign: str, compose_run: Compose) -> None:
    assert name_run(compose_run(), [f"{sign}tracking.tags.owner=me", "seed=3"]) == "cnn, seed=3"


def test_a_configured_name_goes_before_everything_else(compose_run: Compose) -> None:
    config = compose_run("tracking.run_name=mine", "tracking.arm=arm", "seed=3")
    assert name_run(config, ["seed=3"]) == "mine"


def test_a_run_of_a_sweep_is_named_after_its_arm(compose_run: Compose) -> None:
    assert name_run(compose_run("tracking.arm='dropout=0.5'", "seed=3"), ["seed=3"]) == "dropout=0.5"


def test_a_long_name_is_cut_with_an_ellipsis(compose_run: Compose) -> None:
    overrides = [f"model.conv_filters=[{','.join(['64'] * 40)}]"]
    name = name_run(compose_run(), overrides)
    assert len(name) == 80
    assert name.startswith("cnn, conv_filters=[64,64,")
    assert name.endswith("…")


@pytest.mark.parametrize(("length", "expected"), [(79, 79), (80, 80), (81, 80)])
def test_a_name_that_fits_is_not_cut(length: int, expected: int) -> None:
    name = shorten("x" * length)
    assert len(name) == expected
    assert name.endswith("…") == (length > expected)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.dropout=0.5", "dropout=0.5"),
        ("seed=3", "seed=3"),
        ("+tracking.tags.owner=me", "owner=me"),
        ("dataset.url=https://example.org/a.zip?b=c", "url=https://example.org/a.zip?b=c"),
        ("model.conv_filters=[1.5,2.5]", "conv_filters=[1.5,2.5]"),
        ("~model.dropout", "dropout"),
    ],
)
def test_of_a_key_the_last_part_stays_and_of_a_value_everything(override: str, expected: str) -> None:
    assert shorten_key(override) == expected
