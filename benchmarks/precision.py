"""Claim: where the processor computes bfloat16 in hardware, `trainer.precision=auto` trains faster than float32.

    python -m benchmarks.precision

The training step of recipe A1's network on one batch of 100 images of 150 x 150 pixels, already in memory, in a loop;
float32 and Keras's `mixed_bfloat16` policy take turns. On a processor without bfloat16 there is nothing to
measure, and the benchmark says so: there `auto` picks float32.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from src.runtime import begin_run, has_bfloat16, load_tensorflow

load_tensorflow()

import numpy as np  # noqa: E402

from benchmarks.measurement import describe_machine, interleave, print_table, ratio  # noqa: E402
from src.config.model import CnnConfig  # noqa: E402
from src.config.optimizer import AdamConfig  # noqa: E402
from src.models.build import build_network  # noqa: E402
from src.training.optimizer import build_optimizer  # noqa: E402
from src.training.pipeline import StepBatches  # noqa: E402
from src.training.program import TrainingProgram  # noqa: E402

BATCH_SIZE, SIZE, ROUNDS, STEPS = 100, 150, 7, 6

A1 = CnnConfig(name="A1", scaling="unit", conv_filters=[32, 64, 128, 128], dense_units=[512])


def main() -> None:
    """Measures both precisions in turns and prints images per second."""
    print(describe_machine(["tensorflow", "keras"]))
    if not has_bfloat16():
        print("No bfloat16 in hardware here: trainer.precision=auto is float32, and there is nothing to compare.")
        return
    measurements = {precision: prepare(precision) for precision in ("float32", "bfloat16")}
    figures = interleave(measurements, ROUNDS)
    print(f"{ROUNDS} rounds of {STEPS} steps, {BATCH_SIZE} images of {SIZE} x {SIZE} a step\n")
    print_table(
        [
            ("training step of recipe A1", "images per second", "times float32"),
            *(
                (name, f"{statistics.median(rates):,.0f}", str(ratio(rates, figures["float32"])))
                for name, rates in figures.items()
            ),
        ]
    )


def prepare(precision: str) -> Callable[[], float]:
    """Returns a function that takes some training steps and returns images per second; the step is traced already."""
    begin_run(seed=0, precision=precision, deterministic=False)
    network = build_network(A1, SIZE, 2)
    program = TrainingProgram(
        network.model,
        input_dtype="uint8",
        augmentation=None,
        optimizer=build_optimizer(AdamConfig(name="adam"), precision=precision),
        head="softmax",
    )
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (1, BATCH_SIZE, SIZE, SIZE, 3), dtype=np.uint8)
    batch = StepBatches(0, images, generator.integers(0, 2, (1, BATCH_SIZE), dtype=np.int32))
    learning_rate = np.array([1e-3], np.float32)
    number = np.zeros(1, np.int32)
    program.take_steps(batch, learning_rate, number)

    def measure() -> float:
        start = time.perf_counter()
        for _ in range(STEPS):
            program.take_steps(batch, learning_rate, number)
        return STEPS * BATCH_SIZE / (time.perf_counter() - start)

    return measure


if __name__ == "__main__":
    main()
