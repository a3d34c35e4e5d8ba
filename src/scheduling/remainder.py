"""What a search could not deliver to its tracking store: delivered after it, as far as the store takes it now."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from src.config.paths import PROJECT_ROOT
from src.errors import TrackingError
from src.scheduling.finding import GOOD, MEND, Finding

#: Longest time that a shift takes for it once its search has ended.
_SECONDS = 600.0


def deliver_remainder(uri: str | None, log: Path) -> int:
    """Delivers what is in the outbox of a store, and makes the reports that are due; a program of its own does it.

    Args:
        uri: The store's tracking URI as configured.
        log: File that takes what the program prints, where there may be something to do.

    Returns:
        Number of runs that the store still does not have in full.

    Raises:
        OSError: The log cannot be written.
        TrackingError: The store has no address.
    """
    resolved, outbox = _locate(uri)
    if not count_remainder(uri) and resolved.startswith("sqlite:"):
        # It was not away, and no report is due.
        return 0
    command = [sys.executable, "-m", "src.deliver", "--outbox", str(outbox)]
    # All users of the machine can read its arguments, and a database's address may hold a password.
    variables = {**os.environ, "MLFLOW_TRACKING_URI": resolved}
    with log.open("ab") as output:
        try:
            subprocess.run(
                command, cwd=PROJECT_ROOT, env=variables, stdout=output, stderr=output, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            output.write(f"Delivering was ended after {_SECONDS:g} seconds.\n".encode())
    return count_remainder(uri)


def name_delivered(uri: str | None, run_id: str | None) -> str | None:
    """Returns the id by which a store's pages know a run that may have been begun while it was away.

    Raises:
        TrackingError: The store does not answer, or has no address.
    """
    from src.tracking.identity import is_provisional
    from src.tracking.sweeps import exchange_id

    return exchange_id(_locate(uri)[0], run_id) if run_id is not None and is_provisional(run_id) else run_id


def count_remainder(uri: str | None) -> int:
    """Returns how many runs a store does not have in full, without asking it.

    Raises:
        TrackingError: The store has no address.
    """
    from src.tracking.outbox import count_pending

    resolved, outbox = _locate(uri)
    return count_pending(outbox, resolved)


def examine_outbox(uri: str | None) -> Iterator[Finding]:
    """Yields whether anything is still to be delivered to a store."""
    try:
        number = count_remainder(uri)
    except TrackingError:
        # That the store has no address is found where it is looked at.
        return
    if number:
        runs = "1 run is" if number == 1 else f"{number} runs are"
        yield Finding("outbox", MEND, f"{runs} not in the tracking store in full. Deliver: {_name_command(uri)}")
    else:
        yield Finding("outbox", GOOD, "nothing is left to deliver")


def _locate(uri: str | None) -> tuple[str, Path]:
    """Returns a store's tracking URI and its outbox."""
    # MLflow is not wanted in memory all night: what waits for the search needs none of it.
    from src.tracking.address import locate_outbox, resolve_uri

    resolved = resolve_uri(uri, PROJECT_ROOT)
    return resolved, locate_outbox(resolved)


def _name_command(uri: str | None) -> str:
    from src.tracking.outbox import deliver_command

    return deliver_command(_locate(uri)[1])
