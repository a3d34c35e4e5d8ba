"""Backups: made while other processes write, brought up to date, and put back where nobody uses what is there."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from filelock import FileLock
from mlflow.tracking import MlflowClient

from src.config.paths import PROJECT_ROOT
from src.config.tracking import TrackingConfig
from src.errors import StorageError
from src.occupancy import claims_folder
from src.safekeeping.backup import make_backup
from src.safekeeping.copying import copy_files
from src.safekeeping.places import Places, find_places
from src.safekeeping.restoring import restore_backup
from src.safekeeping.users import find_users
from src.study.address import sqlite_url
from src.study.storage import close_storage, open_storage
from src.tracking.outbox import deliver_pending, open_journal
from src.tracking.run import start_run
from src.tracking.store import Store, connect, open_store
from tests.sweep.site import wait_until


@pytest.fixture(autouse=True)
def claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the claims on GPUs; what this machine runs is no business of a test."""
    monkeypatch.setenv("FITGAP_CLAIMS_DIR", str(tmp_path / "claims"))
    return claims_folder()


@pytest.fixture
def places(store: Store, tmp_path: Path) -> Places:
    """A store with a finished run that has an artifact, one that goes on, and a study."""
    finished = start_run(store, name="finished", tags={"fitgap.kind": "run", "fitgap.state": "complete"})
    (tmp_path / "curves.txt").write_text("0.5 0.75")
    finished.log_artifact(tmp_path / "curves.txt")
    finished.finish("FINISHED")
    client = MlflowClient(store.uri)
    client.create_run(store.experiment_id, run_name="going on", tags={"fitgap.state": "running"})
    storage = open_storage(sqlite_url(tmp_path / "mlruns" / "optuna.db"))
    optuna.create_study(study_name="mine", storage=storage)
    close_storage(storage)
    # What this process has open would be in use.
    connect(store.uri)._tracking_client.store.engine.dispose()
    return find_places(store.uri, None, tmp_path)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Places:
    """Where there is nothing yet."""
    return find_places(f"sqlite:///{tmp_path / 'elsewhere' / 'mlflow.db'}", None, tmp_path / "elsewhere")


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a Python program, which is killed at the end of the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
        processes.append(subprocess.Popen([sys.executable, *arguments], env=environment))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.wait()


def run_named(client: MlflowClient, name: str) -> str:
    """Returns the id of the only run of a name."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(experiments, f"attributes.run_name = '{name}'")
    return str(run.info.run_id)


def check_whole(path: Path) -> None:
    """Asserts that SQLite finds nothing wrong with a database."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_backup_made_while_a_process_writes_is_of_one_moment_and_opens_in_mlflow_and_optuna(
    places: Places, elsewhere: Places, tmp_path: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    run_id = run_named(MlflowClient(places.uri), "going on")
    written = tmp_path / "written"
    writer = start(str(Path(__file__).with_name("writer.py")), str(tmp_path), run_id, "mine")
    wait_until(lambda: written.exists() or writer.poll() is not None, "the writer has begun")
    before = int(written.read_text())
    make_backup(places, tmp_path / "copy")
    # The second one goes over the first.
    make_backup(places, tmp_path / "copy")
    between = int(written.read_text())
    wait_until(lambda: int(written.read_text()) > between, "the writer goes on")
    (tmp_path / "stop").touch()
    assert writer.wait() == 0

    restored = restore_backup(elsewhere, tmp_path / "copy")
    assert restored.moved == ()
    assert elsewhere.studies is not None
    check_whole(elsewhere.database)
    check_whole(elsewhere.studies)
    client = MlflowClient(elsewhere.uri)
    steps = sorted(point.step for point in client.get_metric_history(run_named(client, "going on"), "number"))
    assert steps == list(range(len(steps)))
    assert before <= len(steps) <= int(written.read_text())
    storage = open_storage(sqlite_url(elsewhere.studies))
    trials = optuna.load_study(study_name="mine", storage=storage).get_trials()
    close_storage(storage)
    values = [trial.value for trial in trials if trial.value is not None]
    assert values == list(range(len(values)))
    assert before <= len(values)


