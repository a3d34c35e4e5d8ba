"""A trained model becomes a logged model that loads and predicts the same. Imports TensorFlow."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from src.config.tracking import TrackingConfig
from src.errors import StorageError, TrackingError
from src.tracking.run import start_run
from src.tracking.store import Store, connect

if TYPE_CHECKING:
    import keras

pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow's and Keras's own, while they are imported.


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras = pytest.importorskip("keras")
    return keras.Sequential(
        [
            keras.Input((8, 8, 3), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.fixture
def saved(model: keras.Model, tmp_path: Path) -> Path:
    from src.tracking.model import save_model

    save_model(model, tmp_path / "saved", image_size=8, class_names=["a", "b", "c"])
    return tmp_path / "saved"


def test_a_logged_model_loads_by_run_and_by_id_and_predicts_the_same(
    store: Store, model: keras.Model, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow.keras

    from src.tracking.model import load_model

    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    run = start_run(store, name="tiny", tags={"mlflow.user": "somebody"})
    run.log_params({"model.name": "tiny"})
    run.log_metrics({"val_accuracy": 0.5}, step=1)
    run.log_metrics({"val_accuracy": 0.75}, step=2)
    run.log_model(saved, step=2)
    assert run.finish().delivered

    [output] = connect(store.uri).get_run(run.run_id).outputs.model_outputs
    logged = connect(store.uri).get_logged_model(output.model_id)
    assert (logged.name, str(logged.status), logged.source_run_id) == ("model", "READY", run.run_id)
    assert logged.params == {"model.name": "tiny"}
    assert [(metric.key, metric.value) for metric in logged.metrics] == [("val_accuracy", 0.75)]
    assert logged.tags["mlflow.user"] == "somebody"
    # Linking the metrics to the model has not written them a second time.
    assert len(connect(store.uri).get_metric_history(run.run_id, "val_accuracy")) == 2

    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    expected = model.predict(images, verbose=0)
    for uri in (f"runs:/{run.run_id}/model", f"models:/{output.model_id}"):
        np.testing.assert_array_equal(mlflow.keras.load_model(uri).predict(images, verbose=0), expected)
    # Ours asks for no setting of the process.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////nowhere/mlflow.db")
    np.testing.assert_array_equal(
        load_model(TrackingConfig(uri=store.uri), run.run_id).predict(images, verbose=0), expected
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    info = mlflow.models.get_model_info(f"models:/{output.model_id}")
    assert (info.model_id, info.run_id) == (output.model_id, run.run_id)
    assert info.metadata == {"class_names": ["a", "b", "c"], "image_size": 8}
    assert info.signature is not None
    assert info.signature.inputs.to_dict()[0]["tensor-spec"] == {"dtype": "uint8", "shape": (-1, 8, 8, 3)}
    assert info.signature.outputs.to_dict()[0]["tensor-spec"] == {"dtype": "float32", "shape": (-1, 3)}
    # The caller's folder is as it was.
    assert output.model_id not in (saved / "MLmodel").read_text()


def test_a_model_on_a_server_is_loaded_from_a_copy_that_is_removed(
    server_store: Store, model: keras.Model, saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from src.tracking.model import load_model

    run = start_run(server_store, name="tiny", tags={})
    run.log_model(saved, step=1)
    assert run.finish().delivered
    (tmp_path / "copies").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "copies"))

    loaded = load_model(TrackingConfig(uri=server_store.uri), run.run_id)

    images = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))
    assert list((tmp_path / "copies").iterdir()) == []


def test_a_run_without_a_model_is_an_error_with_its_id(store: Store) -> None:
    from src.tracking.model import load_model

    run = start_run(store, name="tiny", tags={})
    run.finish()
    with pytest.raises(TrackingError, match=f"Cannot load the model of run {run.run_id} .*it has none"):
        load_model(TrackingConfig(uri=store.uri), run.run_id)


@pytest.mark.parametrize("step", ["log_outputs", "log_batch", "log_model_artifacts", "finalize_logged_model"])
def test_a_delivery_that_fails_midway_leaves_no_second_model(
    step: str, store: Store, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start_run(store, name="tiny", tags={})
    original, calls = getattr(MlflowClient, step), []

    def fail_once(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError("the server has gone")
        return original(*args, **kwargs)

    monkeypatch.setattr(MlflowClient, step, fail_once)
    run.log_model(saved, step=1)
    assert run.finish().delivered

    assert len(calls) > 1
    [logged] = connect(store.uri).search_logged_models([store.experiment_id])
    assert str(logged.status) == "READY"
    assert len(connect(store.uri).get_run(run.run_id).outputs.model_outputs) == 1


def test_saving_names_what_loading_needs(saved: Path) -> None:
    requirements = (saved / "requirements.txt").read_text().splitlines()
    assert {line.split("==")[0] for line in requirements} == {"mlflow", "tensorflow", "keras", "numpy"}
    assert json.loads((saved / "data" / "keras_module.txt").read_text().join('""')) == "keras"


def test_a_model_that_cannot_be_saved_says_where(model: keras.Model, tmp_path: Path) -> None:
    from src.tracking.model import save_model

    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match="file/model"):
        save_model(model, tmp_path / "file" / "model", image_size=8, class_names=["a", "b", "c"])
