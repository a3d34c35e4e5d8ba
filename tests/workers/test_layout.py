from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from src.errors import ConfigError
from src.gpus.visible import parse_listing
from src.workers.gpus import find_gpus
from src.workers.layout import plan_layout

CORES = len(os.sched_getaffinity(0))


@pytest.fixture(autouse=True)
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2,GPU-5a,7")
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.delenv(name, raising=False)


def get_gpus(**settings: Any) -> list[str | None]:
    return [environment.get("CUDA_VISIBLE_DEVICES") for environment in plan_layout(**settings).environments]


def test_there_is_a_slot_for_each_gpu_that_the_user_lets_us_see() -> None:
    assert get_gpus() == ["0", "2", "GPU-5a", "7"]
    assert get_gpus(gpus=2) == ["0", "2"]
    assert get_gpus(gpus=[3, "MIG-1"]) == ["3", "MIG-1"]
    assert get_gpus(n_jobs=3) == ["0", "2", "GPU-5a"]


def test_gpus_get_a_second_job_when_all_have_one() -> None:
    assert get_gpus(gpus=[3, 5], trials_per_gpu=2) == ["3", "5", "3", "5"]
    assert get_gpus(gpus=[3, 5], trials_per_gpu=2, n_jobs=3) == ["3", "5", "3"]


@pytest.mark.parametrize("value", ["", "-1", "-1,0"])
def test_there_is_one_slot_where_no_gpu_can_be_seen(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert get_gpus() == [None]
    assert get_gpus(n_jobs=2) == [None, None]


def test_who_wants_no_gpu_gets_none() -> None:
    assert get_gpus(gpus=0) == ["-1"]
    assert get_gpus(gpus=[], n_jobs=2) == ["-1", "-1"]


def test_processes_are_reused_where_there_is_no_gpu() -> None:
    assert not plan_layout().reuse
    assert plan_layout(gpus=0).reuse
    assert plan_layout(reuse=True).reuse
    assert not plan_layout(gpus=0, reuse=False).reuse


def test_slots_share_the_cores() -> None:
    assert plan_layout(gpus=0).environments == ({"CUDA_VISIBLE_DEVICES": "-1"},)
    assert plan_layout(gpus=0, threads=3).environments[0]["OMP_NUM_THREADS"] == "3"
    environment = plan_layout(gpus=0, n_jobs=2).environments[1]
    assert environment["TF_NUM_INTEROP_THREADS"] == str(max(1, CORES // 2))
    assert plan_layout(gpus=0, n_jobs=CORES + 1).environments[0]["TF_NUM_INTRAOP_THREADS"] == "1"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_jobs": 0}, "hydra.launcher.n_jobs must be auto or a number of at least 1, but got 0."),
        ({"n_jobs": "many"}, "hydra.launcher.n_jobs must be auto or a number of at least 1, but got 'many'."),
        ({"n_jobs": 9}, "set hydra.launcher.trials_per_gpu=3, or hydra.launcher.n_jobs=4."),
        ({"trials_per_gpu": "auto"}, "hydra.launcher.trials_per_gpu must be a number of at least 1, but got 'auto'."),
        ({"trials_per_gpu": True}, "hydra.launcher.trials_per_gpu must be a number of at least 1, but got True."),
        ({"gpu_memory": "half"}, "hydra.launcher.gpu_memory must be share or grow, but got 'half'."),
        ({"threads": 1.5}, "hydra.launcher.threads must be auto or a number of at least 1, but got 1.5."),
        ({"gpus": 5}, "hydra.launcher.gpus=5, but 4 can be seen: 0, 2, GPU-5a, 7."),
        ({"gpus": -1}, "hydra.launcher.gpus must be auto, a number, or a list such as [0,1], but got -1."),
        ({"gpus": "0,1"}, "hydra.launcher.gpus must be auto, a number, or a list such as [0,1], but got '0,1'."),
        ({"gpus": [0, -1]}, "hydra.launcher.gpus must list numbers or names of GPUs"),
        ({"gpus": [0, "0"]}, "hydra.launcher.gpus names a GPU twice: 0, 0."),
        ({"reuse": "yes"}, "hydra.launcher.reuse must be auto, true or false, but got 'yes'."),
        ({"memory_limit_gb": 0}, "hydra.launcher.memory_limit_gb must be greater than 0 and finite, but got 0."),
        ({"memory_limit_gb": "much"}, "hydra.launcher.memory_limit_gb must be a number or null, but got 'much'."),
        ({"preload": ["json", "import os"]}, "hydra.launcher.preload must list modules"),
    ],
)
def test_a_setting_that_is_not_allowed_is_refused_by_its_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_layout(**settings)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("n_jobs", value) for value in (-1, 1.5, True, None, [1])),
        *(("trials_per_gpu", value) for value in (0, None, False)),
        *(("gpu_memory", value) for value in ("half", None, 0.5, True)),
        *(("threads", value) for value in (0, 2.0, "all", None)),
        *(("reuse", value) for value in (1, 0, None)),
        *(("capture", value) for value in (1, "auto", None)),
        *(("memory_limit_gb", value) for value in (-1.0, float("nan"), float("inf"), "2", True)),
        *(("preload", value) for value in ("numpy", None, 3, [3], [""], ["numpy,os"], ["numpy:"], ["os.:x"], ["3d"])),
        *(("gpus", value) for value in (1.0, True, "all", None, [True], ["x"], [None])),
    ],
)
def test_no_other_kind_of_value_gets_through(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^hydra\.launcher\.{key} must "):
        plan_layout(**{key: value})


def test_gpus_that_are_cut_up_are_used_by_their_parts() -> None:
    listing = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aa)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bb)
  MIG 3g.20gb     Device  0: (UUID: MIG-cc)
  MIG 3g.20gb     Device  1: (UUID: MIG-dd)
