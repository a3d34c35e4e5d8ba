"""Delivers to the tracking store what runs could not: `python -m src.deliver`.

Runs keep on disk what a tracking server did not take. This sends it, closes the runs of processes that died, makes the
reports of sweeps that ended while the server was away, and exits with 0 if nothing is left over, 1 otherwise. Runs that
are still going deliver by themselves and are left alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from src.entry import run_program


def main() -> None:
    """Delivers the outbox and prints one line per run.

    Raises:
        TrackingError: Something is left over.
    """
    parser = argparse.ArgumentParser(prog="python -m src.deliver", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--outbox", type=Path, help="folder of what is pending (default: FITGAP_OUTBOX_DIR, else mlruns/outbox)"
    )
    parser.add_argument("--uri", help="store whose reports may be due; MLflow's default if left out")
    arguments = parser.parse_args()

    from src.comparison.report import make_up_reports
    from src.console import open_console
    from src.errors import TrackingError
    from src.tracking.address import locate_outbox
    from src.tracking.outbox import deliver_pending

    deliveries = deliver_pending(arguments.outbox or locate_outbox())
    for delivery in deliveries:
        state = "delivered" if delivery.delivered else "running" if delivery.active else "PENDING"
        detail = f"{delivery.pending} records: {delivery.reason}" if state == "PENDING" else delivery.reason or ""
        print(f"{state:9}  {delivery.name or delivery.run_id}  {delivery.run_id}  {detail}".rstrip())
    if not deliveries:
        print("Nothing is pending.")
    make_up_reports(deliveries, arguments.uri, open_console())
    left = [delivery for delivery in deliveries if not delivery.delivered and not delivery.active]
    if left:
        count = "One run is" if len(left) == 1 else f"{len(left)} runs are"
        raise TrackingError(f"{count} still pending. Once the store takes them: {left[0].command}")


if __name__ == "__main__":
    run_program(main)
