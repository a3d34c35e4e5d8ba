"""GPUs that a process is to use and TensorFlow does not see: it would train on the processor, without a word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from src.errors import ConfigError
from src.gpus.lease import Lease
from src.gpus.made_up import find_file

#: What makes TensorFlow miss a GPU, and what to do about each.
ADVICE = (
    "Without CUDA's libraries it sees none: install them with "
    '.venv/bin/python -m pip install "tensorflow[and-cuda]==2.21.0". After an update of the driver the machine has to '
    "be started anew; and nvidia-smi says whether a GPU is lost."
)


def check_lease(lease: Lease, seen: Sequence[Any]) -> None:
    """Checks that the process which has a lease sees its GPU.

    GPUs that are made up are never seen, and a lease of one may be tried out all the same.

    Args:
        lease: The lease.
        seen: The GPUs that TensorFlow sees.

    Raises:
        ConfigError: It sees none.
    """
    if seen or find_file() is not None:
        return
    known = "" if lease.gpu is None else f", {lease.gpu.describe()}"
    raise ConfigError(
        f"This process is to train on GPU {lease.device}{known}, but TensorFlow sees no GPU there. {ADVICE} "
        f'CUDA_VISIBLE_DEVICES={lease.device} .venv/bin/python -c "import tensorflow; print(tensorflow.config.'
        "list_physical_devices('GPU'))\" prints what is in the way. hydra.launcher.gpus=0 trains on the processor."
    )
