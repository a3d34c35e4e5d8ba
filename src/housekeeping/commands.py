"""The commands of `python -m src.disk`."""

from __future__ import annotations

from argparse import Namespace

from rich.console import Console
from rich.table import Table

from src.errors import ConfigError
from src.housekeeping.cleaning import clean
from src.housekeeping.holding import ORDER
from src.housekeeping.inventory import Inventory, take_inventory


def execute(arguments: Namespace, console: Console) -> None:
    """Does what the command line asks for.

    Raises:
        FitgapError: It cannot be done; what was done has been printed.
    """
    if arguments.command == "clean" and not arguments.max_gb >= 0:
        raise ConfigError(f"--max-gb must be at least 0, but got {arguments.max_gb:g}.")
    inventory = take_inventory(arguments.uri, arguments.storage, arguments.cache)
    if arguments.command == "show":
        _print_inventory(inventory, console)
    else:
        clean(inventory, arguments.max_gb, dry_run=arguments.dry_run, console=console)


def _print_inventory(inventory: Inventory, console: Console) -> None:
    table = Table("what", box=None)
    for name in ("number", "GB", "GB that can go"):
        table.add_column(name, justify="right")
    for kind in ORDER:
        holdings = [holding for holding in inventory.holdings if holding.kind == kind]
        free = sum(holding.num_bytes for holding in holdings if not holding.keep)
        total = sum(holding.num_bytes for holding in holdings)
        table.add_row(kind, str(len(holdings)), f"{total / 1e9:.3f}", f"{free / 1e9:.3f}")
    for what, num_bytes in inventory.rest.items():
        table.add_row(what, "", f"{num_bytes / 1e9:.3f}", "")
    console.print(table)
    for holding in inventory.holdings:
        if holding.keep:
            console.print(f"stays: {holding.describe()}: {holding.keep}", style="dim", soft_wrap=True, markup=False)
