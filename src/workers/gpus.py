"""The GPUs that are asked for, by number or by name."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from src.errors import ConfigError
from src.gpus.inventory import Gpu, find_gpu, read_gpus
from src.gpus.order import BY_BUS, VARIABLE, is_by_bus
from src.gpus.visible import list_parts, list_visible


def find_gpus(asked: Any) -> list[str]:
    """Returns the GPUs to use, as `CUDA_VISIBLE_DEVICES` names them.

    Args:
        asked: `auto` for all that this process may see, a number of them, or a list of names.

    Raises:
        ConfigError: It is none of these, or not all that is asked for is there; CUDA counts otherwise than the driver;
            or `FITGAP_GPUS` names a wrong file.
    """
    if asked != 0 and not is_by_bus() and len(read_gpus()) > 1:
        raise ConfigError(
            f"{VARIABLE}={os.environ[VARIABLE]} has CUDA count this machine's GPUs otherwise than nvidia-smi, so that "
            f"a number would mean two of them. Unset it, or set {VARIABLE}={BY_BUS}."
        )
    if isinstance(asked, list | tuple):
        return _find_named(name_gpus(asked))
    if asked != "auto" and (not isinstance(asked, int) or isinstance(asked, bool) or asked < 0):
        raise ConfigError(f"hydra.launcher.gpus must be auto, a number, or a list such as [0,1], but got {asked!r}.")
    if asked == 0:
        return []
    visible = list_visible()
    if asked == "auto":
        return visible
    if asked > len(visible):
        raise ConfigError(
            f"hydra.launcher.gpus={asked}, but {len(visible)} can be seen: {', '.join(visible) or 'none'}. Give fewer, "
            "or look at CUDA_VISIBLE_DEVICES and nvidia-smi."
        )
    return visible[:asked]


def identify_gpus(names: Sequence[str]) -> list[str]:
    """Returns GPUs by the one name that tells each from all others, however they are named.

    It is the number; one that is cut up (MIG) is all of its parts, and a part has a name of its own. What the driver
    does not know keeps its name.

    Raises:
        ConfigError: `FITGAP_GPUS` names a file that does not describe GPUs.
    """
    return list(dict.fromkeys(_identify(names, read_gpus())))


def _identify(names: Sequence[str], known: Sequence[Gpu]) -> list[str]:
    found = [(name, find_gpu(name, known)) for name in names]
    numbers = [name if gpu is None else str(gpu.index) for name, gpu in found]
    parts = list_parts()
    return [name for number in numbers for name in parts.get(number) or [number]]


def name_gpus(names: list[Any] | tuple[Any, ...]) -> list[str]:
    """Returns the names of a list; whether there are such GPUs, the machine knows on which they are used.

    Raises:
        ConfigError: They are no names of GPUs, or one is there twice.
    """
    wrong = [name for name in names if isinstance(name, bool) or not re.fullmatch(r"\d+|(GPU|MIG)-\S+", str(name))]
    if wrong:
        raise ConfigError(
            f"hydra.launcher.gpus must list numbers or names of GPUs as nvidia-smi --list-gpus shows them, but got "
            f"{', '.join(map(repr, wrong))}."
        )
    gpus = [str(name) for name in names]
    _check_twice(gpus, gpus)
    return gpus


def _check_twice(gpus: Sequence[str], meant: Sequence[str]) -> None:
    if len(set(meant)) < len(meant):
        raise ConfigError(
            f"hydra.launcher.gpus names a GPU twice: {', '.join(gpus)}. To have jobs share one, set "
            "hydra.launcher.trials_per_gpu."
        )


def _find_named(names: list[str]) -> list[str]:
    """Returns the names, all of which the driver knows: CUDA takes one that it does not for no GPU, without a word.

    Where the driver does not answer nothing is known; of the parts of a GPU (MIG) it lists no more than the whole.
    """
    known = read_gpus()
    unknown = [name for name in names if not name.startswith("MIG-") and find_gpu(name, known) is None]
    if known and unknown:
        there = "; ".join(gpu.describe() for gpu in known)
        raise ConfigError(
            f"hydra.launcher.gpus names {', '.join(unknown)}, but there are these GPUs: {there}. Name others, or look "
            "at nvidia-smi, which says whether one is lost."
        )
    if len(names) > 1:
        _check_twice(names, _identify(names, known))
    return names
