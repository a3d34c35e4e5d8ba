"""The machine's GPUs, found without TensorFlow, which would take hold of them."""

from __future__ import annotations

import os
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
        return [str(gpu) for gpu in asked]
    if asked != "auto" and (not isinstance(asked, int) or isinstance(asked, bool) or asked < 0):
        raise ConfigError(f"hydra.launcher.gpus must be auto, a number, or a list such as [0,1], but got {asked!r}.")
    visible = _list_visible()
    if asked == "auto":
        return visible
    if asked > len(visible):
        raise ConfigError(
            f"hydra.launcher.gpus={asked}, but {len(visible)} can be seen: {', '.join(visible) or 'none'}. Give fewer, "
            "or look at CUDA_VISIBLE_DEVICES and nvidia-smi."
        )
    return visible[:asked]


def _list_visible() -> list[str]:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        # CUDA itself ends the list at the first name that is no GPU, such as -1.
        names = [name.strip() for name in chosen.split(",")]
        return names[: names.index("-1")] if "-1" in names else [name for name in names if name]
    if _PROC.is_dir():
        return [str(index) for index, _ in enumerate(_PROC.iterdir())]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        answer = subprocess.run(
            [program, "--list-gpus"], capture_output=True, text=True, timeout=_QUERY_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(index) for index, line in enumerate(answer.stdout.splitlines()) if line.startswith("GPU ")]
