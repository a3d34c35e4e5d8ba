"""The names of the GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` has them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from src.gpus.driver import run_program
from src.gpus.inventory import read_gpus
from src.gpus.made_up import find_file

_PROC = Path("/proc/driver/nvidia/gpus")


def list_visible() -> list[str]:
    """Returns the GPUs that this process may use, found without TensorFlow, which would take hold of them.

    Raises:
        ConfigError: `FITGAP_GPUS` names a file that does not describe GPUs.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        # CUDA itself ends the list at the first name that is no GPU, such as -1.
        names = [name.strip() for name in chosen.split(",")]
        return names[: names.index("-1")] if "-1" in names else [name for name in names if name]
    if find_file() is not None:
        return [str(gpu.index) for gpu in read_gpus()]
    # The program knows which of the machine's GPUs a container may use; the folder may not.
    return parse_listing(run_program("--list-gpus")) or (
        [str(index) for index, _ in enumerate(_PROC.iterdir())] if _PROC.is_dir() else []
    )


def list_parts() -> dict[str, list[str]]:
    """Returns by the number of each GPU the names of its parts (MIG), none for one that is not cut up."""
    # One that is made up is whole.
    return {} if find_file() is not None else _parse_parts(run_program("--list-gpus"))


def parse_listing(listing: str) -> list[str]:
    """Returns the GPUs that `nvidia-smi --list-gpus` printed; one that is cut up (MIG) is used by its parts alone."""
    return [name for gpu, parts in _parse_parts(listing).items() for name in parts or [gpu]]


def _parse_parts(listing: str) -> dict[str, list[str]]:
    gpus: dict[str, list[str]] = {}
    for line in listing.splitlines():
        if found := re.match(r"GPU (\d+):", line):
            gpus[found[1]] = []
        elif gpus and (part := re.search(r"UUID: (MIG-[^)\s]+)", line)):
            gpus[next(reversed(gpus))].append(part[1])
    return gpus
