"""Keeps a budget: deletes what can be made again, then the models furthest behind, until the rest fits."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from src.errors import StorageError
from src.housekeeping.caches import delete_cache
from src.housekeeping.holding import AWAITED, CHECKPOINTS, MODELS, ORDER, Holding
from src.housekeeping.inventory import Inventory
from src.tracking.address import locate_outbox
from src.tracking.store import Store
from src.tracking.sweeps import discard_models


def choose_doomed(holdings: Sequence[Holding], max_bytes: float) -> list[Holding]:
    """Returns what has to go so that the rest fits, in the order in which it goes.

    Checkpoints that nobody goes on from go first, then caches, the longest unused first, then models: those furthest
    behind in their sweeps, and of equals the oldest. Checkpoints of trials that wait go last. What must stay is never
    among them, so that the rest may still not fit.
    """
    total = sum(holding.num_bytes for holding in holdings)
    doomed = []
    for holding in sorted(
        (holding for holding in holdings if not holding.keep),
        key=lambda holding: (ORDER.index(holding.kind), -holding.rank, holding.used_at, str(holding.path)),
    ):
        if total <= max_bytes:
            break
        doomed.append(holding)
        total -= holding.num_bytes
    return doomed


def clean(inventory: Inventory, max_gb: float, *, dry_run: bool, console: Console) -> None:
    """Deletes until a budget is kept, and says of each thing what it was.

    Args:
        inventory: What there is.
        max_gb: The budget for caches, checkpoints and models together, in 10^9 bytes.
        dry_run: Whether to say it only.
        console: Where to print.

    Raises:
        StorageError: The budget cannot be kept, or something cannot be deleted.
        TrackingError: The store does not answer.
    """
    left = inventory.num_bytes
    for holding in choose_doomed(inventory.holdings, max_gb * 1e9):
        if dry_run or _delete(holding, inventory):
            left -= holding.num_bytes
            console.print(
                f"{'would delete' if dry_run else 'deleted'} {holding.describe()}", soft_wrap=True, markup=False
            )
        else:
            console.print(f"left, since a process is making it: {holding.describe()}", soft_wrap=True, markup=False)
    are = "would be" if dry_run else "are"
    console.print(
        f"{left / 1e9:.3f} GB of caches, checkpoints and models {are} left; the budget is {max_gb:g} GB", soft_wrap=True
    )
    if left > max_gb * 1e9:
        reasons = sorted({holding.keep for holding in inventory.holdings if holding.keep})
        raise StorageError(
            f"The budget of {max_gb:g} GB is not kept: what is left must stay ({'; '.join(reasons) or 'in use'}). Give "
            "a higher one, or delete runs that nobody needs in MLflow and run `mlflow gc`."
        )


def _delete(holding: Holding, inventory: Inventory) -> bool:
    if holding.kind == MODELS:
        store = Store(inventory.uri, holding.experiment_id, "", locate_outbox(inventory.uri))
        discard_models(store, [holding.run_id])
        return not holding.path.exists()
    try:
        if holding.kind in (CHECKPOINTS, AWAITED):
            holding.path.unlink(missing_ok=True)
            return True
        return delete_cache(holding)
    except OSError as error:
        raise StorageError(
            f"{holding.path} cannot be deleted: {error.strerror or error}. Look at its rights."
        ) from error
