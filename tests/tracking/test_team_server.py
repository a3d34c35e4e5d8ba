"""The tracking server of a team as `docs/tracking-server.md` sets it up: MLflow on PostgreSQL, files served."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from src.config.paths import PROJECT_ROOT
from src.config.tracking import TrackingConfig
from src.errors import TrackingError
from src.tracking.logged_model import fetch, locate_model
from src.tracking.store import Store, connect, open_store
from tests.postgresql import PostgresServer, run_postgresql
from tests.tracking.server import Server

PAGE = (PROJECT_ROOT / "docs" / "tracking-server.md").read_text(encoding="utf-8")


def read_block(language: str, containing: str) -> str:
    """Returns the block of the page in a language that contains a text."""
    (block,) = [text for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if containing in text]
    return str(block)


def read_variables() -> dict[str, str]:
    """Returns what the server is told by its file of variables."""
    return dict(line.split("=", 1) for line in read_block("ini", "MLFLOW_BACKEND_STORE_URI").splitlines())


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with run_postgresql() as running:
        for statement in read_block("sql", "CREATE ROLE").split(";\n"):
            if statement.strip():
                running.execute(statement)
        yield running


@pytest.fixture(scope="module")
def server(database: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("team")
    server = Server(folder)
    told = read_variables()
    server.variables = {
        **told,
        "MLFLOW_BACKEND_STORE_URI": told["MLFLOW_BACKEND_STORE_URI"].replace(":5432/", f":{database.port}/"),
        "MLFLOW_ARTIFACTS_DESTINATION": str(folder / "artifacts"),
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"127.0.0.1:{server.port}",
    }
    yield server
    server.kill()


@pytest.fixture
def store(server: Server, tmp_path: Path) -> Store:
    server.start()
    return open_store(TrackingConfig(uri=server.uri, experiment=tmp_path.name), tmp_path)


def deliver(store: Store) -> str:
    command = [sys.executable, "-m", "src.deliver", "--outbox", str(store.outbox), "--uri", store.uri]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


#: A box on which a run goes on while the server is away, and another one begins; both end without it.
BOX = """
import sys
from pathlib import Path
from src.config.tracking import TrackingConfig
from src.tracking.run import start_run
from src.tracking.store import open_store
folder, uri, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
config = TrackingConfig(uri=uri, experiment=name, offline="continue")
first = start_run(open_store(config, folder), name="first", tags={"fitgap.kind": "run"})
first.log_metrics({"val_loss": 1.0}, step=0)
assert first.flush(60)
print("gone?", flush=True)
sys.stdin.readline()
second = start_run(open_store(config, folder), name="second", tags={"fitgap.kind": "run"}, defer=True)
for run in (first, second):
    for step in range(1, 20):
        run.log_metrics({"val_loss": 1 / step}, step=step)
    run.log_artifact(folder / "curves.png")
    run.log_model(folder / "saved", 19)
    assert not run.finish().delivered
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_runs_their_files_and_models_survive_that_the_server_is_stopped(
    store: Store, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "curves.png").write_bytes(b"image")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "MLmodel").write_text("flavors: {}\n")
    (tmp_path / "saved" / "weights").write_bytes(os.urandom(1000))
    command = [sys.executable, "-c", BOX, str(tmp_path), store.uri, store.experiment_name]
    with subprocess.Popen(
        command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "gone?\n"
        server.kill()
        process.stdin.write("yes\n")
        process.stdin.flush()
        assert process.wait(120) == 0
    assert len(list(store.outbox.iterdir())) == 2

    server.start()
    assert deliver(store).count("delivered") == 2
    assert list(store.outbox.iterdir()) == []
    client = connect(store.uri)
    runs = client.search_runs([store.experiment_id], order_by=["attributes.start_time ASC"])
    assert [(run.info.run_name, run.info.status) for run in runs] == [("first", "FINISHED"), ("second", "FINISHED")]
    for run, first_step in zip(runs, (0, 1), strict=True):
        steps = [point.step for point in client.get_metric_history(run.info.run_id, "val_loss")]
        assert steps == list(range(first_step, 20))
        assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["curves.png"]
        # Served: what the store names is no folder of this machine's.
        assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
        with fetch(store.uri, f"{locate_model(client, run.info.run_id)}/weights") as weights:
            assert weights.read_bytes() == (tmp_path / "saved" / "weights").read_bytes()


@pytest.mark.slow
def test_a_box_that_calls_the_server_by_another_name_is_refused_and_does_not_take_it_for_away(
    store: Store, server: Server, tmp_path: Path
) -> None:
    uri = server.uri.replace("127.0.0.1", "localhost")
    with urllib.request.urlopen(f"{uri}/health") as answer:
        assert answer.read() == b"OK"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{uri}/api/2.0/mlflow/experiments/get?experiment_id=0")
    with pytest.raises(TrackingError, match="cannot be used"):
        open_store(TrackingConfig(uri=uri, experiment="other", offline="continue"), tmp_path)


def test_the_page_names_the_options_of_the_server_and_a_unit_that_systemd_takes(tmp_path: Path) -> None:
    unit = tmp_path / "mlflow.service"
    unit.write_text(read_block("ini", "[Unit]").replace("/opt/mlflow/bin/mlflow", sys.executable))
    try:
        checked = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("systemd is not installed")
    complaints = [line for line in checked.stderr.splitlines() if "mlflow.service" in line]
    assert complaints == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_deleted_runs_have_left_in_the_folder_is_freed_by_the_documented_command(
    store: Store, server: Server, tmp_path: Path
) -> None:
    client = connect(store.uri)
    kept, deleted = (client.create_run(store.experiment_id).info.run_id for _ in range(2))
    for run_id in (kept, deleted):
        client.log_text(run_id, "it", "it.txt")
    client.delete_run(deleted)
    variables = tmp_path / "mlflow.env"
    variables.write_text("".join(f"{name}={value}\n" for name, value in server.variables.items()))
    command = read_block("bash", "mlflow gc")
    for documented, here in {
        "sudo ": "",
        "/etc/mlflow.env": str(variables),
        "/opt/mlflow/bin/mlflow": f"{sys.executable} -m mlflow",
        "http://localhost:5000": store.uri,
    }.items():
        assert documented in command
        command = command.replace(documented, here)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=inherited, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    left = {path.relative_to(server.folder / "artifacts").parts[1] for path in server.folder.rglob("it.txt")}
    assert left == {kept}
    assert not (tmp_path / "mlflow.db").exists()
