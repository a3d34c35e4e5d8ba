"""Where a study is kept: the storage's URL, resolved, checked and made fit to be shown."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from src.errors import StudyError

#: Databases that a study can be kept in, each with the package that its usual driver comes in; SQLite's is Python's.
DRIVERS = {"sqlite": "", "postgresql": "psycopg2-binary", "mysql": "pymysql", "mariadb": "pymysql"}

_ALLOWED = "sqlite:///FILE, postgresql://USER:PASSWORD@HOST/DATABASE or mysql+pymysql://USER:PASSWORD@HOST/DATABASE"


def resolve_storage(url: str | None, root: Path) -> str:
    """Returns the storage's URL, with a relative SQLite path made absolute and the driver named.

    Args:
        url: What the configuration says; null or empty is `mlruns/optuna.db` in `root`.
        root: The project's root.

    Raises:
        StudyError: The URL is none that a study can be kept under.
    """
    if not url:
        return sqlite_url(root / "mlruns" / "optuna.db")
    parsed = parse_url(url)
    if parsed.drivername == "postgresql" and (find_spec("psycopg2") or not find_spec("psycopg")):
        # SQLAlchemy 2.1 would take psycopg 3, earlier ones psycopg2.
        parsed = parsed.set(drivername="postgresql+psycopg2")
    if parsed.get_backend_name() != "sqlite":
        return parsed.render_as_string(hide_password=False)
    path = Path(str(parsed.database)).expanduser()
    return parsed.set(database=str(root.absolute() / path)).render_as_string(hide_password=False)


def sqlite_url(path: Path) -> str:
    """Returns the URL of an SQLite file, absolute."""
    return URL.create("sqlite", database=str(path.absolute())).render_as_string()


def sqlite_path(url: str) -> Path | None:
    """Returns the file of a resolved SQLite URL; None for any other database."""
    parsed = parse_url(url)
    return Path(str(parsed.database)) if parsed.get_backend_name() == "sqlite" else None


def parse_url(url: str) -> URL:
    """Returns the parts of a URL that a study can be kept under.

    Raises:
        StudyError: It is no URL, of a database that Optuna does not know, or one in memory.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise _wrong(url) from error
    backend = parsed.get_backend_name()
    if backend not in DRIVERS:
        raise _wrong(url, "; it is postgresql:// now" if backend == "postgres" else "")
    if backend == "sqlite" and (not parsed.database or parsed.database == ":memory:"):
        raise StudyError(
            f"hydra.sweeper.storage is '{url}', a database in memory, but several processes have to see a study, and "
            "it has to outlive them. Name a file, as in sqlite:///mlruns/optuna.db."
        )
    return parsed


def show_url(url: str) -> str:
    """Returns the URL without a password that it may hold."""
    shown = re.sub(r"(://[^/@:]*):.*@", r"\1:***@", url)
    return re.sub(r"(?i)([?&][^=&]*pass[^=&]*=)[^&]*", r"\1***", shown)


def _wrong(url: str, hint: str = "") -> StudyError:
    return StudyError(f"hydra.sweeper.storage must be {_ALLOWED}, but is '{show_url(url)}'{hint}.")
