"""What the number of threads does to a training; each needs a process of its own, which reads it at its start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from src.config.paths import PROJECT_ROOT
from tests.tiny import TINY

_TRAINING = """
import json, sys
from hydra import compose, initialize_config_dir
from src.runtime import begin_run, count_threads, load_tensorflow
load_tensorflow()
from src.config.composition import register_schemas, to_run_config
from src.data.dataset import open_dataset
from src.models.build import build_network
from src.training.training import Training

class Losses(list):
    def on_step(self, step): self.append(step.loss)
    def on_epoch(self, epoch): pass
    def should_stop(self, history): return False

register_schemas()
with initialize_config_dir(sys.argv[1], version_base="1.3"):
    config = to_run_config(compose("train", overrides=sys.argv[2:]))
dataset = open_dataset(config.dataset)
begin_run(seed=0, precision="float32", deterministic=True)
network = build_network(config.model, dataset.image_size, dataset.num_classes)
losses = Losses()
Training(config, dataset, network, precision="float32").execute([losses])
weights = [weight.tolist() for weight in network.model.get_weights()]
print(json.dumps({"threads": count_threads(), "losses": losses, "weights": weights}))
"""


def train(threads: int, cache: Path) -> dict[str, object]:
    """Returns a training's number of threads, the losses of its steps, and its weights."""
    shares = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), str(threads))
    arguments = [str(PROJECT_ROOT / "conf"), *TINY, "model.conv_filters=[16,32]", f"dataset.cache_dir={cache}"]
    answer = subprocess.run(
        [sys.executable, "-c", _TRAINING, *arguments],
        cwd=PROJECT_ROOT,
        env={**os.environ, **shares},
        capture_output=True,
        text=True,
        timeout=250,
        check=True,
    )
    return dict(json.loads(answer.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_a_training_is_repeated_on_as_many_threads_and_begins_alike_on_any_number(tmp_path: Path) -> None:
    one, again, three = (train(threads, tmp_path) for threads in (1, 1, 3))
    assert (one["threads"], three["threads"]) == (1, 3)
    assert one == again
    # They compute the same and round it differently, which grows with every step.
    assert three["losses"][0] == pytest.approx(one["losses"][0], rel=1e-5)
    assert three["losses"] == pytest.approx(one["losses"], rel=0.05)
