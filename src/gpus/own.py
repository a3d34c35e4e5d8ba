"""The GPUs of this process: which of the machine's they are, and what a run has to remember of them, as tags."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from src.errors import ConfigError
from src.gpus.inventory import Gpu, find_gpu, read_gpus
from src.gpus.lease import Lease
from src.gpus.order import is_by_bus
from src.gpus.visible import list_visible


def read_own(names: Sequence[str] | None = None) -> list[Gpu]:
    """Returns the GPUs that this process may use, as they are at this moment, in the order in which it counts them.

    Args:
        names: Their names, as `list_visible` returns them, for who asks more than once.

    Raises:
        ConfigError: `FITGAP_GPUS` names a file that does not describe GPUs.
    """
    visible = list_visible() if names is None else names
    if not visible:
        return []
    known = read_gpus()
    if len(known) > 1 and not is_by_bus():
        # Which of them CUDA's first is, nobody says.
        visible = [name for name in visible if not name.isdecimal()]
    return [gpu for name in visible if (gpu := find_gpu(name, known)) is not None]


def describe_own() -> dict[str, str]:
    """Returns numbers, names, memory and driver of this process's GPUs, and its share; nothing where it has none.

    A trial has been told all that with its lease; any other process asks the driver, once.
    """
    lease = Lease.current()
    if lease is None:
        return _describe(_read_once())
    known = () if lease.gpu is None else (lease.gpu,)
    return {"fitgap.gpu_index": lease.device, **_describe(known), "fitgap.gpu_share": lease.describe_share()}


@functools.cache
def _read_once() -> tuple[Gpu, ...]:
    try:
        return tuple(read_own())
    except ConfigError:
        # Of GPUs that are made up; whoever has to know them says it.
        return ()


def _describe(gpus: tuple[Gpu, ...]) -> dict[str, str]:
    if not gpus:
        return {}
    sizes = [f"{gpu.memory_bytes / 1e9:.1f} GB" for gpu in gpus if gpu.memory_bytes is not None]
    return {
        "fitgap.gpu_index": ", ".join(str(gpu.index) for gpu in gpus),
        "fitgap.gpu_name": ", ".join(gpu.name for gpu in gpus),
        "fitgap.gpu_driver": gpus[0].driver,
        **({"fitgap.gpu_memory": ", ".join(sizes)} if sizes else {}),
    }
