"""What a backup holds: the stores and all that lies with them, each at one place on disk and one in the backup."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from src.config.paths import PROJECT_ROOT
from src.errors import StorageError
from src.study.address import resolve_storage
from src.study.address import sqlite_path as study_file
from src.tracking.address import locate_outbox, resolve_uri, show_uri
from src.tracking.address import sqlite_path as tracking_file
from src.tracking.journal import REMOVED

#: The tracking database in a backup, and the folder beside it.
DATABASE, ARTIFACTS = "mlflow.db", "mlruns"
#: What else there is, where it does not lie in that folder.
STUDIES, OUTBOX = "optuna.db", "outbox"


@dataclass(frozen=True)
class Places:
    """Where everything lies that belongs together.

    Attributes:
        uri: The tracking URI.
        database: MLflow's database.
        artifacts: The folder beside it: artifacts, outputs, and usually all that follows.
        outbox: The journals of runs.
        studies: Optuna's database; None where a server holds the studies, which has backups of its own.
    """

    uri: str
    database: Path
    artifacts: Path
    outbox: Path
    studies: Path | None

    @property
    def parts(self) -> dict[str, Path]:
        """What is copied as a whole, by its name in the backup; what lies within another is not named again."""
        parts = {DATABASE: self.database, ARTIFACTS: self.artifacts}
        if not self.outbox.is_relative_to(self.artifacts):
            parts[OUTBOX] = self.outbox
        if self.studies is not None and not self.studies.is_relative_to(self.artifacts):
            parts[STUDIES] = self.studies
        return parts

    @property
    def outbox_name(self) -> Path:
        """The place of the journals within a backup."""
        if OUTBOX in self.parts:
            return Path(OUTBOX)
        return Path(ARTIFACTS) / self.outbox.relative_to(self.artifacts)

    def is_passing(self, path: Path) -> bool:
        """Whether a file or folder of these belongs to a process alone: locks, drafts, journals that are being deleted.

        Artifacts may have any name, and those that journals hold as well.
        """
        if path.parent == self.outbox:
            return path.name.startswith(REMOVED)
        if path.parent.parent == self.outbox:
            return path.name in ("lock", "cursor.new")
        searches = self.artifacts if self.studies is None else self.studies.parent
        return path.parent == searches / "studies" and path.suffix == ".lock"


def find_places(uri: str | None, storage: str | None, root: Path = PROJECT_ROOT) -> Places:
    """Returns where the stores lie, of a tracking URI and a storage's URL; those by default where none is given.

    Raises:
        StorageError: The tracking store is no file.
        TrackingError: The tracking URI is none.
        StudyError: The storage's URL is none.
    """
    resolved = resolve_uri(uri, root)
    database = tracking_file(resolved)
    if database is None:
        raise StorageError(
            f"The tracking store is {show_uri(resolved)}, which has to be backed up where it runs: its database with "
            "the database's own tools, and its folder of artifacts. To back up a file give --uri sqlite:///mlflow.db."
        )
    database = database.absolute()
    studies = study_file(resolve_storage(storage, root))
    return Places(
        resolved,
        database,
        database.parent / ARTIFACTS,
        locate_outbox(resolved, root),
        None if studies is None else studies.absolute(),
    )
