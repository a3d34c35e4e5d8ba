"""Claim: on features computed once a head trains 10 times as fast as behind its backbone, from the second trial on 40.

    python -m benchmarks.features
    python -m benchmarks.features --recipe C4 --images 200

The head of a recipe with a frozen backbone, without the recipe's augmentation, is trained on cats and dogs in three
ways that take turns. It is recipe B4's single layer on MobileNetV2 with the weights that lie beside some checkouts, or
recipe C4's 4.5 million weights on VGG16, whose own weights are random ones here: they take as long as those of
ImageNet, and accuracies mean nothing. The three ways are

- the rival: the backbone in the loop, for every batch of every epoch and every evaluation, which is what the tutorials
  do; here our own training with `trainer.features=in_the_loop`,
- features, first use: nothing is on disk yet but the decoded images, and the backbone sees each image once,
- features, second trial: what the first use has left on disk is there, and the steps are traced.

The time is that of a whole training: the network is built, its weights are read, all epochs are trained and measured,
and the test images are measured at last. Imports and the decoding of the images are not counted. The accuracies beside
it show that the three are one training, give or take an image that bfloat16 rounds to the other side.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

from src.runtime import begin_run, choose_precision, load_tensorflow

load_tensorflow()

import keras  # noqa: E402
from hydra import compose, initialize_config_dir  # noqa: E402

from benchmarks.measurement import describe_machine, interleave, print_table, ratio  # noqa: E402
from src.config.composition import register_schemas, to_run_config  # noqa: E402
from src.config.paths import PROJECT_ROOT  # noqa: E402
from src.config.run import RunConfig  # noqa: E402
from src.data.dataset import ImageDataset, open_dataset  # noqa: E402
from src.models.build import build_network  # noqa: E402
from src.training.features import plan_features, prepare_features  # noqa: E402
from src.training.keeper import ProgramKeeper  # noqa: E402
from src.training.training import Training  # noqa: E402

#: Third-party images and weights that lie beside some checkouts.
SHARED = PROJECT_ROOT.parent / "shared"
IMAGES = SHARED / "data" / "cats_and_dogs_filtered.zip"
FLAT_IMAGES = SHARED / "data" / "dogs_vs_cats_flat.zip"
WEIGHTS = SHARED / "weights" / "mobilenet_v2_1.0_224_no_top.h5"

LOOP, FIRST, SECOND = "backbone in the loop", "features, first use", "features, second trial"


def main() -> None:
    """Measures the three in turns and prints seconds and how many times as fast they are as the rival."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", choices=("B4", "C4"), default="B4", help="whose head")
    parser.add_argument("--epochs", type=int, default=20, help="epochs of each training")
    parser.add_argument("--images", type=int, help="training images, and half as many to validate; all if not given")
    parser.add_argument("--rounds", type=int, default=1, help="how often each is measured")
    options = parser.parse_args()
    missing = [str(path) for path in (IMAGES, FLAT_IMAGES, WEIGHTS) if not path.exists()]
    if missing:
        print(f"Nothing is measured: there is no {' and no '.join(missing)} beside this checkout.")
        return
    accuracies: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = find_images_and_weights(options.recipe, Path(folder))
        config = compose_training(options.recipe, options.epochs, options.images, *place)
        dataset = open_dataset(config.dataset)
        features = Path(folder) / "features"
        looping = compose_training(
            options.recipe, options.epochs, options.images, *place, "trainer.features=in_the_loop"
        )
        keeper = ProgramKeeper()
        # The first of all pays for what TensorFlow prepares once in a process.
        train(compose_training(options.recipe, 1, options.images, *place, "trainer.features=in_the_loop"), dataset)
        train(config, dataset, keeper)

        def measure(name: str) -> float:
            if name == FIRST:
                shutil.rmtree(features)
            seconds, accuracies[name] = (
                train(config, dataset, keeper)
                if name == SECOND
                else train(looping if name == LOOP else config, dataset)
            )
            return seconds

        figures = interleave({name: partial(measure, name) for name in (LOOP, FIRST, SECOND)}, options.rounds)
    rival = figures[LOOP]
    print(describe_machine(["tensorflow", "keras"]))
    print(
        f"{options.rounds} rounds of {options.epochs} epochs, {len(dataset.train):,} training images of "
        f"{dataset.image_size} x {dataset.image_size}, {choose_precision(config.trainer.precision)}\n"
    )
    print_table(
        [
            (f"recipe {options.recipe}'s head, whole training", "seconds", "best val accuracy", "times as fast"),
            *(
                (name, f"{statistics.median(times):.1f}", f"{accuracies[name]:.4f}", str(ratio(rival, times)))
                for name, times in figures.items()
            ),
        ]
    )


def find_images_and_weights(recipe: str, folder: Path) -> list[str]:
    """Returns overrides that name a recipe's images, its weights, and a folder for caches; makes weights if need be."""
    weights, images = WEIGHTS, IMAGES
    if recipe == "C4":
        weights, images = folder / "random.weights.h5", FLAT_IMAGES
        keras.applications.VGG16(weights=None, include_top=False).save_weights(weights)
    return [f"dataset.url={images}", f"dataset.cache_dir={folder}", f"model.weights={weights}"]


def compose_training(recipe: str, epochs: int, images: int | None, *overrides: str) -> RunConfig:
    """Returns a recipe without augmentation, on fewer images where a number is given."""
    fewer = [] if images is None else [f"dataset.num_train={images}", f"dataset.num_val={max(images // 2, 2)}"]
    register_schemas()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        changes = [f"recipe={recipe}", "augmentation.strength=0", f"trainer.epochs={epochs}", *fewer]
        return to_run_config(compose("train", overrides=[*changes, *overrides]))


def train(config: RunConfig, dataset: ImageDataset, keeper: ProgramKeeper | None = None) -> tuple[float, float]:
    """Trains once and returns seconds and the best validation accuracy."""
    start = time.perf_counter()
    precision = choose_precision(config.trainer.precision)
    begin_run(seed=config.seed, precision=precision, deterministic=config.trainer.deterministic)
    network = build_network(config.model, dataset.image_size, dataset.num_classes)
    plan = plan_features(config, network)
    features = prepare_features(config, dataset, network, plan, precision=precision)
    training = Training(config, dataset, network, precision=precision, features=features, keeper=keeper)
    training.execute([])
    training.evaluate(dataset.test)
    return time.perf_counter() - start, training.history.best().val_accuracy


if __name__ == "__main__":
    main()
