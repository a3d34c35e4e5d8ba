"""The GPUs of a sweep that somebody has started: claimed while it runs, so that no scheduled one starts beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from omegaconf import DictConfig

from src.claims import Claim, ClaimBook
from src.config.paths import PROJECT_ROOT
from src.config.sweeper import SweeperConfig
from src.errors import FitgapError
from src.occupancy import claims_folder
from src.sweep.clock import parse_until
from src.sweep.launching import can_choose_gpus, find_used_gpus
from src.workers.gpus import identify_gpus


class TakenGpusError(FitgapError):
    """A scheduled sweep has the GPUs, or waits for them."""


@contextmanager
def hold_gpus(config: DictConfig, settings: SweeperConfig) -> Iterator[None]:
    """Holds a claim on the GPUs that a sweep uses for the time of the block; on a machine without, does nothing.

    A sweep that is scheduled has one already, which it inherits from the process that has started it.

    Args:
        config: The sweep's configuration, with its launcher.
        settings: `hydra.sweeper`.

    Raises:
        TakenGpusError: A scheduled sweep has them, or its turn comes before.
        ConfigError: There are not so many GPUs.
        StorageError: A claim cannot be made.
    """
    gpus = find_used_gpus(config)
    if not gpus:
        yield
        return
    book = ClaimBook(claims_folder())
    if book.has_inherited():
        yield
        return
    # A scheduled sweep may have named them otherwise.
    gpus = identify_gpus(gpus)
    name = config.hydra.runtime.choices.get("sweeps") or config.hydra.job.name
    until = None
    if settings.until is not None:
        until = parse_until(settings.until).astimezone().isoformat(timespec="seconds")
    held, blocking = book.take(Claim(f"{name} by hand", str(PROJECT_ROOT), tuple(gpus), by_hand=True), gpus, until)
    if held is None:
        raise TakenGpusError(_explain(gpus, blocking, can_choose=can_choose_gpus(config)))
    try:
        yield
    finally:
        book.release(held)


def _explain(gpus: Sequence[str], blocking: Sequence[Claim], *, can_choose: bool) -> str:
    taken = "".join(f"\n  {claim.name_devices()}: {claim.describe()}" for claim in blocking)
    others = "hydra.launcher.gpus=[…]" if can_choose else "CUDA_VISIBLE_DEVICES=…"
    return (
        f"This sweep would use GPU {', '.join(gpus)}, but scheduled sweeps have, or wait for:{taken}\n"
        f"Choose other GPUs with {others}, or wait until these are free: python -m src.schedule status shows it."
    )
