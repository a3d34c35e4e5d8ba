"""Claim: a folder that does not fit into memory trains as fast as one that does, in memory that does not grow with it.

    python -m benchmarks.large_folder
    python -m benchmarks.large_folder --images 10000 --few 2000 --mapped-mb 50 --seconds 5

It makes a folder of 100,000 JPEGs of 64 x 64 pixels, of a thousand different pictures, decodes it to 96 x 96, which
makes 2.8 GB, and trains recipe E1's network, the fastest of the recipes, on it, by fitgap's own training. Three ways
take turns, each in a process of its own:

- 10,000 images of the same kind, all of which stay in memory,
- 100,000 images, of whose cache no more than 500 MB may be in memory, so that most images come from the disk,
- the rival: the same, but read as the system reads a mapped file by itself, far around each row.

Every training process may have 2 GB of memory of its own at most (RLIMIT_DATA), less than the decoded images take: who
copies them fails. What is read of the cache is counted, and all of it dropped from memory where it is more than
allowed. fitgap is told of that limit as it finds out about a control group's:
`systemd-run --scope -p MemoryMax=1G python -m benchmarks.large_folder` limits it for real, where one may.

Images per second are counted from the tenth step on, and for so many seconds at most. Decoding is measured too: how
many images per second, how many cores were busy, the process's own memory.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from hydra import compose, initialize_config_dir
from PIL import Image

from benchmarks.measurement import describe_machine, interleave, print_table, ratio
from benchmarks.residency import drop, watch_memory
from src.config.composition import register_schemas, to_run_config
from src.config.dataset import ImageFolderConfig
from src.config.paths import PROJECT_ROOT
from src.data import paging
from src.data.dataset import open_dataset
from src.history import EpochMetrics, History
from src.runtime import begin_run, choose_precision, load_tensorflow
from src.training.progress import Step
from src.workers.worker import limit_memory

STORED, SIZE, CLASSES, PICTURES = 64, 96, 10, 1000
WARM_STEPS, OWN_GB = 10, 2.0

FEW, MANY, RIVAL = "fit into memory", "do not fit", "do not fit, read as the system does"

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Decoding:
    """What it took to decode a folder.

    Attributes:
        rate: Images per second.
        cores: Cores that were busy on average.
        own: Most memory of its own that the process had, in bytes.
        reopening: Seconds to open the folder again when it is decoded.
    """

    rate: float
    cores: float
    own: int
    reopening: float


@dataclass(frozen=True)
class Speed:
    """How fast a training was.

    Attributes:
        rate: Images per second.
        own: Most memory of its own that the process had, in bytes.
        mapped: Most of the cache that was in memory because of it, in bytes.
        read: What it read from disk, in bytes per second.
    """

    rate: float
    own: int
    mapped: int
    read: float


class EnoughError(Exception):
    """Enough steps have been taken to say how fast they are."""


class Stopwatch:
    """Measures the rate of a training's steps and ends it when it has seen enough; a `TrainingObserver`."""

    def __init__(self, seconds: float, batch_size: int) -> None:
        """Takes for how long the training is watched, and the images per step."""
        self.seconds = seconds
        self.batch_size = batch_size
        self.rate = 0.0
        self._first: tuple[int, float] | None = None

    def on_resume(self, history: History) -> None:
        """Is not told: this training begins at its beginning."""

    def on_step(self, step: Step) -> None:
        """Measures from the tenth step on."""
        now = time.perf_counter()
        if self._first is None:
            if step.step >= WARM_STEPS:
                self._first = step.step, now
            return
        number, since = self._first
        self.rate = (step.step - number) * self.batch_size / (now - since)
        if now - since > self.seconds or step.step >= step.num_steps - 1:
            raise EnoughError

    def on_epoch(self, epoch: EpochMetrics) -> None:
        """Has nothing to measure."""

    def should_stop(self, history: History) -> bool:
        """Ends the training with its first epoch."""
        return True


