"""The machine's GPUs, found without TensorFlow, which would take hold of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from src.errors import ConfigError

_PROC = Path("/proc/driver/nvidia/gpus")
_QUERY_SECONDS = 30


def find_gpus(asked: Any) -> list[str]:
    """Returns the GPUs to use, as `CUDA_VISIBLE_DEVICES` names them.

    Args:
        asked: `auto` for all that this process may see, a number of them, or a list of names.

    Raises:
        ConfigError: It is none of these, or there are fewer GPUs than asked for.
    """
    if isinstance(asked, list | tuple):
        return _check_names(asked)
    if asked != "auto" and (not isinstance(asked, int) or isinstance(asked, bool) or asked < 0):
        raise ConfigError(f"hydra.launcher.gpus must be auto, a number, or a list such as [0,1], but got {asked!r}.")
    if asked == 0:
        return []
    visible = _list_visible()
    if asked == "auto":
        return visible
    if asked > len(visible):
        raise ConfigError(
            f"hydra.launcher.gpus={asked}, but {len(visible)} can be seen: {', '.join(visible) or 'none'}. Give fewer, "
            "or look at CUDA_VISIBLE_DEVICES and nvidia-smi."
        )
    return visible[:asked]


def parse_listing(listing: str) -> list[str]:
    """Returns the GPUs that `nvidia-smi --list-gpus` printed; one that is cut up (MIG) is used by its parts alone."""
    gpus: list[str] = []
    for line in listing.splitlines():
        if found := re.match(r"GPU (\d+):", line):
            gpus.append(found[1])
        elif part := re.search(r"UUID: (MIG-[^)\s]+)", line):
            if gpus and not gpus[-1].startswith("MIG-"):
                gpus.pop()
            gpus.append(part[1])
    return gpus


def _check_names(names: list[Any] | tuple[Any, ...]) -> list[str]:
    wrong = [name for name in names if isinstance(name, bool) or not re.fullmatch(r"\d+|(GPU|MIG)-\S+", str(name))]
    if wrong:
        raise ConfigError(
            f"hydra.launcher.gpus must list numbers or names of GPUs as nvidia-smi --list-gpus shows them, but got "
            f"{', '.join(map(repr, wrong))}."
        )
    gpus = [str(name) for name in names]
    if len(set(gpus)) < len(gpus):
        raise ConfigError(
            f"hydra.launcher.gpus names a GPU twice: {', '.join(gpus)}. To have jobs share one, set "
            "hydra.launcher.trials_per_gpu."
        )
    return gpus


def _list_visible() -> list[str]:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        # CUDA itself ends the list at the first name that is no GPU, such as -1.
        names = [name.strip() for name in chosen.split(",")]
        return names[: names.index("-1")] if "-1" in names else [name for name in names if name]
    # The program knows which of the machine's GPUs a container may use; the folder may not.
    return _ask_driver() or ([str(index) for index, _ in enumerate(_PROC.iterdir())] if _PROC.is_dir() else [])


def _ask_driver() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        answer = subprocess.run(
            [program, "--list-gpus"], capture_output=True, text=True, timeout=_QUERY_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_listing(answer.stdout)
