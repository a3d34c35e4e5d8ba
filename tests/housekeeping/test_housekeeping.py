"""What takes how much of the disk, and what a budget deletes: caches first, never a winner, nothing of what runs."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
from filelock import FileLock
from mlflow.entities import LoggedModelStatus
from mlflow.tracking import MlflowClient
from rich.console import Console

from src.config.paths import PROJECT_ROOT
from src.errors import StorageError, TrackingError
from src.housekeeping.caches import find_caches
from src.housekeeping.cleaning import choose_doomed, clean
from src.housekeeping.holding import AWAITED, DECODED, DOWNLOADS, FEATURES, MODELS, Holding
from src.housekeeping.inventory import Inventory, take_inventory
from src.housekeeping.models import place_trials
from src.occupancy import claims_folder
from src.study import attributes
from src.study.address import sqlite_url
from src.study.storage import close_storage, open_storage
from src.study.ticket import Ticket, name_checkpoint
from src.tracking.records import RunRecord
from src.tracking.store import Store
from tests.sweep.site import wait_until

SIZE = 100_000


class Disk:
    """A store with models and a cache with entries, all of one size.

    Attributes:
        store: The store.
        cache: The cache folder.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.cache = folder / "cache"
        self._folder = folder
        self._client = MlflowClient(store.uri)

    def add_entry(self, kind: str, name: str, used_at: float = 1e9) -> Path:
        """Adds decoded images or features as the cache keeps them."""
        folder = self.cache / kind / name
        folder.mkdir(parents=True)
        (folder / ("meta.json" if kind == "decoded" else "identity.json")).write_text("{}")
        (folder / "images.npy").write_bytes(bytes(SIZE))
        for path in (*folder.iterdir(), folder):
            os.utime(path, (used_at, used_at))
        return folder

    def add_sweep(self, status: str = "FINISHED", **tags: str) -> str:
        """Adds a parent run of a search for the best value."""
        about = {"fitgap.kind": "sweep", "fitgap.objective": "value", "fitgap.direction": "maximize", **tags}
        return self._add_run("sweep", about, status)

    def add_trial(self, parent: str | None, value: float, arm: str = "a", status: str = "FINISHED") -> Path:
        """Adds a run with a model, and returns the model's folder."""
        kind = {"fitgap.kind": "run"} if parent is None else {"fitgap.kind": "trial", "mlflow.parentRunId": parent}
        tags = {**kind, "fitgap.state": "complete", "fitgap.arm": arm, "fitgap.trial_number": "0"}
        run_id = self._add_run(f"{arm} {value}", tags, status)
        self._client.log_metric(run_id, "value", value)
        model = self._client.create_logged_model(self.store.experiment_id, name="model", source_run_id=run_id)
        files = self._folder / "saved"
        files.mkdir(exist_ok=True)
        (files / "model.keras").write_bytes(bytes(SIZE))
        self._client.log_model_artifacts(model.model_id, str(files))
        self._client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        return Path(model.artifact_location.removeprefix("file://"))

    def add_checkpoint(self, name: str, storage: str | None = None) -> Path:
        """Adds a checkpoint in a job's folder."""
        storage = storage or sqlite_url(self._folder / "mlruns" / "optuna.db")
        path = self._folder / "mlruns" / "outputs" / name / name_checkpoint(storage, "study")
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(SIZE))
        return path

    def add_waiting_trial(self, folder: Path) -> None:
        """Adds a trial that was interrupted, whose first attempt had its files in a folder, and that waits to go on."""
        storage = open_storage(sqlite_url(self._folder / "mlruns" / "optuna.db"))
        optuna.create_study(storage=storage).enqueue_trial({}, user_attrs={attributes.CHECKPOINTS: str(folder)})
        close_storage(storage)

    def register(self, model: Path) -> None:
        """Registers a model in MLflow."""
        self._client.create_registered_model("mine")
        self._client.create_model_version("mine", f"models:/{model.parent.name}", model_id=model.parent.name)

    def _add_run(self, name: str, tags: dict[str, str], status: str) -> str:
        run_id = str(self._client.create_run(self.store.experiment_id, run_name=name, tags=tags).info.run_id)
        if status != "RUNNING":
            self._client.set_terminated(run_id, status)
        return run_id

    def count(self) -> Inventory:
        """Counts everything."""
        return take_inventory(self.store.uri, None, self.cache, self._folder)

    def clean(self, max_gb: float, *, dry_run: bool = False) -> str:
        """Keeps a budget, and returns what was said."""
        output = io.StringIO()
        clean(self.count(), max_gb, dry_run=dry_run, console=Console(file=output, width=500))
        return output.getvalue()