def main() -> None:
    """Makes both folders, decodes them, trains on them in turns and prints rates and memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000, help="images that do not fit into memory")
    parser.add_argument("--few", type=int, default=10_000, help="images that do")
    parser.add_argument("--mapped-mb", type=int, default=500, help="megabytes of the cache that may be in memory")
    parser.add_argument("--seconds", type=float, default=20, help="seconds of a training that are measured at most")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--folder", type=Path, help="where the images are made and removed again; a temporary folder")
    options = parser.parse_args()
    most = options.mapped_mb * 1_000_000
    if not options.few * SIZE**2 * 3 < most < options.images * SIZE**2 * 3:
        parser.error("--few images must fit into --mapped-mb, and --images must not.")
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        check_room(folder, options.images + options.few)
        decodings: dict[int, Decoding] = {}
        for count in (options.few, options.images):
            make_folder(folder / str(count), count)
            decodings[count] = run_apart(partial(decode, folder, count))
        speeds: dict[str, list[Speed]] = {FEW: [], MANY: [], RIVAL: []}

        def measure(name: str) -> float:
            count = options.few if name == FEW else options.images
            speed = run_apart(partial(train, folder, count, most, options.seconds, ahead=name != RIVAL))
            speeds[name].append(speed)
            return speed.rate

        rates = interleave({name: partial(measure, name) for name in (FEW, MANY, RIVAL)}, options.rounds)
    print(describe_machine(["tensorflow", "keras", "numpy", "pillow"]))
    print(
        f"{options.rounds} rounds, {options.few:,} and {options.images:,} images of {SIZE} x {SIZE}: "
        f"{options.few * SIZE**2 * 3 / 1e9:.2f} and {options.images * SIZE**2 * 3 / 1e9:.2f} GB decoded\n"
    )
    print_table(
        [
            ("decoding", "images per second", "cores busy", "own MB", "seconds to open it again"),
            *(
                (f"{count:,} images", f"{one.rate:,.0f}", f"{one.cores:.2f}", _mb(one.own), f"{one.reopening:.2f}")
                for count, one in decodings.items()
            ),
        ]
    )
    print()
    print_table(
        [
            (
                "training on images that",
                "images per second",
                "times as fast",
                "own MB",
                "cached MB",
                "MB read per second",
            ),
            *(
                (
                    name,
                    f"{statistics.median(figures):,.0f}",
                    str(ratio(figures, rates[FEW])),
                    _mb(max(speed.own for speed in speeds[name])),
                    "all" if name == FEW else _mb(max(speed.mapped for speed in speeds[name])),
                    _mb(statistics.median(speed.read for speed in speeds[name])),
                )
                for name, figures in rates.items()
            ),
        ]
    )


def check_room(folder: Path, count: int) -> None:
    """Raises RuntimeError where the disk has no room for so many images, as files and decoded."""
    needed, free = count * (SIZE**2 * 3 + 4096), shutil.disk_usage(folder).free
    if needed > 0.9 * free:
        raise RuntimeError(
            f"{folder} has {free / 1e9:.1f} GB free, but {needed / 1e9:.1f} GB are needed. Name a folder on another "
            "disk with --folder, or make fewer --images."
        )


def make_folder(folder: Path, count: int) -> None:
    """Writes so many JPEGs, evenly into a folder per class; a picture is a random pattern of 8 x 8 colours."""
    contents = []
    for number in range(min(count, PICTURES)):
        colours = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(colours).resize((STORED, STORED), Image.Resampling.BILINEAR).save(file, "JPEG")
        contents.append(file.getvalue())
    for label in range(CLASSES):
        (folder / f"class {label}").mkdir(parents=True)
    for number in range(count):
        (folder / f"class {number % CLASSES}" / f"{number}.jpg").write_bytes(contents[number % len(contents)])


def run_apart(work: Callable[[], Answer]) -> Answer:
    """Returns what a function returns in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work).result()


def decode(folder: Path, count: int) -> Decoding:
    """Decodes a folder of images into the cache."""
    config = _configure(folder, count)
    start, busy = time.perf_counter(), time.process_time()
    with watch_memory() as memory:
        open_dataset(config)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    start = time.perf_counter()
    open_dataset(config)
    return Decoding(count / seconds, busy / seconds, memory.own, time.perf_counter() - start)


def train(folder: Path, count: int, most_mapped: int, seconds: float, *, ahead: bool) -> Speed:
    """Trains on a decoded folder until enough steps are measured.

    Args:
        folder: Where folders and cache are.
        count: Images of the folder.
        most_mapped: Bytes of the cache that may be in memory.
        seconds: For how long steps are measured.
        ahead: Whether fitgap knows of that limit, and asks for rows together.
    """
    limit_memory(OWN_GB)
    load_tensorflow()
    from src.models.build import build_network
    from src.training.training import Training

    dataset = open_dataset(_configure(folder, count))
    register_schemas()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        config = to_run_config(compose("train", overrides=["recipe=E1", "trainer.epochs=1"]))
    precision = choose_precision(config.trainer.precision)
    begin_run(seed=0, precision=precision, deterministic=True)
    network = build_network(config.model, dataset.image_size, dataset.num_classes)
    training = Training(config, dataset, network, precision=precision)
    watch = Stopwatch(seconds, config.trainer.batch_size)
    images = dataset.train.images
    assert isinstance(images, np.memmap), f"The cache is a {type(images).__name__}, not mapped from a file."
    _claim_memory(most_mapped if ahead else 2**60)
    if count * SIZE**2 * 3 > most_mapped:
        drop(images)
    else:
        images.max()  # All of it is in memory before the first step.
    start = time.perf_counter()
    with watch_memory(images, most_mapped) as memory, contextlib.suppress(EnoughError):
        training.execute([watch])
    return Speed(watch.rate, memory.own, memory.mapped, memory.read / (time.perf_counter() - start))


def _configure(folder: Path, count: int) -> ImageFolderConfig:
    return ImageFolderConfig(
        name="large_folder",
        url=str(folder / str(count)),
        image_size=SIZE,
        cache_dir=str(folder / "cache"),
        val_fraction=0.02,
        test_fraction=0.0,
    )


def _claim_memory(number: int) -> None:
    """Has fitgap believe that it may use so many bytes, as it would in a control group with that limit."""
    paging.usable_memory = functools.cache(lambda: number)


def _mb(number: float) -> str:
    return f"{number / 1e6:,.0f}"


if __name__ == "__main__":
    main()
