"""A trained model, asked about image files: by our own command, and by MLflow's. Trains a network."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.config.paths import PROJECT_ROOT
from src.config.run import RunConfig
from src.config.tracking import TrackingConfig
from src.data.dataset import open_dataset
from src.prediction import predict_images
from src.runtime import begin_run
from src.tracking.run import start_run
from src.tracking.store import open_store
from tests.data.image_files import encode, truncated_jpeg, write_folder
from tests.tiny import TINY

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's and Keras's own, while they are imported.

#: The classes by number; a folder's name is its class's, whatever is in it.
CLASSES = ("a cat", "dog")


@dataclass(frozen=True)
class Trained:
    """A training that has ended: what it measured, and where it is recorded."""

    run_id: str
    uri: str
    paths: list[Path]
    images: np.ndarray
    probabilities: np.ndarray


def make_images() -> dict[str, bytes]:
    """Returns pictures of large coloured squares, in several formats, upright and across."""
    numbers, files = np.random.default_rng(0), {}
    for position in range(48):
        squares = numbers.integers(0, 256, (3, 4, 3), dtype=np.uint8)
        size = ((40, 21), (17, 50), (33, 33))[position % 3]
        kind, ending = (("PNG", "png"), ("JPEG", "JPG"), ("BMP", "bmp"))[position % 3]
        picture = Image.fromarray(squares).resize(size, Image.Resampling.NEAREST)
        files[f"{CLASSES[position % 2]}/{position}.{ending}"] = encode(picture, kind)
    return files


@pytest.fixture(scope="module", params=["softmax", "sigmoid"])
def trained(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    migrated_database: Path,
    compose_run: Callable[..., RunConfig],
) -> Iterator[Trained]:
    """One epoch on a folder of images, recorded as a run's, with either head."""
    from src.models.build import build_classifier, build_network
    from src.recording import log_classifier
    from src.training.training import Training

    root = tmp_path_factory.mktemp("trained")
    folder = write_folder(root / "images", make_images())
    dataset_overrides = ["dataset=image_folder", f"dataset.url='{folder}'", "dataset.name=squares"]
    shrunk = [override for override in TINY if not override.startswith("dataset.num_")]
    config = compose_run(
        *dataset_overrides,
        *shrunk,
        "model=cnn",
        f"model.head={request.param}",
        "trainer.epochs=1",
        "trainer.batch_size=8",
    )
    dataset = open_dataset(config.dataset)
    begin_run(seed=0, precision="float32", deterministic=False)
    network = build_network(config.model, dataset.image_size, dataset.num_classes)
    training = Training(config, dataset, network, precision="float32")
    training.execute([])

    shutil.copy(migrated_database, root / "mlflow.db")
    store = open_store(TrackingConfig(uri=f"sqlite:///{root / 'mlflow.db'}"), root)
    run = start_run(store, name="squares", tags={"fitgap.kind": "run", "fitgap.state": "complete"})
    log_classifier(run, build_classifier(network.model), dataset, root, epoch=1)
    assert run.finish().delivered
    assert training.val_probabilities is not None
    paths = [folder / dataset.file_names[position] for position in dataset.val.indices]
    yield Trained(run.run_id, store.uri, paths, dataset.val.load(), training.val_probabilities)
    begin_run(seed=0, precision="float32", deterministic=False)


def run_command(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=PROJECT_ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_files_get_the_probabilities_that_the_training_has_measured(trained: Trained) -> None:
    predictions = predict_images(trained.run_id[:8], trained.paths, uri=trained.uri, batch_size=4)

    assert predictions.model.class_names == CLASSES
    assert [image.path for image in predictions.images] == trained.paths
    given = np.stack([image.probabilities for image in predictions.images])
    np.testing.assert_allclose(given, trained.probabilities, rtol=0, atol=1e-6)
    # Equal answers to all images would prove nothing about how they were read.
    assert np.ptp(given[:, 0]) > 1e-3


@pytest.mark.slow
def test_the_command_prints_a_line_per_image_and_names_what_it_cannot_read(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "holiday"
    write_folder(folder, {"b/cut.jpg": truncated_jpeg()})
    shutil.copy(trained.paths[0], folder / f"10{trained.paths[0].suffix}")
    shutil.copy(trained.paths[1], folder / f"9{trained.paths[1].suffix}")
    table = tmp_path / "table.csv"

    answer = run_command(
        "src.predict", trained.run_id, str(folder), "--top", "2", "--csv", str(table), "--uri", trained.uri
    )

    assert answer.returncode == 1
    errors = answer.stderr.splitlines()
    assert errors[0] == "Error: 1 of 3 images cannot be read:"
    assert errors[1].startswith(f"  {folder}/b/cut.jpg: ")
    assert len(errors) == 2
    lines = [line.split("\t") for line in answer.stdout.splitlines()]
    assert [Path(line[0]).stem for line in lines] == ["9", "10"]
    for line, row in zip(lines, trained.probabilities[[1, 0]], strict=True):
        assert line[1::2] == [CLASSES[label] for label in np.argsort(-row)]
        assert [float(share) for share in line[2::2]] == pytest.approx(sorted(row, reverse=True), abs=2e-6)
    with table.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["path", "class", "probability.a cat", "probability.dog"]
    assert [row[:2] for row in rows] == [line[:2] for line in lines]


@pytest.mark.slow
def test_mlflow_alone_predicts_the_same_from_raw_images(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "images.json").write_text(json.dumps({"inputs": trained.images.tolist()}), encoding="utf-8")

    answer = run_command(
        *("mlflow", "models", "predict", "--env-manager", "local", "-m", f"runs:/{trained.run_id}/model"),
        *("-i", str(tmp_path / "images.json"), "-o", str(tmp_path / "answer.json")),
        MLFLOW_TRACKING_URI=trained.uri,
    )

    assert answer.returncode == 0, answer.stderr
    given = json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))["predictions"]
    np.testing.assert_allclose(np.array(given), trained.probabilities, rtol=0, atol=1e-6)
