"""Where the tracking store is: the tracking URI, resolved, checked and made fit to be shown."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.exceptions import MlflowException, RestException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from src.config.paths import PROJECT_ROOT
from src.errors import TrackingError

#: Where `python -m src.deliver` looks unless it is told otherwise.
DEFAULT_OUTBOX = PROJECT_ROOT / "mlruns" / "outbox"

#: Seconds within which a server has to accept a connection and to say something.
PROBE_SECONDS = 3

_TOO_MANY_REQUESTS = 429
#: How MLflow's client begins what it says of an answer that is not its API's; those of the API are `RestException`.
_NO_ANSWER = "API request to endpoint"
_SERVERS = ("http", "https")
_DATABASES = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_ALLOWED = "sqlite:///FILE, http://HOST:PORT, https://HOST, postgresql://…, mysql://…, mssql://… or databricks"


class UnreachableError(TrackingError):
    """Nothing answers at the store's address at present, which another moment may mend.

    Attributes:
        reason: What is in the way, without what to do about it.
    """

    def __init__(self, message: str, reason: str | None = None) -> None:
        """Takes the whole message, and the part of it that is the reason."""
        super().__init__(message)
        self.reason = reason or message


def is_away(error: Exception) -> bool:
    """Returns whether an error says that the store is away or busy, rather than that it refuses."""
    if isinstance(error, MlflowException):
        status = int(error.get_http_status_code())  # type: ignore[no-untyped-call]
        return status >= 500 or status == _TOO_MANY_REQUESTS
    return isinstance(error, (UnreachableError, OSError))


def is_turned_away(error: Exception) -> bool:
    """Returns whether an answer is none of MLflow's API: of a proxy with another password, or with no server behind it.

    Also MLflow's own check of who asks, and by which name, answers so. A person can mend all of it.
    """
    own = isinstance(error, RestException) or not isinstance(error, MlflowException)
    return not own and str(error).startswith(_NO_ANSWER)


def resolve_uri(uri: str | None, root: Path) -> str:
    """Returns the tracking URI that counts, with a relative SQLite path made absolute.

    Args:
        uri: What the configuration says; null or empty takes `MLFLOW_TRACKING_URI`, else `mlflow.db` in `root`.
        root: The project's root.

    Raises:
        TrackingError: The URI is none that a run can be recorded under.
    """
    origin, uri = ("tracking.uri", uri) if uri else ("MLFLOW_TRACKING_URI", os.environ.get("MLFLOW_TRACKING_URI"))
    if not uri:
        return sqlite_uri(root / "mlflow.db")
    scheme = uri.split(":", 1)[0].split("+", 1)[0].lower() if ":" in uri else ""
    if uri == "databricks" or scheme == "databricks":
        return uri
    if scheme in _SERVERS:
        if not urlsplit(uri).hostname:
            raise TrackingError(f"{origin} must name a host, as in http://localhost:5000, but is '{show_uri(uri)}'.")
        return uri.rstrip("/")
    if scheme in _DATABASES:
        return uri
    if scheme == "sqlite":
        return sqlite_uri(_sqlite_file(uri, origin))
    if scheme in ("", "file"):
        raise TrackingError(
            f"{origin} is the folder '{uri}', but MLflow no longer records runs in plain folders. Use a database, as "
            "in sqlite:///mlflow.db; `mlflow migrate-filestore --source FOLDER --target sqlite:///mlflow.db` moves old "
            "runs there."
        )
    raise TrackingError(f"{origin} must be {_ALLOWED}, but is '{show_uri(uri)}'.")


def sqlite_uri(path: Path) -> str:
    """Returns the URI of an SQLite file, absolute; only what a URI cannot hold is escaped."""
    return "sqlite:///" + str(path.absolute()).replace("%", "%25").replace("?", "%3F")


def sqlite_path(uri: str) -> Path | None:
    """Returns the file of a resolved SQLite URI; None for any other store."""
    return Path(str(make_url(uri).database)) if uri.startswith("sqlite:") else None


def locate_outbox(uri: str = "", root: Path = PROJECT_ROOT) -> Path:
    """Returns the folder that keeps what a store does not take: what belongs to an SQLite file lies beside it.

    Args:
        uri: A resolved tracking URI; an empty one is like a server's.
        root: The project's root, which holds the outbox of all servers.
    """
    chosen = os.environ.get("FITGAP_OUTBOX_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    path = sqlite_path(uri)
    return (path.parent if path else root.absolute()) / "mlruns" / "outbox"


def show_uri(uri: str) -> str:
    """Returns the URI without a password that it may hold."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", uri)


def check_reachable(uri: str) -> None:
    """Makes sure that something answers at the URI, within about `PROBE_SECONDS`; files are not looked at.

    Raises:
        UnreachableError: Nothing does.
    """
    parts = urlsplit(uri)
    scheme = parts.scheme.split("+", 1)[0]
    if scheme in _SERVERS:
        _ask(uri)
    elif scheme in _DATABASES and parts.hostname:
        # SQLAlchemy's refusal would come only after MLflow's ten attempts, two minutes later.
        try:
            socket.create_connection((parts.hostname, parts.port or _DATABASES[scheme]), PROBE_SECONDS).close()
        except OSError as error:
            raise _unreachable(uri, short_reason(error)) from error


def _ask(uri: str) -> None:
    try:
        credentials = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
        response = http_request(  # type: ignore[no-untyped-call]
            credentials, "/health", "GET", max_retries=0, timeout=PROBE_SECONDS
        )
    except MlflowException as error:
        raise _unreachable(uri, short_reason(error)) from error
    if response.status_code >= 500:
        raise _unreachable(uri, f"it answers {response.status_code} {response.reason}")


def short_reason(error: BaseException) -> str:
    """Returns the last, telling part of an error that libraries have wrapped into one another, in one line."""
    if isinstance(error, UnreachableError):
        return error.reason
    text = " ".join(str(error).split()) or type(error).__name__
    for pattern, plain in (
        (r"Connection refused", "connection refused"),
        (r"timed? ?out", "no answer in time"),
        (r"Name or service not known|Failed to resolve|getaddrinfo|Temporary failure in name", "unknown host name"),
        (r"CERTIFICATE_VERIFY_FAILED", "its TLS certificate is not trusted"),
        (r"Remote end closed|Connection reset|Connection aborted", "connection lost"),
    ):
        if re.search(pattern, text):
            return plain
    return show_uri(text if len(text) <= 300 else text[:300] + "…")


def _unreachable(uri: str, reason: str) -> UnreachableError:
    return UnreachableError(
        f"The tracking server at {show_uri(uri)} cannot be used: {reason}. Start it, or point tracking.uri or "
        "MLFLOW_TRACKING_URI somewhere else; tracking.uri=sqlite:///mlflow.db records on this machine.",
        reason,
    )


def _sqlite_file(uri: str, origin: str) -> Path:
    try:
        name = make_url(uri).database
    except ArgumentError as error:
        raise TrackingError(f"{origin} must look like sqlite:///mlflow.db, but is '{uri}'.") from error
    if not name or name == ":memory:":
        raise TrackingError(f"{origin} is '{uri}', a database in memory; runs have to outlive it. Name a file.")
    return Path(name)
