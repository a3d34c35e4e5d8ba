"""A lease: which GPU a trial's process has, and which share of its memory. It ends with the process."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass, replace
from typing import Any

from src.gpus import order
from src.gpus.inventory import Gpu

#: Environment variable of a process that holds its lease.
VARIABLE = "FITGAP_LEASE"

#: What a slot has on a GPU besides what TensorFlow hands out: CUDA's context and kernels, cuDNN's and cuBLAS's own, and
#: the context of the process that waits there for the next trial.
_CONTEXT_BYTES = 10**9


@dataclass(frozen=True)
class Lease:
    """What a process may use of a GPU.

    Attributes:
        device: The GPU, as `CUDA_VISIBLE_DEVICES` names it.
        tenants: Processes that share it; each has an equal share.
        limit_bytes: Memory that TensorFlow takes at once and never exceeds; None has it take memory as it needs it.
        gpu: What is known of the GPU; None where the driver does not tell.
    """

    device: str
    tenants: int = 1
    limit_bytes: int | None = None
    gpu: Gpu | None = None

    @property
    def shared(self) -> bool:
        """Whether other processes have a share as well."""
        return self.tenants > 1

    @property
    def needed_bytes(self) -> int | None:
        """Memory that has to be free when the process begins; None where the GPU's size is not known."""
        if self.gpu is None or self.gpu.memory_bytes is None:
            return None
        return self.limit_bytes or leave_context(self.gpu.memory_bytes // self.tenants)

    def alone(self) -> Lease:
        """Returns the lease of the whole GPU."""
        return replace(self, tenants=1, limit_bytes=None)

    def describe_share(self) -> str:
        """Returns how much of the GPU it is, in words: `1/2, at most 11.9 GB`."""
        if not self.shared:
            return "all"
        most = "" if self.limit_bytes is None else f", at most {self.limit_bytes / 1e9:.1f} GB"
        return f"1/{self.tenants}{most}"

    def to_environment(self) -> dict[str, str]:
        """Returns the variables of the process that has it."""
        return {
            "CUDA_VISIBLE_DEVICES": self.device,
            order.VARIABLE: order.BY_BUS,
            VARIABLE: json.dumps(dataclasses.asdict(self)),
        }

    @classmethod
    def current(cls) -> Lease | None:
        """Returns the lease of this process; None where it has none, and may use what it sees."""
        text = os.environ.get(VARIABLE)
        if not text:
            return None
        data: dict[str, Any] = json.loads(text)
        gpu = data.pop("gpu")
        return cls(**data, gpu=None if gpu is None else Gpu(**gpu))


def leave_context(share_bytes: int) -> int:
    """Returns what TensorFlow may hand out of a share of a GPU's memory: all but a gigabyte, but at least half."""
    return max(share_bytes - _CONTEXT_BYTES, share_bytes // 2)
