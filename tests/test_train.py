"""The commands as people type them, against a real SQLite store: what runs and grids leave behind, however they end."""

from __future__ import annotations

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from src.config.paths import PROJECT_ROOT
from src.config.run import RunConfig
from src.data.dataset import open_dataset
from src.history import EPOCH_METRICS
from src.runtime import count_threads
from tests.data.image_files import class_files, write_folder
from tests.tiny import TINY

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A store of the test's own, not made yet."""
    return locate_store(tmp_path)


@pytest.fixture
def arguments(tmp_path: Path, cache_dir: Path) -> list[str]:
    """The shipped configuration, shrunk, with everything it writes in the test's folder."""
    return shrink(tmp_path, cache_dir)


@pytest.fixture
def train(arguments: list[str]) -> Command:
    """Runs `python -m src.train` with further overrides, which win over the shrunk ones."""
    return lambda *overrides: run_module("src.train", *arguments, *overrides)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A grid of two cells that has been run, and the folder with its store."""
    folder = tmp_path_factory.mktemp("grid")
    overrides = ["model.dropout=0,0.5", "seed=1", "tracking.keep_models=1"]
    return run_module("src.train", "-m", *shrink(folder, cache_dir), *overrides), folder


def locate_store(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def shrink(folder: Path, cache_dir: Path) -> list[str]:
    outputs = [f"hydra.run.dir={folder / 'output'}", f"hydra.sweep.dir={folder / 'output'}"]
    return [*TINY, *outputs, f"dataset.cache_dir={cache_dir}", f"tracking.uri={locate_store(folder)}"]


def make_environment(outbox: Path | None = None) -> dict[str, str]:
    """Returns the environment without the tracking URI and the outbox that it may name, perhaps with another one."""
    left_out = ("MLFLOW_TRACKING_URI", "FITGAP_OUTBOX_DIR")
    environment = {key: value for key, value in os.environ.items() if key not in left_out}
    return environment if outbox is None else {**environment, "FITGAP_OUTBOX_DIR": str(outbox)}


def run_module(module: str, *arguments: str, outbox: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `python -m MODULE` in the project's root."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=PROJECT_ROOT,
        env=make_environment(outbox),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def runs(uri: str) -> list[Run]:
    """All runs of the store, the first started first."""
    client = MlflowClient(uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, order_by=["attributes.start_time ASC"]))


def artifacts(uri: str, run: Run) -> set[str]:
    return {artifact.path for artifact in MlflowClient(uri).list_artifacts(run.info.run_id)}


RUN_ARTIFACTS = {
    "config.yaml",
    "history.csv",
    "curves.png",
    "confusion_matrix.png",
    "worst_predictions.png",
    "dataset_preview.png",
    "augmentation_preview.png",
}


def test_a_run_records_everything_and_its_model_gives_exactly_its_accuracy(
    train: Command, uri: str, compose_run: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = train("trainer.epochs=3", "optimizer.learning_rate=0.01", "+tracking.tags.note=hello")

    assert answer.returncode == 0, answer.stderr
    (run,) = runs(uri)
    assert run.info.status == "FINISHED"
    assert run.data.tags["fitgap.kind"] == "run"
    assert run.data.tags["fitgap.state"] == "complete"
    assert run.data.tags["fitgap.threads"] == str(count_threads())
    assert run.data.tags["note"] == "hello"
    assert run.data.tags["fitgap.verdict"] in ("underfitting", "healthy", "overfitting")
    assert run.data.tags["fitgap.diagnosis"]
    assert run.data.tags["fitgap.version.tensorflow"]
    assert "src.train" in run.data.tags["fitgap.command"]

    assert run.data.params["model.name"] == "cnn"
    assert run.data.params["optimizer.learning_rate"] == "0.01"
    assert run.data.params["num_train_examples"] == "120"
    assert run.data.params["num_classes"] == "10"
    assert run.data.params["weights_source"] == "random"
    assert run.data.params["precision"] == "float32"
    assert run.data.params["features"] == "in_the_loop"
    assert {"num_params", "num_trainable_params", "majority_class_accuracy"} <= set(run.data.params)

    once = {
        "best_val_accuracy",
        "best_val_loss",
        "best_epoch",
        "best_gap_accuracy",
        "final_gap_accuracy",
        "final_gap_loss",
        "epochs_run",
        "test_accuracy",
        "test_loss",
    }
    assert set(run.data.metrics) - {"overfit_epoch"} == once | set(EPOCH_METRICS)
    client = MlflowClient(uri)
    for key in EPOCH_METRICS:
        assert [point.step for point in client.get_metric_history(run.info.run_id, key)] == [1, 2, 3]
    assert artifacts(uri, run) >= RUN_ARTIFACTS
    (dataset_input,) = run.inputs.dataset_inputs
    assert dataset_input.dataset.name == "digits"

    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    model = mlflow.keras.load_model(f"runs:/{run.info.run_id}/model")
    dataset = open_dataset(compose_run(*TINY).dataset)
    probabilities = model.predict(dataset.val.load(), batch_size=100, verbose=0)
    accuracy = np.mean(probabilities.argmax(axis=1) == dataset.val.labels)
    assert float(accuracy) == pytest.approx(run.data.metrics["best_val_accuracy"], abs=1e-7)


def test_the_console_of_a_run_is_plain_and_quiet_where_it_is_no_terminal(train: Command) -> None:
    answer = train()
    assert [line.split()[0] for line in answer.stdout.splitlines() if "/2 " in line] == ["1/2", "2/2"]
    assert "\x1b" not in answer.stdout
    for word in ("best val accuracy", "final gap", "test accuracy", "run", "mlflow ui"):
        assert word in answer.stdout
    # The decoding of a data set may be announced; nothing else may be.
    assert [line for line in answer.stderr.splitlines() if not line.startswith("Decoding")] == []


Grid = tuple[subprocess.CompletedProcess[str], Path]


def test_a_grid_puts_its_cells_under_one_parent_and_side_by_side(grid: Grid) -> None:
    answer, folder = grid
    assert answer.returncode == 0, answer.stderr
    uri = locate_store(folder)
    parent, *children = runs(uri)
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["fitgap.kind"] == "sweep"
    assert parent.data.params["grid.model.dropout"] == "0,0.5"
    assert [child.data.tags["fitgap.arm"] for child in children] == ["dropout=0", "dropout=0.5"]
    assert [child.data.tags["fitgap.trial_number"] for child in children] == ["0", "1"]
    assert {child.data.tags["fitgap.kind"] for child in children} == {"trial"}
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    tables, pictures = {"comparison.csv", "effects.csv"}, {"comparison.png", "effects.png", "tradeoff.png"}
    assert artifacts(uri, parent) == {*tables, *pictures, "report.html"}
    best = max(child.data.metrics["best_val_accuracy"] for child in children)
    assert parent.data.metrics["best_val_accuracy"] == best
    assert "| dropout=0.5 | complete |" in parent.data.tags["mlflow.note.content"]
    assert "dropout=0.5" in answer.stdout


def test_the_test_images_are_measured_for_the_winner_of_a_grid_alone(grid: Grid) -> None:
    parent, *children = runs(locate_store(grid[1]))
    winner = parent.data.tags["fitgap.best_run_id"]
    for child in children:
        assert ("test_accuracy" in child.data.metrics) == (child.info.run_id == winner)
    assert 0 <= parent.data.metrics["test_accuracy"] <= 1


def test_only_the_best_runs_of_a_grid_keep_their_model(grid: Grid) -> None:
    uri = locate_store(grid[1])
    parent, *_ = runs(uri)
    (model,) = MlflowClient(uri).search_logged_models([parent.info.experiment_id])
    assert model.source_run_id == parent.data.tags["fitgap.best_run_id"]
    assert len(list(grid[1].glob("mlruns/*/models/*"))) == 1


def test_a_report_is_rebuilt_from_the_store_alone(grid: Grid, tmp_path: Path) -> None:
    answer = run_module("src.report", "--uri", locate_store(grid[1]), "--output", str(tmp_path))
    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "comparison.png").stat().st_size > 10_000
    assert len((tmp_path / "comparison.csv").read_text(encoding="utf-8").splitlines()) == 3
    assert "dropout=0.5" in answer.stdout


def test_a_failing_cell_does_not_stop_the_others_and_the_exit_code_tells(
    arguments: list[str], uri: str, tmp_path: Path
) -> None:
    # That a sigmoid does not fit three classes is known once the folder has been read.
    images = write_folder(tmp_path / "images", class_files({"a": 20, "b": 20, "c": 20}))
    shared = [argument for argument in arguments if not argument.startswith("dataset.num_")]
    answer = run_module(
        "src.train", "-m", *shared, "dataset=image_folder", f"dataset.url={images}", "model.head=sigmoid,softmax"
    )

    assert answer.returncode == 1
    assert "1 of 2 cells failed" in answer.stderr
    assert "Traceback" not in answer.stderr
    parent, failed, complete = runs(uri)
    assert parent.info.status == "FINISHED"
    assert (failed.info.status, failed.data.tags["fitgap.state"]) == ("FAILED", "failed")
    assert "separates two classes" in failed.data.tags["fitgap.error"]
    assert "traceback.txt" in artifacts(uri, failed)
    assert (complete.info.status, complete.data.tags["fitgap.state"]) == ("FINISHED", "complete")
    assert parent.data.metrics["num_failed"] == 1


def test_a_diverging_run_ends_as_failed_and_keeps_its_curves(train: Command, uri: str) -> None:
    answer = train(
        "optimizer=sgd", "optimizer.learning_rate=100", "model.dense_units=[64,64,64]", "model.dense_activation=linear",
        "trainer.epochs=20",
    )  # fmt: skip
    assert answer.returncode == 1
    assert "The loss became" in answer.stderr
    (run,) = runs(uri)
    assert (run.info.status, run.data.tags["fitgap.state"]) == ("FAILED", "diverged")
    assert "traceback.txt" in artifacts(uri, run)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_as_killed_with_all_that_it_had_logged(
    number: signal.Signals, code: int, arguments: list[str], uri: str, tmp_path: Path
) -> None:
    process = start_training(tmp_path, *arguments, "trainer.epochs=5000")
    wait_for_epoch(process, "3/5000")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == code
    assert "Traceback" not in errors
    (run,) = runs(uri)
    assert (run.info.status, run.data.tags["fitgap.state"]) == ("KILLED", "interrupted")
    points = MlflowClient(uri).get_metric_history(run.info.run_id, "val_accuracy")
    assert [point.step for point in points] == list(range(1, len(points) + 1))
    assert len(points) >= 3
    assert {"history.csv", "curves.png", "config.yaml"} <= artifacts(uri, run)


def test_ctrl_c_ends_a_grid_and_compares_what_there_is(arguments: list[str], uri: str, tmp_path: Path) -> None:
    process = start_training(tmp_path, "-m", *arguments, "trainer.epochs=2,5000")
    wait_for_epoch(process, "2/5000")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert process.returncode == 130
    parent, complete, killed = runs(uri)
    assert [run.info.status for run in (parent, complete, killed)] == ["KILLED", "FINISHED", "KILLED"]
    assert "comparison.png" in artifacts(uri, parent)


def test_a_tracking_server_that_is_not_there_is_named_before_tensorflow_is_imported(train: Command) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        answer = train(f"tracking.uri={address}")
    assert answer.returncode == 1
    assert address in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "parameters" not in answer.stdout


def test_a_refused_configuration_leaves_no_folder_behind(train: Command, tmp_path: Path) -> None:
    assert train("model.dropout=2").returncode == 2
    assert not (tmp_path / "output").exists()


@pytest.mark.slow
def test_the_cells_of_a_grid_train_their_heads_on_the_same_features(
    arguments: list[str],
    uri: str,
    tmp_path: Path,
    compose_run: Callable[..., RunConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import keras
    import mlflow

    weights = tmp_path / "mobilenet.weights.h5"
    # With 64 pixels there is more than one position left to pool.
    keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(64, 64, 3)).save_weights(weights)
    transfer = ["model=mobilenet", f"model.weights={weights}", "dataset.image_size=64"]
    kept = [argument for argument in arguments if not argument.startswith("model.")]
    # A cache of its own, in which there are no features yet.
    cache = [f"dataset.cache_dir={tmp_path / 'cache'}"]
    answer = run_module("src.train", "-m", *kept, *transfer, *cache, "model.dropout=0,0.5", "tracking.keep_models=2")

    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.count("Computing MobileNetV2's features (220 images) …") == 1
    assert answer.stdout.count("computed once and kept on disk") == 2
    _, *children = runs(uri)
    assert [child.data.params["features"] for child in children] == ["cached", "cached"]
    assert [child.data.params["weights_source"] for child in children] == [str(weights)] * 2
    assert all(artifacts(uri, child) >= RUN_ARTIFACTS for child in children)

    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    dataset = open_dataset(compose_run(*kept, *transfer, *cache).dataset)
    for child in children:
        model = mlflow.keras.load_model(f"runs:/{child.info.run_id}/model")
        probabilities = model.predict(dataset.val.load(), batch_size=100, verbose=0)
        accuracy = np.mean(probabilities.argmax(axis=1) == dataset.val.labels)
        assert float(accuracy) == pytest.approx(child.data.metrics["best_val_accuracy"], abs=1e-7)


@pytest.mark.slow
def test_weights_that_cannot_be_had_leave_no_views_of_features_and_the_run_says_so(
    arguments: list[str], uri: str, tmp_path: Path
) -> None:
    kept = [argument for argument in arguments if not argument.startswith("model.")]
    # Keras looks for its weights in this folder, which cannot be made.
    (tmp_path / "keras").write_text("")
    environment = {**make_environment(), "KERAS_HOME": str(tmp_path / "keras"), "https_proxy": "http://127.0.0.1:1"}
    views = ["model=mobilenet", "dataset.image_size=32", "augmentation=affine", "trainer.feature_views=2"]
    answer = subprocess.run(
        [sys.executable, "-m", "src.train", *kept, *views, "trainer.epochs=1"],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    (run,) = runs(uri)
    assert run.data.params["features"] == "in_the_loop"
    assert run.data.tags["fitgap.features_fallback"].startswith("trainer.feature_views=2 has no effect")
    assert "trainer.feature_views=2 has no effect" in answer.stdout


@pytest.mark.slow
def test_a_tracking_server_that_dies_during_a_run_costs_neither_the_run_nor_a_metric(
    arguments: list[str], tmp_path: Path
) -> None:
    address, serve = prepare_server(tmp_path)
    server = start_server(serve)
    process = start_training(tmp_path, *arguments, f"tracking.uri={address}", "trainer.epochs=300")
    try:
        wait_for_epoch(process, "3/300")
        kill_server(server)
        output, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
        assert "python -m src.deliver" in output

        server = start_server(serve)
        delivery = run_module("src.deliver", outbox=tmp_path / "outbox")
        assert delivery.returncode == 0, delivery.stdout + delivery.stderr
        (run,) = runs(address)
        assert run.info.status == "FINISHED"
        points = MlflowClient(address).get_metric_history(run.info.run_id, "val_accuracy")
        assert [point.step for point in points] == list(range(1, 301))
        assert artifacts(address, run) >= RUN_ARTIFACTS
        assert find_in_checkout(address) == []
    finally:
        process.kill()
        kill_server(server)


@pytest.mark.slow
def test_a_tracking_server_that_dies_in_the_first_cell_of_a_grid_costs_none_of_its_cells(
    arguments: list[str], tmp_path: Path
) -> None:
    address, serve = prepare_server(tmp_path)
    server = start_server(serve)
    overrides = [f"tracking.uri={address}", "trainer.epochs=100", "seed=1,2"]
    process = start_training(tmp_path, "-m", *arguments, *overrides)
    try:
        wait_for_epoch(process, "3/100")
        (parent,) = [run for run in runs(address) if run.data.tags["fitgap.kind"] == "sweep"]
        kill_server(server)
        output, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
        assert "Traceback" not in output + errors
        said = " ".join(output.split())
        assert f"then python -m src.report {parent.info.run_id} --uri {address}" in said
        assert "deliver later with: python -m src.deliver --outbox" in said

        server = start_server(serve)
        delivery = run_module("src.deliver", outbox=tmp_path / "outbox")
        assert delivery.returncode == 0, delivery.stdout + delivery.stderr
        assert list((tmp_path / "outbox").iterdir()) == []
        parent, *cells = runs(address)
        assert parent.info.status == "FINISHED"
        assert [cell.data.tags["fitgap.arm"] for cell in cells] == ["seed=1", "seed=2"]
        for cell in cells:
            assert cell.data.tags["mlflow.parentRunId"] == parent.info.run_id
            assert (cell.info.status, cell.data.tags["fitgap.state"]) == ("FINISHED", "complete")
            points = MlflowClient(address).get_metric_history(cell.info.run_id, "val_accuracy")
            assert [point.step for point in points] == list(range(1, 101))
            assert artifacts(address, cell) >= RUN_ARTIFACTS
        # The second began while the server was away, and ended before it was back.
        assert cells[0].info.end_time <= cells[1].info.start_time < cells[1].info.end_time

        report = run_module("src.report", parent.info.run_id, "--uri", address, "--output", str(tmp_path / "report"))
        assert report.returncode == 0, report.stderr
        with (tmp_path / "report" / "comparison.csv").open(encoding="utf-8", newline="") as table:
            rows = list(csv.DictReader(table))
        assert [(row["state"], float(row["epochs_run"])) for row in rows] == [("complete", 100)] * 2
        assert {"comparison.csv", "comparison.png", "report.html"} <= artifacts(address, parent)
        assert find_in_checkout(address) == []
    finally:
        process.kill()
        kill_server(server)


def find_in_checkout(address: str) -> list[Path]:
    """Returns the journals in the checkout's own outbox that belong to a store."""
    journals = (PROJECT_ROOT / "mlruns" / "outbox").glob("*/journal.jsonl")
    return [journal for journal in journals if address in journal.read_text(encoding="utf-8")]


def start_training(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Starts `python -m src.train`, with the outbox of servers in the test's folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "src.train", *arguments],
        cwd=PROJECT_ROOT,
        env=make_environment(folder / "outbox"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_epoch(process: subprocess.Popen[str], epoch: str) -> None:
    """Reads what a training says until it has finished an epoch, such as 3/300."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip().startswith(epoch):
            return


def prepare_server(folder: Path) -> tuple[str, list[str]]:
    """Returns the address and the command of a tracking server of the test's own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'server.db'}"),
        *("--artifacts-destination", str(folder / "served"), "--port", str(port)),
    ]
    return f"http://127.0.0.1:{port}", serve


def start_server(command: list[str]) -> subprocess.Popen[bytes]:
    """Starts a tracking server in a process group of its own and waits until it answers."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    for _ in range(600):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", int(command[-1]))) == 0:
                return server
        time.sleep(0.1)
    raise TimeoutError(f"No server on port {command[-1]}.")


def kill_server(server: subprocess.Popen[bytes]) -> None:
    """Kills a server and its workers, as a crash would."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
