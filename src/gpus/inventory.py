"""The inventory of the machine's GPUs: told by the driver, or made up by a file where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from src.gpus.driver import ask_driver
from src.gpus.made_up import find_file, read_file


@dataclass(frozen=True)
class GpuProcess:
    """A process that computes on a GPU.

    Attributes:
        pid: Its id.
        name: Its program.
        used_bytes: Memory that it has there; None where the driver does not say.
    """

    pid: int
    name: str
    used_bytes: int | None


@dataclass(frozen=True)
class Gpu:
    """A GPU as it is at this moment; what the driver does not say is None.

    Attributes:
        index: Its number among the machine's GPUs, by their place on the bus.
        uuid: Its name for good, `GPU-…`.
        name: Its model.
        driver: Version of the driver.
        memory_bytes: All its memory.
        used_bytes: How much of that is taken, by whomever.
        utilization: Percentage of the last moment during which it has computed.
    """

    index: int
    uuid: str
    name: str
    driver: str
    memory_bytes: int | None
    used_bytes: int | None
    utilization: float | None

    def answers_to(self, name: str) -> bool:
        """Whether `CUDA_VISIBLE_DEVICES` means this one by a name: its number, or a beginning of its UUID."""
        return name == str(self.index) or (name.startswith("GPU-") and self.uuid.startswith(name))

    def describe(self) -> str:
        """Returns it as people are told of it: `0 (NVIDIA RTX A5000, 25.8 GB, driver 550.54.14)`."""
        size = [] if self.memory_bytes is None else [f"{self.memory_bytes / 1e9:.1f} GB"]
        return f"{self.index} ({', '.join([self.name, *size, f'driver {self.driver}'])})"


_FIELDS = ("index", "uuid", "name", "driver_version", "memory.total", "memory.used", "utilization.gpu")
_PROCESS_FIELDS = ("gpu_uuid", "pid", "process_name", "used_memory")


def read_gpus() -> list[Gpu]:
    """Returns the machine's GPUs; none where there is no driver, or it does not answer.

    The driver's program is asked, not a library: it comes with every driver, and what hangs or crashes in it is not
    this process. It takes a tenth of a second, or more where nothing keeps the driver loaded.

    Raises:
        ConfigError: `FITGAP_GPUS` names a file that does not describe GPUs.
    """
    made_up = find_file()
    if made_up is not None:
        return [_make(index, entry) for index, entry in enumerate(read_file(made_up))]
    return [gpu for row in ask_driver("gpu", _FIELDS) if (gpu := _parse(row)) is not None]


def read_processes() -> dict[str, list[GpuProcess]]:
    """Returns the processes that compute on the machine's GPUs, by the UUID of the GPU; those that only draw are none.

    Raises:
        ConfigError: `FITGAP_GPUS` names a file that does not describe GPUs.
    """
    found: dict[str, list[GpuProcess]] = {}
    made_up = find_file()
    if made_up is not None:
        for index, entry in enumerate(read_file(made_up)):
            found[_make(index, entry).uuid] = [
                GpuProcess(one["pid"], one.get("name", "?"), _mebi(one.get("used_mb"))) for one in entry["processes"]
            ]
        return found
    for uuid, pid, name, used in ask_driver("compute-apps", _PROCESS_FIELDS):
        if pid.isdecimal():
            found.setdefault(uuid, []).append(GpuProcess(int(pid), name, _mebi(_number(used))))
    return found


def find_gpu(name: str, gpus: Sequence[Gpu]) -> Gpu | None:
    """Returns the GPU that `CUDA_VISIBLE_DEVICES` means by a name; None for a part of one (MIG), or an unknown one."""
    return next((gpu for gpu in gpus if gpu.answers_to(name)), None)


def _parse(row: Sequence[str]) -> Gpu | None:
    index, uuid, name, driver, total, used, utilization = row
    if not index.isdecimal():
        return None
    return Gpu(
        int(index), uuid, name, driver, _mebi(_number(total)), _mebi(_number(used)), utilization=_number(utilization)
    )


def _make(index: int, entry: dict[str, object]) -> Gpu:
    return Gpu(
        index,
        str(entry.get("uuid", f"GPU-made-up-{index}")),
        str(entry["name"]),
        str(entry.get("driver", "made up")),
        _mebi(entry.get("memory_mb")),
        _mebi(entry.get("used_mb", 0)),
        utilization=_number(str(entry.get("utilization", 0))),
    )


def _number(text: str) -> float | None:
    """Returns a number; None for what the driver writes in place of one, such as `[N/A]`."""
    try:
        return float(text)
    except ValueError:
        return None


def _mebi(value: object) -> int | None:
    """Returns bytes; the driver counts memory in 2^20 bytes, which it calls MB or MiB."""
    return int(value * 2**20) if isinstance(value, int | float) else None
