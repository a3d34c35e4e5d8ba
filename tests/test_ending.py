from __future__ import annotations

import subprocess
import sys

import pytest

from src import ending
from src.config.paths import PROJECT_ROOT
from src.ending import STATUSES, describe_exception, name_state
from src.errors import ConfigError, DivergedError, StorageError, TrialTimeoutError
from src.gpus.lease import VARIABLE, Lease


class ResourceExhaustedError(Exception):
    """Named like TensorFlow's."""


class OutOfMemoryError(RuntimeError):
    """Named like PyTorch's."""


class AllocationError(ResourceExhaustedError):
    """A library's own kind of it."""


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (TrialTimeoutError("too long"), "timeout"),
        (DivergedError("nan"), "diverged"),
        (MemoryError(), "oom"),
        (ResourceExhaustedError("OOM when allocating tensor"), "oom"),
        (OutOfMemoryError("CUDA out of memory"), "oom"),
        (AllocationError(), "oom"),
        (RuntimeError("failed call to cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY: out of memory"), "oom"),
        (RuntimeError("CUDNN_STATUS_ALLOC_FAILED in cudnnCreate"), "oom"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"), "oom"),
        (RuntimeError("Failed copying input tensor to GPU:0: Dst tensor is not initialized."), "oom"),
        (RuntimeError("CUDA runtime implicit initialization on GPU:0 failed. Status: out of memory"), "oom"),
        (KeyboardInterrupt(), "interrupted"),
        (ConfigError("no such optimizer"), "failed"),
        (ValueError("defect"), "failed"),
        (SystemExit(1), "failed"),
    ],
)
def test_an_exception_has_the_state_of_its_class(error: BaseException, state: str) -> None:
    assert name_state(error) == state


@pytest.mark.parametrize("sign", ["CUBLAS_STATUS_NOT_INITIALIZED", "DNN library initialization failed."])
def test_a_library_that_cannot_begin_means_want_of_memory_where_the_gpu_is_shared(
    sign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tenants, state in ((None, "failed"), (1, "failed"), (2, "oom")):
        monkeypatch.setenv(VARIABLE, "" if tenants is None else Lease("0", tenants).to_environment()[VARIABLE])
        assert name_state(RuntimeError(f"it failed: {sign}")) == state


def test_what_caused_an_exception_names_the_state_where_it_does_not_itself() -> None:
    outer = StorageError("The batch cannot be computed.")
    outer.__cause__ = RuntimeError("on the way")
    outer.__cause__.__cause__ = ResourceExhaustedError()
    assert name_state(outer) == "oom"


def test_causes_that_go_in_a_circle_have_an_end() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert name_state(one) == "failed"


def test_every_state_has_a_status_in_mlflow() -> None:
    states = {value for name, value in vars(ending).items() if name.isupper() and isinstance(value, str)}
    assert set(STATUSES) == states
    assert STATUSES == {
        "complete": "FINISHED",
        "pruned": "KILLED",
        "diverged": "FAILED",
        "failed": "FAILED",
        "oom": "FAILED",
        "timeout": "FAILED",
        "lost": "KILLED",
        "interrupted": "KILLED",
    }


def test_an_exception_is_described_in_one_line() -> None:
    assert describe_exception(ValueError("first\nsecond")) == "ValueError: first"
    assert describe_exception(MemoryError()) == "MemoryError"


def test_real_errors_of_tensorflow_and_optuna_are_known_by_name() -> None:
    code = (
        "from src.runtime import load_tensorflow; load_tensorflow()\n"
        "import optuna, tensorflow as tf\n"
        "from src.ending import name_state\n"
        "print(name_state(tf.errors.ResourceExhaustedError(None, None, 'OOM')), name_state(optuna.TrialPruned()))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert answer.stdout.split() == ["oom", "pruned"], answer.stderr
