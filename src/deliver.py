"""Delivers to the tracking store what runs could not: `python -m src.deliver`.

Runs keep on disk what a tracking server did not take. This sends it, closes the runs of processes that died, and exits
with 0 if nothing is left over, 1 otherwise. Runs that are still going deliver by themselves and are left alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> int:
    """Delivers the outbox, prints one line per run and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m src.deliver", description=__doc__.split("\n")[0])
    parser.add_argument("--outbox", type=Path, help="folder of what is pending (default: mlruns/outbox)")
    arguments = parser.parse_args()

    from src.errors import FitgapError
    from src.tracking.outbox import DEFAULT_OUTBOX, deliver_pending

    try:
        deliveries = deliver_pending(arguments.outbox or DEFAULT_OUTBOX)
    except FitgapError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for delivery in deliveries:
        state = "delivered" if delivery.delivered else "running" if delivery.active else "PENDING"
        detail = f"{delivery.pending} records: {delivery.reason}" if state == "PENDING" else delivery.reason or ""
        print(f"{state:9}  {delivery.name or delivery.run_id}  {delivery.run_id}  {detail}".rstrip())
    if not deliveries:
        print("Nothing is pending.")
    return int(any(not delivery.delivered and not delivery.active for delivery in deliveries))


if __name__ == "__main__":
    sys.exit(main())
