"""All that is counted: what can be deleted, and what else fitgap keeps on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from src.config.paths import PROJECT_ROOT
from src.housekeeping.caches import cache_folder, find_caches
from src.housekeeping.checkpoints import find_checkpoints
from src.housekeeping.holding import Holding, measure
from src.housekeeping.models import find_models
from src.occupancy import find_held_locks
from src.study.address import resolve_storage
from src.study.address import sqlite_path as study_file
from src.tracking.address import locate_outbox, resolve_uri
from src.tracking.address import sqlite_path as tracking_file


@dataclass(frozen=True)
class Inventory:
    """What there is on disk.

    Attributes:
        uri: The tracking store's address.
        holdings: What a budget is for.
        rest: Everything else, by what it is, in bytes; none of it is ever deleted.
    """

    uri: str
    holdings: tuple[Holding, ...]
    rest: dict[str, int]

    @property
    def num_bytes(self) -> int:
        """What a budget is for takes in all."""
        return sum(holding.num_bytes for holding in self.holdings)


def take_inventory(uri: str | None, storage: str | None, cache: Path | None, root: Path = PROJECT_ROOT) -> Inventory:
    """Counts what a store, a storage and a cache folder hold; those by default where none is given.

    Raises:
        TrackingError: The tracking URI is none, or the store does not answer.
        StudyError: The storage's URL is none.
    """
    resolved = resolve_uri(uri, root)
    storage_url = resolve_storage(storage, root)
    database, studies = tracking_file(resolved), study_file(storage_url)
    outbox = locate_outbox(resolved, root)
    folder = root / "mlruns" if database is None else database.parent / "mlruns"
    searches = (folder if studies is None else studies.parent) / "studies"
    locks = find_held_locks([path for path in (outbox, searches) if path.is_dir()])
    keep = f"a run or a search goes on, which holds {locks[0]}" if locks else ""
    models = [] if database is None or not database.is_file() else list(find_models(resolved))
    caches = find_caches(cache.expanduser().absolute() if cache else cache_folder(), keep)
    # A store elsewhere has its artifacts with it; the outputs of jobs stay in the checkout.
    outputs = {folder / "outputs", root / "mlruns" / "outputs"}
    checkpoints = [*find_checkpoints(outputs, storage_url, keep)]
    places = {
        "databases": [path for path in (database, studies) if path is not None],
        "journals of runs": [outbox],
        "outputs": sorted(outputs),
        "shifts": [folder / "schedule"],
    }
    rest = {what: sum(map(measure, paths)) for what, paths in places.items()}
    rest["outputs"] -= sum(checkpoint.num_bytes for checkpoint in checkpoints)
    known = [path for paths in places.values() for path in paths] + [model.path for model in models]
    others = measure(folder) - sum(measure(path) for path in known if path.is_relative_to(folder))
    # It may have changed between two looks.
    return Inventory(resolved, (*caches, *checkpoints, *models), {**rest, "other artifacts": max(0, others)})
