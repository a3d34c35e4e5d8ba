"""Leases: what a trial's process may use of a GPU."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from src.gpus.inventory import read_gpus
from src.gpus.lease import VARIABLE, Lease, leave_context


@pytest.mark.parametrize(("share", "limit"), [(12 * 10**9, 11 * 10**9), (2 * 10**9, 10**9), (10**9, 5 * 10**8), (7, 3)])
def test_a_share_leaves_room_for_what_cuda_needs_itself(share: int, limit: int) -> None:
    assert leave_context(share) == limit


def test_a_process_finds_its_lease_in_its_environment(
    make_gpus: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_gpus({"driver": "550.54.14"})
    monkeypatch.delenv(VARIABLE, raising=False)
    assert Lease.current() is None
    for lease in (Lease("0", 2, 11 * 10**9, read_gpus()[0]), Lease("MIG-5a")):
        for name, value in lease.to_environment().items():
            monkeypatch.setenv(name, value)
        assert Lease.current() == lease


def test_the_number_of_a_lease_is_that_of_the_driver() -> None:
    assert Lease("1").to_environment()["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_a_lease_says_how_much_it_is_and_how_much_has_to_be_free(make_gpus: Callable[..., None]) -> None:
    make_gpus({"memory_mb": 10**10 / 2**20})
    (gpu,) = read_gpus()
    shared = Lease("0", 2, 4 * 10**9, gpu)
    assert (shared.shared, shared.describe_share(), shared.needed_bytes) == (True, "1/2, at most 4.0 GB", 4 * 10**9)
    growing = Lease("0", 4, None, gpu)
    assert (growing.describe_share(), growing.needed_bytes) == ("1/4", 1_500_000_000)
    whole = shared.alone()
    assert (whole.shared, whole.limit_bytes, whole.describe_share()) == (False, None, "all")
    assert whole.needed_bytes == 9 * 10**9
    assert Lease("0", 2).needed_bytes is None
