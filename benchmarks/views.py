"""Claim: a head trained on some augmented views of each image loses little accuracy beside one that sees new ones.

    python -m benchmarks.views
    python -m benchmarks.views --views 1 4 16 --seeds 5

Recipe B4's head on MobileNetV2, with the recipe's augmentation, is trained on cats and dogs with each seed in turn:

- the rival: images are warped anew in every epoch and pass through the backbone each time,
- with `trainer.feature_views=K`: K views of each image are computed once, kept on disk, and shared by all seeds.

The accuracies are the best on the validation images, those of one seed compared with each other. The time of a training
on views is that of one that finds them on disk; what computing them takes is a column of its own.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from benchmarks.features import IMAGES, WEIGHTS, compose_training, find_images_and_weights, train
from benchmarks.measurement import describe_machine, print_table, ratio
from benchmarks.peers.result import compare
from src.data.dataset import open_dataset

LOOP = "new in every epoch"


def main() -> None:
    """Trains with each seed in all ways and prints accuracies and times beside those of the rival."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", type=int, nargs="+", default=[1, 4, 16], help="numbers of views")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of each training")
    parser.add_argument("--images", type=int, default=600, help="training images, and half as many to validate")
    options = parser.parse_args()
    missing = [str(path) for path in (IMAGES, WEIGHTS) if not path.exists()]
    if missing:
        print(f"Nothing is measured: there is no {' and no '.join(missing)} beside this checkout.")
        return
    ways = {LOOP: ["trainer.features=in_the_loop"]}
    ways |= {f"{number} views": [f"trainer.feature_views={number}"] for number in options.views}
    accuracies: dict[str, list[float]] = {name: [] for name in ways}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    first_use = {}
    with tempfile.TemporaryDirectory() as folder:
        place = [*find_images_and_weights("B4", Path(folder)), "augmentation.strength=1"]
        size = ("B4", options.epochs, options.images)
        dataset = open_dataset(compose_training(*size, *place).dataset)
        for name, way in ways.items():
            # What is computed once is not to count for the first seed.
            first_use[name], _ = train(compose_training("B4", 1, options.images, *place, *way), dataset)
        for seed in range(options.seeds):
            for name, way in ways.items():
                taken, accuracy = train(compose_training(*size, *place, *way, f"seed={seed}"), dataset)
                seconds[name].append(taken)
                accuracies[name].append(accuracy)
    print(describe_machine(["tensorflow", "keras"]))
    print(f"{options.seeds} seeds, {options.epochs} epochs, {len(dataset.train):,} training images\n")
    rows = [
        ("recipe B4's head, augmented", "best val accuracy", "minus the rival's", "times as fast", "first use, seconds")
    ]
    for name in ways:
        rows.append(
            (
                name,
                f"{statistics.fmean(accuracies[name]):.4f}",
                "" if name == LOOP else str(compare(accuracies[name], accuracies[LOOP])),
                str(ratio(seconds[LOOP], seconds[name])),
                "" if name == LOOP else f"{first_use[name]:.0f}",
            )
        )
    print_table(rows)


if __name__ == "__main__":
    main()
