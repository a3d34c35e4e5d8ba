"""Installing and removing timers: which sweeps, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from src.errors import ConfigError
from src.scheduling.sweep_file import list_names, load_sweep
from src.scheduling.timers import Change, Timers


def install(timers: Timers, names: Sequence[str], *, dry_run: bool, console: Console) -> Change:
    """Has sweeps started by themselves.

    Args:
        timers: Whose timers.
        names: The sweeps; without any, all that have a `schedule` block, and timers of those that have none any more
            are removed.
        dry_run: Whether to print what would be written, and to change nothing.
        console: Where to print.

    Raises:
        FitgapError: A sweep cannot be scheduled, or the timers do not take it.
    """
    chosen = list(dict.fromkeys(names)) or list_names()
    sweeps = [load_sweep(name) for name in chosen]
    stale = [] if names else [name for name in timers.list_installed() if name not in chosen]
    if not sweeps and not stale:
        raise ConfigError("No file of sweeps/ has a schedule block. docs/gpu-box.md says what to write.")
    change = timers.install(sweeps, dry_run=dry_run)
    if stale:
        removed = timers.remove(stale, dry_run=dry_run)
        change = Change({**change.texts, **removed.texts}, [*change.said, *removed.said])
    _tell(change, dry_run, console)
    if not change.texts:
        console.print(f"Nothing to do: {', '.join(chosen)} {'is' if len(chosen) == 1 else 'are'} installed as written.")
    elif not dry_run:
        console.print(f"Installed in {timers.name}: {', '.join(chosen) or 'none'}.")
    return change


def remove(timers: Timers, names: Sequence[str], *, dry_run: bool, console: Console) -> Change:
    """Has sweeps started by themselves no more; without names, all of this checkout.

    Their records and logs stay, and a sweep that runs goes on to its end.

    Raises:
        FitgapError: The timers do not take it.
    """
    chosen = list(dict.fromkeys(names)) or timers.list_installed()
    change = timers.remove(chosen, dry_run=dry_run)
    _tell(change, dry_run, console)
    if not change.texts:
        console.print(f"Nothing to do: {timers.name} starts {'none of them' if names else 'no sweep'}.")
    return change


def _tell(change: Change, dry_run: bool, console: Console) -> None:
    for path, text in change.texts.items():
        if text is None:
            console.print(f"{'would remove' if dry_run else 'removed'} {path}", soft_wrap=True)
        elif dry_run:
            console.print(f"--- {path}", style="bold", soft_wrap=True)
            console.print(text, soft_wrap=True)
        else:
            console.print(f"wrote {path}", soft_wrap=True)
    for line in change.said:
        console.print(line, style="yellow", soft_wrap=True)