def test_what_was_put_back_somewhere_else_has_its_artifacts_and_takes_new_runs(
    places: Places, elsewhere: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_backup(places, tmp_path / "copy")
    restored = restore_backup(elsewhere, tmp_path / "copy")
    client = MlflowClient(elsewhere.uri)
    run = client.get_run(run_named(client, "finished"))
    assert str(elsewhere.artifacts) in run.info.artifact_uri
    assert Path(client.download_artifacts(run.info.run_id, "curves.txt")).read_text() == "0.5 0.75"
    # A run that was going on when the backup was made is recorded by nobody any more.
    lost = client.get_run(run_named(client, "going on"))
    assert (lost.info.status, lost.data.tags["fitgap.state"], restored.closed) == ("KILLED", "lost", 1)

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    new = start_run(open_store(TrackingConfig(uri=elsewhere.uri), elsewhere.database.parent), name="new", tags={})
    new.finish("FINISHED")
    assert str(elsewhere.artifacts) in client.get_run(run_named(client, "new")).info.artifact_uri


def test_a_journal_that_was_put_back_somewhere_else_is_delivered_there_and_leaves_the_first_store_alone(
    places: Places, elsewhere: Places, tmp_path: Path
) -> None:
    client = MlflowClient(places.uri)
    run_id = run_named(client, "going on")
    experiment_id = client.get_run(run_id).info.experiment_id
    store = Store(places.uri, experiment_id, "mine", places.outbox)
    journal = open_journal(store, run_id, "going on")
    journal.append("tags", values={"of": "the backup"})
    make_backup(places, tmp_path / "copy")
    journal.close()
    connect(places.uri)._tracking_client.store.engine.dispose()
    restore_backup(elsewhere, tmp_path / "copy")

    (delivery,) = deliver_pending(elsewhere.outbox)
    assert delivery.delivered, delivery.reason
    put_back = MlflowClient(elsewhere.uri).get_run(run_id)
    assert (put_back.info.status, put_back.data.tags["of"]) == ("KILLED", "the backup")
    first = client.get_run(run_id)
    assert first.info.status == "RUNNING"
    assert "of" not in first.data.tags


def test_what_somebody_begins_to_use_while_it_is_copied_is_not_replaced(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_backup(places, tmp_path / "copy")
    answers = iter([[], ["process 1 has it open"]])
    monkeypatch.setattr("src.safekeeping.restoring.find_users", lambda places: next(answers))
    before = places.database.stat().st_ino
    with pytest.raises(StorageError, match=r"in use.*\s+process 1 has it open"):
        restore_backup(places, tmp_path / "copy")
    assert places.database.stat().st_ino == before


@pytest.mark.parametrize(("root", "refused"), [("", True), ("another checkout", False)])
def test_a_scheduled_sweep_that_waits_uses_the_stores_of_its_checkout(
    places: Places,
    claims: Path,
    tmp_path: Path,
    start: Callable[..., subprocess.Popen[bytes]],
    root: str,
    refused: bool,
) -> None:
    claims.mkdir(parents=True)
    (claims / "1-1.json").write_text(json.dumps({"root": str(tmp_path / root)}))
    program = "import sys, time; file = open(sys.argv[1]); open(sys.argv[2], 'w').close(); time.sleep(600)"
    process = start("-c", program, str(claims / "1-1.json"), str(tmp_path / "claimed"))
    wait_until(lambda: (tmp_path / "claimed").exists(), "the claim is placed")
    said = [f"a sweep runs or waits, process {process.pid}"] if refused else []
    assert find_users(places) == said


def test_a_folder_of_artifacts_that_is_a_link_stays_one(places: Places, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    real = places.artifacts.rename(tmp_path / "disk" / "mlruns")
    places.artifacts.symlink_to(real)
    make_backup(places, tmp_path / "copy")
    restored = restore_backup(places, tmp_path / "copy")
    assert places.artifacts.is_symlink()
    assert list(real.rglob("curves.txt"))
    assert restored.moved[1].parent == tmp_path / "disk"


def test_artifacts_of_any_name_are_in_a_backup_and_those_in_linked_folders(places: Places, tmp_path: Path) -> None:
    folder = places.artifacts / "1" / "artifacts"
    folder.mkdir(parents=True)
    names = {"poetry.lock", "lock", "draft.new", "list-wal", "part.partial"}
    for name in names:
        (folder / name).write_text(name)
    staged = places.outbox / "1234" / "files" / "5678"
    staged.mkdir(parents=True)
    (staged / "poetry.lock").write_text("staged")
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "far.txt").write_text("far")
    (places.artifacts / "outputs").symlink_to(tmp_path / "disk")
    # A link that leads around in a circle.
    (tmp_path / "disk" / "back").symlink_to(places.artifacts)
    make_backup(places, tmp_path / "copy")
    copied = tmp_path / "copy" / "mlruns"
    assert {path.name for path in (copied / "1" / "artifacts").iterdir()} == names
    assert (copied / "outputs" / "far.txt").read_text() == "far"
    assert (copied / "outbox" / "1234" / "files" / "5678" / "poetry.lock").read_text() == "staged"


def test_what_processes_keep_for_themselves_is_in_no_backup(places: Places, tmp_path: Path) -> None:
    passing = [
        places.artifacts / "optuna.db.lock",
        places.artifacts / "optuna.db-wal",
        places.artifacts / "studies" / "mine.lock",
        places.outbox / "1234" / "lock",
        places.outbox / ".removed-1" / "journal.jsonl",
    ]
    for path in passing:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    make_backup(places, tmp_path / "copy")
    assert not [path for path in passing if (tmp_path / "copy" / path.relative_to(tmp_path)).exists()]


def test_a_file_that_changes_while_it_is_copied_is_copied_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "file").write_text("old")
    real = shutil.copy
    copies = []

    def copy(path: Path, place: Path) -> None:
        real(path, place)
        copies.append(path)
        if len(copies) == 1:
            (source / "file").write_text("new, and longer")

    monkeypatch.setattr("src.safekeeping.copying.shutil.copy", copy)
    copy_files([source / "file"], source, target)
    assert (target / "file").read_text() == "new, and longer"


def test_a_disk_that_keeps_times_in_steps_of_two_seconds_does_not_copy_everything_again(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "file").write_text("same")
    os.utime(source / "file", ns=(0, 1_001_234_567_891))
    assert copy_files([source / "file"], source, target) == 4
    os.utime(target / "file", (1000, 1000))
    assert copy_files([source / "file"], source, target) == 0
    # On a disk that keeps them exactly such a difference is one.
    os.utime(target / "file", ns=(0, 1_000_234_567_891))
    assert copy_files([source / "file"], source, target) == 4


def test_a_database_that_another_process_keeps_locked_ends_a_backup(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.safekeeping.copying._BUSY_SECONDS", 0)
    with closing(sqlite3.connect(places.database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match="has kept it locked"):
            make_backup(places, tmp_path / "copy")


def test_a_second_backup_copies_only_what_is_new_and_keeps_what_is_gone(places: Places, tmp_path: Path) -> None:
    make_backup(places, tmp_path / "copy")
    (old,) = places.artifacts.rglob("curves.txt")
    kept = tmp_path / "copy" / "mlruns" / old.relative_to(places.artifacts)
    first = kept.stat().st_ino
    (places.artifacts / "new.txt").write_text("new")
    make_backup(places, tmp_path / "copy")
    assert kept.stat().st_ino == first
    assert (tmp_path / "copy" / "mlruns" / "new.txt").read_text() == "new"
    old.unlink()
    make_backup(places, tmp_path / "copy")
    assert kept.exists()


def test_journals_in_a_backup_are_those_of_its_moment(places: Places, tmp_path: Path) -> None:
    journal = places.outbox / "1234" / "journal.jsonl"
    journal.parent.mkdir(parents=True, exist_ok=True)
    journal.write_text("{}\n")
    make_backup(places, tmp_path / "copy")
    copied = tmp_path / "copy" / "mlruns" / "outbox" / "1234" / "journal.jsonl"
    assert copied.exists()
    # Delivered: from now on an old state of the run, which must not be delivered once more.
    journal.unlink()
    make_backup(places, tmp_path / "copy")
    assert not copied.exists()


def test_a_backup_is_not_put_over_a_database_that_a_process_has_open(
    places: Places, tmp_path: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    make_backup(places, tmp_path / "copy")
    program = "import sys, time; file = open(sys.argv[1]); open(sys.argv[2], 'w').close(); time.sleep(600)"
    process = start("-c", program, str(places.database), str(tmp_path / "opened"))
    wait_until(lambda: (tmp_path / "opened").exists(), "the database is open")
    before = places.database.read_bytes()
    with pytest.raises(StorageError, match=rf"in use.*\s+process {process.pid} has {places.database} open"):
        restore_backup(places, tmp_path / "copy")
    assert places.database.read_bytes() == before


def test_a_backup_is_not_put_over_the_store_of_a_search_that_holds_its_lock(places: Places, tmp_path: Path) -> None:
    make_backup(places, tmp_path / "copy")
    path = places.artifacts / "studies" / "mine.lock"
    path.parent.mkdir()
    with FileLock(path), pytest.raises(StorageError, match=r"the lock .*mine\.lock is held"):
        restore_backup(places, tmp_path / "copy")


def test_what_was_there_before_a_restore_stays_beside_it(places: Places, tmp_path: Path) -> None:
    make_backup(places, tmp_path / "copy")
    (places.artifacts / "since.txt").write_text("since")
    restored = restore_backup(places, tmp_path / "copy")
    assert not (places.artifacts / "since.txt").exists()
    database, artifacts = restored.moved
    assert database.name.startswith("mlflow.db.before-")
    assert (artifacts / "since.txt").read_text() == "since"
    check_whole(places.database)


def test_a_backup_that_was_not_finished_is_refused(places: Places, tmp_path: Path) -> None:
    make_backup(places, tmp_path / "copy")
    (tmp_path / "copy" / "backup.json").unlink()
    with pytest.raises(StorageError, match="is no backup that was finished"):
        restore_backup(places, tmp_path / "copy")
    assert places.database.exists()


def test_a_damaged_database_leaves_the_older_backup_as_it_is(places: Places, tmp_path: Path) -> None:
    make_backup(places, tmp_path / "copy")
    whole = (tmp_path / "copy" / "mlflow.db").read_bytes()
    content = bytearray(places.database.read_bytes())
    content[8192:20480] = bytes(12288)
    places.database.write_bytes(content)
    with pytest.raises(StorageError, match=r"is damaged|cannot be copied"):
        make_backup(places, tmp_path / "copy")
    assert (tmp_path / "copy" / "mlflow.db").read_bytes() == whole


def test_a_backup_within_what_it_is_of_is_refused(places: Places) -> None:
    with pytest.raises(StorageError, match="cannot lie in what it is a backup of"):
        make_backup(places, places.artifacts / "copy")


@pytest.mark.parametrize("linked", [False, True])
def test_a_backup_around_what_it_is_of_is_refused_and_leaves_it_as_it_is(
    places: Places, tmp_path: Path, linked: bool
) -> None:
    folder = places.database.parent
    if linked:
        folder = tmp_path / "copy"
        folder.mkdir()
        (folder / "mlruns").symlink_to(places.artifacts)
    before = places.database.stat()
    with pytest.raises(StorageError, match="nor around it"):
        make_backup(places, folder)
    assert places.database.stat() == before
    assert list(places.artifacts.rglob("curves.txt"))


def test_a_folder_that_holds_something_else_is_refused(places: Places, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "mlflow.db").write_text("somebody's")
    with pytest.raises(StorageError, match=r"is not empty and no backup: mlflow\.db"):
        make_backup(places, other)
    assert (other / "mlflow.db").read_text() == "somebody's"


def test_the_backups_of_two_stores_do_not_mix(places: Places, elsewhere: Places, tmp_path: Path) -> None:
    make_backup(places, tmp_path / "copy")
    restore_backup(elsewhere, tmp_path / "copy")
    whole = (tmp_path / "copy" / "mlflow.db").read_bytes()
    with pytest.raises(StorageError, match="holds backups of another store"):
        make_backup(elsewhere, tmp_path / "copy")
    assert (tmp_path / "copy" / "mlflow.db").read_bytes() == whole


def test_an_update_that_was_interrupted_is_no_backup_until_it_is_made_again(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_backup(places, tmp_path / "copy")

    def interrupt(fresh: Path, folder: Path, names: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("src.safekeeping.backup._put_in_place", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make_backup(places, tmp_path / "copy")
    with pytest.raises(StorageError, match="is no backup that was finished"):
        restore_backup(places, tmp_path / "copy")
    make_backup(places, tmp_path / "copy")
    restore_backup(places, tmp_path / "copy")


def test_a_server_is_backed_up_where_it_runs() -> None:
    with pytest.raises(StorageError, match="has to be backed up where it runs"):
        find_places("http://localhost:5000", None)


def test_the_command_makes_a_backup_and_says_how_to_put_it_back(places: Places, tmp_path: Path) -> None:
    storage = f"sqlite:///{places.studies}"
    command = [sys.executable, "-m", "src.backup", str(tmp_path / "copy"), "--uri", places.uri, "--storage", storage]
    answer = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert f"python -m src.backup {tmp_path / 'copy'} --restore" in " ".join(answer.stdout.split())
    answer = subprocess.run([*command, "--restore"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "What was there before" in answer.stdout
