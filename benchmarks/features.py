"""Claim: on features computed once a head trains 10 times as fast as behind its backbone, from the second trial on 40.

    python -m benchmarks.features
    python -m benchmarks.features --images 200 --epochs 3

Recipe B4's head on MobileNetV2, without the recipe's augmentation, is trained on cats and dogs in three ways that take
turns:

- the rival: the backbone in the loop, for every batch of every epoch and every evaluation, which is what the tutorials
  do; here our own training with `trainer.features=in_the_loop`,
- features, first use: nothing is on disk yet but the decoded images, and the backbone sees each image once,
- features, second trial: what the first use has left on disk is there.

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

from hydra import compose, initialize_config_dir  # noqa: E402

from benchmarks.measurement import describe_machine, interleave, print_table, ratio  # noqa: E402
from src.config.composition import register_schemas, to_run_config  # noqa: E402
from src.config.paths import PROJECT_ROOT  # noqa: E402
from src.config.run import RunConfig  # noqa: E402
from src.data.dataset import ImageDataset, open_dataset  # noqa: E402
from src.models.build import build_network  # noqa: E402
from src.training.features import plan_features, prepare_features  # noqa: E402
from src.training.training import Training  # noqa: E402

#: Third-party images and weights that lie beside some checkouts.
SHARED = PROJECT_ROOT.parent / "shared"
IMAGES = SHARED / "data" / "cats_and_dogs_filtered.zip"
WEIGHTS = SHARED / "weights" / "mobilenet_v2_1.0_224_no_top.h5"

LOOP, FIRST, SECOND = "backbone in the loop", "features, first use", "features, second trial"


def main() -> None:
    """Measures the three in turns and prints seconds and how many times as fast they are as the rival."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20, help="epochs of each training")
    parser.add_argument("--images", type=int, help="training images, and half as many to validate; all if not given")
    parser.add_argument("--rounds", type=int, default=1, help="how often each is measured")
    options = parser.parse_args()
    missing = [str(path) for path in (IMAGES, WEIGHTS) if not path.exists()]
    if missing:
        print(f"Nothing is measured: there is no {' and no '.join(missing)} beside this checkout.")
        return
    accuracies: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        config = compose_training(options.epochs, options.images, folder)
        dataset = open_dataset(config.dataset)
        features = Path(folder) / "features"
        looping = compose_training(options.epochs, options.images, folder, "trainer.features=in_the_loop")
        # The first of all pays for what TensorFlow prepares once in a process.
        train(compose_training(1, options.images, folder, "trainer.features=in_the_loop"), dataset)
        train(config, dataset)

        def measure(name: str, config: RunConfig) -> float:
            if name == FIRST:
                shutil.rmtree(features)
            seconds, accuracies[name] = train(config, dataset)
            return seconds

        configs = {LOOP: looping, FIRST: config, SECOND: config}
        figures = interleave({name: partial(measure, name, config) for name, config in configs.items()}, options.rounds)
    rival = figures[LOOP]
    print(describe_machine(["tensorflow", "keras"]))
    print(
        f"{options.rounds} rounds of {options.epochs} epochs, {len(dataset.train):,} training images of "
        f"{dataset.image_size} x {dataset.image_size}, {choose_precision(config.trainer.precision)}\n"
    )
    print_table(
        [
            ("recipe B4's head, whole training", "seconds", "best val accuracy", "times as fast"),
            *(
                (name, f"{statistics.median(times):.1f}", f"{accuracies[name]:.4f}", str(ratio(rival, times)))
                for name, times in figures.items()
            ),
        ]
    )


def compose_training(epochs: int, images: int | None, cache_dir: str, *overrides: str) -> RunConfig:
    """Returns recipe B4 without augmentation, with the images and weights that lie beside the checkout."""
    fewer = [] if images is None else [f"dataset.num_train={images}", f"dataset.num_val={max(images // 2, 2)}"]
    register_schemas()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        changes = [
            "recipe=B4",
            "augmentation.strength=0",
            f"trainer.epochs={epochs}",
            f"dataset.url={IMAGES}",
            f"dataset.cache_dir={cache_dir}",
            f"model.weights={WEIGHTS}",
        ]
        return to_run_config(compose("train", overrides=[*changes, *fewer, *overrides]))


def train(config: RunConfig, dataset: ImageDataset) -> tuple[float, float]:
    """Trains once and returns seconds and the best validation accuracy."""
    start = time.perf_counter()
    precision = choose_precision(config.trainer.precision)
    begin_run(seed=config.seed, precision=precision, deterministic=config.trainer.deterministic)
    network = build_network(config.model, dataset.image_size, dataset.num_classes)
    plan = plan_features(config, network)
    features = prepare_features(config, dataset, network, plan, precision=precision)
    training = Training(config, dataset, network, precision=precision, features=features)
    training.execute([])
    training.evaluate(dataset.test)
    return time.perf_counter() - start, training.history.best().val_accuracy


if __name__ == "__main__":
    main()
