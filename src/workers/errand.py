"""What worker processes are sent: once what all jobs of a launcher have in common, and functions to call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cloudpickle
from hydra.core.singleton import Singleton
from hydra.core.utils import setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from src.errors import ConfigError


@dataclass(frozen=True)
class Errand:
    """What a worker process is sent once.

    Attributes:
        context: Hydra's context.
        task_function: What each job calls.
        config: The configuration of the multirun.
        singletons: Hydra's global state; OmegaConf's resolvers are part of it.
    """

    context: HydraContext
    task_function: TaskFunction
    config: DictConfig
    singletons: Any

    def install(self) -> None:
        """Makes this process's globals those of the process that packed them."""
        setup_globals()
        Singleton.set_state(self.singletons)


def pack_errand(context: HydraContext, task_function: TaskFunction, config: DictConfig) -> bytes:
    """Returns the errand as bytes; what is defined in `__main__` is sent whole, since no worker imports that.

    Raises:
        ConfigError: Something in it cannot be sent.
    """
    try:
        return bytes(cloudpickle.dumps(Errand(context, task_function, config, Singleton.get_state())))
    except Exception as error:
        raise ConfigError(
            f"The application cannot be sent to worker processes: {type(error).__name__}: {error}. What its task "
            "function uses of its own module must be possible to pickle, which locks, open files and database "
            "connections are not: make them within the function, or run the jobs in this process with "
            "hydra/launcher=basic."
        ) from error


def unpack_errand(data: bytes) -> Errand:
    """Returns the errand."""
    errand = cloudpickle.loads(data)
    assert isinstance(errand, Errand)
    return errand


def pack_call(function: Callable[..., Any], arguments: Sequence[Any]) -> bytes:
    """Returns a function and its arguments as bytes."""
    return bytes(cloudpickle.dumps((function, tuple(arguments))))


def unpack_call(data: bytes) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Returns a function and its arguments."""
    function, arguments = cloudpickle.loads(data)
    return function, arguments
