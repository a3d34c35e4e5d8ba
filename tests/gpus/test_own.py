"""What a run remembers of its GPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from src.gpus import own
from src.gpus.inventory import read_gpus
from src.gpus.lease import Lease
from src.gpus.own import describe_own, read_own

MakeGpus = Callable[..., None]


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("FITGAP_LEASE", raising=False)
    own._read_once.cache_clear()
    yield
    own._read_once.cache_clear()


def test_the_gpus_of_a_process_are_those_that_it_may_use_in_its_own_order(
    make_gpus: MakeGpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_gpus({}, {"name": "Another GPU"}, {})
    assert [gpu.index for gpu in read_own()] == [0, 1, 2]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,MIG-1,1")
    assert [gpu.index for gpu in read_own()] == [2, 1]
    assert describe_own() == {
        "fitgap.gpu_index": "2, 1",
        "fitgap.gpu_name": "Some GPU, Another GPU",
        "fitgap.gpu_driver": "made up",
        "fitgap.gpu_memory": "25.8 GB, 25.8 GB",
    }


def test_a_number_says_nothing_of_a_gpu_where_cuda_counts_otherwise_than_the_driver(
    make_gpus: MakeGpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_gpus({}, {"uuid": "GPU-bb22"})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,GPU-bb22")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    assert [gpu.index for gpu in read_own()] == [1]
    make_gpus({})
    assert [gpu.index for gpu in read_own()] == [0]


def test_a_trial_knows_its_gpu_by_its_lease(make_gpus: MakeGpus, monkeypatch: pytest.MonkeyPatch) -> None:
    make_gpus({}, {"driver": "550.54.14"})
    lease = Lease("1", 2, 11 * 10**9, read_gpus()[1])
    # Nobody is asked again.
    make_gpus()
    for name, value in lease.to_environment().items():
        monkeypatch.setenv(name, value)
    assert describe_own() == {
        "fitgap.gpu_index": "1",
        "fitgap.gpu_name": "Some GPU",
        "fitgap.gpu_driver": "550.54.14",
        "fitgap.gpu_memory": "25.8 GB",
        "fitgap.gpu_share": "1/2, at most 11.0 GB",
    }
    for name, value in Lease("MIG-1").to_environment().items():
        monkeypatch.setenv(name, value)
    assert describe_own() == {"fitgap.gpu_index": "MIG-1", "fitgap.gpu_share": "all"}


def test_a_process_without_a_gpu_has_nothing_to_remember(make_gpus: MakeGpus, monkeypatch: pytest.MonkeyPatch) -> None:
    make_gpus({})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert describe_own() == {}
