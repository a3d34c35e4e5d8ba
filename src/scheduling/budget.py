"""The budget of the disk that a scheduled sweep keeps before it starts and after it has ended."""

from __future__ import annotations

import contextlib
from pathlib import Path

from rich.console import Console

from src.errors import FitgapError
from src.scheduling.sweep_file import ScheduledSweep

#: Columns of the log.
_WIDTH = 200


def keep_budget(sweep: ScheduledSweep, log: Path) -> None:
    """Deletes caches, checkpoints and models until the budget of a sweep is kept, and says in its log what was deleted.

    That it cannot be kept is said there too, and ends nothing, nor does a log that cannot be written: a search looks
    itself at what its disks have free.

    Args:
        sweep: The sweep; without `disk_gb` it has no budget.
        log: Its log.
    """
    budget = sweep.schedule.disk_gb
    if budget is None:
        return
    # MLflow takes seconds to import, and most sweeps have no budget.
    from src.housekeeping.cleaning import clean
    from src.housekeeping.inventory import take_inventory

    # On a full disk the log may be what cannot be written.
    with contextlib.suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            # Names of folders and data sets are no markup.
            console = Console(file=file, width=_WIDTH, markup=False, emoji=False, highlight=False)
            try:
                inventory = take_inventory(sweep.tracking_uri, sweep.storage, sweep.cache_dir)
                clean(inventory, budget, dry_run=False, console=console)
            except (FitgapError, OSError) as error:
                console.print(str(error), soft_wrap=True)
