"""The order in which CUDA counts the machine's GPUs: by their place on the bus, as nvidia-smi does.

Left to itself CUDA begins to count at the fastest. On a machine whose GPUs are not alike number 1 would be another one
to it than to nvidia-smi, to claims and to leases.
"""

from __future__ import annotations

import os

#: CUDA's variable, read when a process first uses it.
VARIABLE = "CUDA_DEVICE_ORDER"
BY_BUS = "PCI_BUS_ID"


def count_by_bus() -> None:
    """Has CUDA count as nvidia-smi does, in this process and those that it starts, unless the user has it otherwise."""
    os.environ.setdefault(VARIABLE, BY_BUS)


def is_by_bus() -> bool:
    """Whether a number means the same GPU to CUDA as to nvidia-smi, where nothing but the user has said otherwise."""
    return os.environ.get(VARIABLE, BY_BUS) == BY_BUS
