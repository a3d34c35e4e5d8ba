"""The recipes' networks have exactly the parameters that their authors printed, and train."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from src.config.model import TransferConfig
from src.config.run import RunConfig
from src.data.dataset import open_dataset
from src.published.curves import load_published
from src.runtime import begin_run, load_tensorflow
from tests.conftest import SHARED
from tests.data.image_files import flat_files, pet_files, write_folder
from tests.recipes.printed import RECIPES

load_tensorflow()

from src.models.build import Network, build_network  # noqa: E402
from src.training.training import Training  # noqa: E402

Compose = Callable[..., RunConfig]

MOBILENET_WEIGHTS = SHARED / "weights" / "mobilenet_v2_1.0_224_no_top.h5"

#: Building and training a whole backbone takes several seconds.
WITH_BACKBONE = ("B4", "C4", "C5", "D4", "E4")

#: Recipes whose data, shrunk, is so small that two steps are an epoch: 12 cats and dogs, or 8 of a flat folder.
SHRUNK = {
    "pets": ("dataset.num_train=12", "trainer.batch_size=6"),
    "flat": ("dataset.num_train=8", "dataset.num_val=4", "dataset.num_test=4", "trainer.batch_size=4"),
}


@pytest.fixture(autouse=True)
def _float32() -> Iterator[None]:
    """Starts every test without the networks and the precision of the one before."""
    begin_run(seed=0, precision="float32", deterministic=False)
    yield
    begin_run(seed=0, precision="float32", deterministic=False)


def conv(filters: int, channels: int) -> int:
    """Weights of a 3x3 convolution, from the definition."""
    return 9 * channels * filters + filters


def mark_slow(recipes: list[str]) -> list[object]:
    return [pytest.param(name, marks=pytest.mark.slow if name in WITH_BACKBONE else ()) for name in recipes]


def build(config: RunConfig) -> Network:
    return build_network(config.model, config.dataset.image_size, num_classes=2)


def compose_random(compose_recipe: Compose, recipe: str, *overrides: str) -> RunConfig:
    """Composes a recipe that needs no ImageNet weights: a backbone has as many parameters with random ones."""
    transfer = isinstance(compose_recipe(recipe).model, TransferConfig)
    return compose_recipe(recipe, *(["model.weights=random"] if transfer else []), *overrides)


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES if load_published(recipe).num_params])
def test_a_recipes_network_has_the_published_number_of_parameters(recipe: str, compose_recipe: Compose) -> None:
    network = build(compose_random(compose_recipe, recipe))
    assert network.num_params == load_published(recipe).num_params


@pytest.mark.parametrize(
    ("recipes", "count"),
    [
        # Not printed by their authors; counted here from the layers.
        ("B1", conv(32, 3) + 2 * conv(32, 32) + (18 * 18 * 32 + 1) * 2),
        ("B2 B3", conv(32, 3) + 2 * conv(32, 32) + (18 * 18 * 32 + 1) * 64 + 65 * 2),
        (
            "C2 C3",
            conv(16, 3) + conv(64, 16) + conv(128, 64) + conv(128, 128) + (7 * 7 * 128 + 1) * 512 + 513 * 512 + 513,
        ),
        ("D1 D2 D3", conv(32, 3) + conv(32, 32) + conv(64, 32) + (36 * 36 * 64 + 1) * 2),
        ("E2", conv(32, 3) + conv(32, 32) + 33 * 64 + (38 * 38 * 64 + 1) * 2),
        ("E3", conv(32, 3) + 2 * conv(32, 32) + (18 * 18 * 32 + 1) * 2),
    ],
)
def test_a_network_without_a_published_number_has_the_parameters_of_its_layers(
    recipes: str, count: int, compose_recipe: Compose
) -> None:
    assert [build(compose_recipe(recipe)).num_params for recipe in recipes.split()] == [count] * len(recipes.split())


def test_vgg16_and_the_head_of_c4_have_the_published_numbers_of_parameters(compose_recipe: Compose) -> None:
    network = build(compose_random(compose_recipe, "C4"))
    backbone = network.model.get_layer("vgg16").count_params()
    assert backbone == 14_714_688
    assert network.num_params - backbone == load_published("C4").num_trainable_params == 4_457_985


@pytest.mark.parametrize("recipe", ["B4", "D4", "E4"])
@pytest.mark.skipif(not MOBILENET_WEIGHTS.exists(), reason="the MobileNetV2 weights do not lie beside this checkout")
def test_only_the_head_of_a_frozen_mobilenet_is_trained(recipe: str, compose_recipe: Compose) -> None:
    network = build(compose_recipe(recipe, f"model.weights={MOBILENET_WEIGHTS}"))
    published = load_published(recipe)
    assert (network.num_params, network.num_trainable_params) == (published.num_params, published.num_trainable_params)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A handful of images in the layout of each of the two data sets."""
    folder = tmp_path_factory.mktemp("images")
    return {name: write_folder(folder / name, files) for name, files in (("pets", pet_files()), ("flat", flat_files()))}


@pytest.mark.parametrize("recipe", mark_slow(RECIPES))
def test_a_recipe_trains_two_steps_on_shrunk_data(
    recipe: str, compose_recipe: Compose, folders: dict[str, Path]
) -> None:
    layout = "flat" if recipe[0] == "C" else "pets"
    test = [] if recipe[0] in "AC" else ["dataset.num_test=2"]
    # Of smaller images nothing is left after four convolutions.
    shrunk = ["dataset.image_size=48", "trainer.epochs=1", "trainer.precision=float32", *SHRUNK[layout], *test]
    config = compose_random(compose_recipe, recipe, f"dataset.url={folders[layout]}", *shrunk)
    dataset = open_dataset(config.dataset)
    network = build_network(config.model, dataset.image_size, dataset.num_classes)
    before = network.model.get_weights()
    training = Training(config, dataset, network, precision="float32")
    training.execute([])
    assert (training.steps_per_epoch, len(training.history)) == (2, 1)
    assert len(dataset.val) == (4 if layout == "flat" else 8 if recipe[0] == "A" else 6)
    changed = [bool((old != new).any()) for old, new in zip(before, network.model.get_weights(), strict=True)]
    assert any(changed)