GPU 2: NVIDIA A100-SXM4-40GB (UUID: GPU-ee)
"""
    assert parse_listing(listing) == ["0", "MIG-cc", "MIG-dd", "2"]


def test_gpus_that_are_listed_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert find_gpus([3, 5]) == ["3", "5"]
    assert find_gpus("auto") == []


def get_limits(**settings: Any) -> list[int | None]:
    return [None if lease is None else lease.limit_bytes for lease in plan_layout(**settings).leases]


def test_slots_that_share_a_gpu_are_limited_to_their_share_of_its_memory(make_gpus: Callable[..., None]) -> None:
    make_gpus({"memory_mb": 24000}, {"memory_mb": 48000})
    mebibyte = 2**20
    half = 12000 * mebibyte - 10**9
    assert get_limits(trials_per_gpu=2) == [half, 24000 * mebibyte - 10**9] * 2
    assert get_limits(trials_per_gpu=2, n_jobs=3) == [half, None, half]
    layout = plan_layout(gpus=[1], trials_per_gpu=4)
    assert {lease.describe_share() for lease in layout.leases if lease} == {"1/4, at most 11.6 GB"}
    assert '"limit_bytes": 11582912000' in layout.environments[3]["FITGAP_LEASE"]


def test_memory_grows_where_a_gpu_is_not_shared_or_its_size_is_not_known_or_the_user_wants_it(
    make_gpus: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    make_gpus({}, {})
    assert get_limits() == [None, None]
    assert get_limits(trials_per_gpu=2, gpu_memory="grow") == [None] * 4
    assert get_limits(gpus=["MIG-1"]) == [None]
    assert caplog.messages == []
    assert get_limits(gpus=["MIG-1", 0], trials_per_gpu=2)[::2] == [None, None]
    (told,) = caplog.messages
    assert told.startswith("The driver does not say how much memory GPU MIG-1 has. The trials that share it have no")
    assert get_limits(gpus=0, n_jobs=2) == [None, None]
    assert plan_layout(gpus=0, n_jobs=2).leases == (None, None)