@pytest.fixture(autouse=True)
def claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the claims on GPUs; what this machine runs is no business of a test."""
    monkeypatch.setenv("FITGAP_CLAIMS_DIR", str(tmp_path / "claims"))
    return claims_folder()


@pytest.fixture
def disk(store: Store, tmp_path: Path) -> Disk:
    return Disk(store, tmp_path)


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a Python program, which is killed at the end of the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def begin(program: str, *arguments: str) -> subprocess.Popen[bytes]:
        processes.append(subprocess.Popen([sys.executable, "-c", program, *arguments]))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.wait()


def test_a_budget_takes_caches_first_then_the_worst_models_and_leaves_every_winner(disk: Disk) -> None:
    decoded, features = disk.add_entry("decoded", "digits-32"), disk.add_entry("features", "vgg16")
    sweep = disk.add_sweep()
    best, second, third = (disk.add_trial(sweep, value) for value in (0.9, 0.8, 0.7))
    other_arm = disk.add_trial(sweep, 0.2, arm="b")
    by_hand = disk.add_trial(None, 0.1)

    said = disk.clean(4.5 * SIZE / 1e9)
    assert not decoded.exists()
    assert not features.exists()
    assert not third.exists()
    assert all(path.exists() for path in (best, second, other_arm, by_hand))
    assert "deleted decoded images: digits-32" in said
    assert "deleted models: a 0.7 of sweep" in said

    with pytest.raises(StorageError, match="it is a winner of its sweep; it is of no sweep"):
        disk.clean(0)
    assert not second.exists()
    assert all(path.exists() for path in (best, other_arm, by_hand))


def test_checkpoints_go_first_but_for_those_that_a_trial_goes_on_from_which_go_last(disk: Disk, tmp_path: Path) -> None:
    left, awaited = (disk.add_checkpoint(name) for name in ("left", "awaited"))
    disk.add_waiting_trial(awaited.parent)
    decoded, sweep = disk.add_entry("decoded", "digits-32"), disk.add_sweep()
    best, worse = disk.add_trial(sweep, 0.9), disk.add_trial(sweep, 0.8)
    inventory = disk.count()
    assert inventory.num_bytes == sum(holding.num_bytes for holding in inventory.holdings) > 5 * SIZE
    assert inventory.rest["outputs"] < SIZE

    assert "deleted checkpoints: left" in disk.clean(4.5 * SIZE / 1e9)
    assert not left.exists()
    assert decoded.exists()
    disk.clean(2.5 * SIZE / 1e9)
    assert not decoded.exists()
    assert not worse.exists()
    assert awaited.exists()
    assert "deleted checkpoints of trials that wait: awaited" in disk.clean(1.5 * SIZE / 1e9)
    assert not awaited.exists()
    assert best.exists()


def test_a_checkpoint_of_a_study_in_another_storage_counts_as_waited_for(disk: Disk, tmp_path: Path) -> None:
    path = disk.add_checkpoint("elsewhere", "postgresql://host/studies")
    write_ticket(path.parent, "postgresql://host/studies")
    (holding,) = disk.count().holdings
    assert (holding.kind, holding.keep) == (AWAITED, "")


def test_of_a_storage_that_cannot_be_read_all_checkpoints_stay(disk: Disk, tmp_path: Path) -> None:
    disk.add_checkpoint("unknown")
    (tmp_path / "mlruns" / "optuna.db").write_text("no database")
    (holding,) = disk.count().holdings
    assert "nobody can say which trials wait" in holding.keep


def write_ticket(folder: Path, storage: str) -> None:
    Ticket(
        storage=storage, study_name="study", trial_id=0, number=0, objectives=("value",), pruner="none",
        pruner_kwargs={}, reports=True, timeout_seconds=None, outcome="", heartbeat_seconds=10,
    ).write(folder / "trial.json")  # fmt: skip


def test_what_would_be_deleted_is_said_and_stays(disk: Disk) -> None:
    entry = disk.add_entry("decoded", "digits-32")
    assert "would delete decoded images: digits-32" in disk.clean(0, dry_run=True)
    assert entry.exists()


def test_within_the_budget_nothing_goes(disk: Disk) -> None:
    entry = disk.add_entry("decoded", "digits-32")
    assert "deleted" not in disk.clean(1)
    assert entry.exists()


def test_nothing_of_a_sweep_that_runs_is_deleted(disk: Disk) -> None:
    sweep = disk.add_sweep("RUNNING")
    models = [disk.add_trial(sweep, value) for value in (0.9, 0.8)]
    with pytest.raises(StorageError, match="its sweep runs"):
        disk.clean(0)
    assert all(path.exists() for path in models)


def test_no_cache_is_deleted_while_a_search_holds_its_lock(disk: Disk, tmp_path: Path) -> None:
    entry = disk.add_entry("decoded", "digits-32")
    lock = tmp_path / "mlruns" / "studies" / "mine.lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock), pytest.raises(StorageError, match="a run or a search goes on"):
        disk.clean(0)
    assert entry.exists()
    disk.clean(0)
    assert not entry.exists()


def test_an_entry_that_a_process_has_mapped_stays(
    disk: Disk, tmp_path: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    used, unused = disk.add_entry("decoded", "used"), disk.add_entry("decoded", "unused")
    program = (
        "import mmap, sys, time\n"
        "with open(sys.argv[1], 'rb') as file: mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)\n"
        "open(sys.argv[2], 'w').close()\n"
        "time.sleep(600)"
    )
    process = start(program, str(used / "images.npy"), str(tmp_path / "mapped"))
    wait_until(lambda: (tmp_path / "mapped").exists(), "the entry is mapped")
    with pytest.raises(StorageError, match=f"process {process.pid} uses it"):
        disk.clean(0)
    assert used.exists()
    assert not unused.exists()


def test_no_cache_is_deleted_while_a_scheduled_sweep_has_a_claim_wherever_the_cache_lies(
    disk: Disk, claims: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    entry = disk.add_entry("decoded", "digits-32")
    claims.mkdir(parents=True)
    program = "import sys, time\nfile = open(sys.argv[1], 'w')\nopen(sys.argv[2], 'w').close()\ntime.sleep(600)"
    process = start(program, str(claims / "1-1.json"), str(tmp_path / "claimed"))
    wait_until(lambda: (tmp_path / "claimed").exists(), "the claim is placed")
    with pytest.raises(StorageError, match=f"a sweep runs or waits, process {process.pid}"):
        disk.clean(0)
    assert entry.exists()


def test_two_checkouts_with_different_caches_see_each_others_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FITGAP_CLAIMS_DIR")
    folders = set()
    for cache in ("/data/one", "/data/two"):
        monkeypatch.setenv("FITGAP_CACHE_DIR", cache)
        folders.add(claims_folder())
    assert len(folders) == 1


def test_a_registered_model_stays(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    # MLflow looks for the model in the store that it takes for its own.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", disk.store.uri)
    sweep = disk.add_sweep()
    disk.add_trial(sweep, 0.9)
    model = disk.add_trial(sweep, 0.1)
    disk.register(model)
    with pytest.raises(StorageError, match="it is registered"):
        disk.clean(0)
    assert model.exists()


def test_a_model_that_cannot_be_deleted_is_said_and_counted_still(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = disk.add_sweep()
    disk.add_trial(sweep, 0.9)
    model = disk.add_trial(sweep, 0.1)

    def refuse(path: Path, ignore_errors: bool = False, **_: object) -> None:
        if not ignore_errors:
            raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("src.tracking.logged_model.shutil.rmtree", refuse)
    with pytest.raises(TrackingError, match="Permission denied"):
        disk.clean(0)
    assert model in [holding.path for holding in disk.count().holdings]


def test_an_entry_that_another_process_is_making_stays(disk: Disk) -> None:
    entry = disk.add_entry("decoded", "digits-32")
    with FileLock(entry.with_name("digits-32.lock")), pytest.raises(StorageError, match="is not kept"):
        disk.clean(0)
    assert entry.exists()


def test_what_fitgap_did_not_write_into_the_cache_is_nobodys_to_delete(disk: Disk, tmp_path: Path) -> None:
    foreign = [
        disk.cache / "decoded" / "holiday" / "beach.jpg",
        disk.cache / "downloads" / "thesis.pdf",
        disk.cache / "downloads" / "0123abcd-cats.zip.part",
        disk.cache / "notes.txt",
    ]
    for path in foreign:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(SIZE))
    (disk.cache / "downloads" / "0123abcd-dogs.zip").write_bytes(bytes(SIZE))
    assert [holding.name for holding in find_caches(disk.cache)] == ["0123abcd-dogs.zip"]
    disk.clean(0)
    assert all(path.exists() for path in foreign)


def test_the_order_is_caches_by_their_last_use_then_models_by_rank_and_age() -> None:
    def hold(kind: str, name: str, used_at: float = 0, rank: int = 0, keep: str = "") -> Holding:
        return Holding(kind, Path(name), 10, used_at, name, rank=rank, keep=keep)

    holdings = [
        hold(MODELS, "second, old", 1, rank=1),
        hold(MODELS, "third, new", 9, rank=2),
        hold(MODELS, "third, old", 1, rank=2),
        hold(MODELS, "winner", keep="it is a winner of its sweep"),
        hold(DOWNLOADS, "download"),
        hold(FEATURES, "features", 1),
        hold(DECODED, "images of today", 9),
        hold(DECODED, "images of last year", 1),
    ]
    order = ["images of last year", "images of today", "features", "download", "third, old", "third, new"]
    assert [holding.name for holding in choose_doomed(holdings, 0)] == [*order, "second, old"]
    assert [holding.name for holding in choose_doomed(holdings, 65)] == order[:2]
    assert choose_doomed(holdings, 80) == []


def test_of_two_objectives_the_whole_front_stays() -> None:
    tags = {"fitgap.objective": "value,cost", "fitgap.direction": "maximize,minimize"}
    sweep = RunRecord("sweep", "sweep", "FINISHED", "sweep", tags)
    points = {"good": (0.9, 9.0), "cheap": (0.5, 1.0), "beaten": (0.4, 5.0)}
    children = [
        RunRecord(name, name, "FINISHED", "trial", {"fitgap.state": "complete", "fitgap.arm": "a"}, {}, metrics)
        for name, metrics in ((name, {"value": value, "cost": cost}) for name, (value, cost) in points.items())
    ]
    assert {name for name, (_, keep) in place_trials(sweep, children).items() if keep} == {"good", "cheap"}


def test_of_a_grid_the_best_run_stays_and_without_one_all_do() -> None:
    children = [
        RunRecord(name, name, "FINISHED", "trial", {"fitgap.state": "complete"}, {}, {"best_val_accuracy": value})
        for name, value in (("a", 0.7), ("b", 0.9))
    ]
    known = RunRecord("sweep", "grid", "FINISHED", "sweep", {"fitgap.best_run_id": "b"})
    assert place_trials(known, children) == {"b": (0, "it is a winner of its sweep"), "a": (1, "")}
    unknown = RunRecord("sweep", "grid", "FAILED", "sweep", {})
    assert all(keep for _, keep in place_trials(unknown, children).values())


def test_the_command_shows_what_takes_how_much(disk: Disk, tmp_path: Path) -> None:
    disk.add_entry("decoded", "digits-32")
    disk.add_trial(None, 0.1)
    places = ["--uri", disk.store.uri, "--storage", f"sqlite:///{tmp_path / 'optuna.db'}", "--cache", str(disk.cache)]
    command = [sys.executable, "-m", "src.disk", "show", *places]
    answer = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    rows = {line.split("  ")[0].strip(): line.split() for line in answer.stdout.splitlines()}
    assert rows["decoded images"][-3:] == ["1", "0.000", "0.000"]
    assert rows["models"][-3:-1] == ["1", "0.000"]
    assert "stays: models: a 0.1 of" in answer.stdout
