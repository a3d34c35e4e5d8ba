from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from src.errors import ConfigError
from src.gpus import visible
from src.gpus.visible import parse_listing
from src.workers.gpus import find_gpus, identify_gpus

LISTING = """\
GPU 0: NVIDIA H200 (UUID: GPU-5a1e8b0c-1f2d-4c3b-9a8e-000000000000)
GPU 1: NVIDIA H200 (UUID: GPU-5a1e8b0c-1f2d-4c3b-9a8e-111111111111)
"""

DIVIDED = """\
GPU 0: NVIDIA A100 (UUID: GPU-5a1e8b0c-1f2d-4c3b-9a8e-000000000000)
  MIG 3g.20gb     Device  0: (UUID: MIG-7c0b1f1a-0000-5e0f-8a3d-000000000000)
  MIG 3g.20gb     Device  1: (UUID: MIG-7c0b1f1a-0000-5e0f-8a3d-111111111111)
GPU 1: NVIDIA A100 (UUID: GPU-5a1e8b0c-1f2d-4c3b-9a8e-111111111111)
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with the programs in a folder, whose kernel shows the GPUs in another."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(visible, "_PROC", tmp_path / "proc")
    return tmp_path


def put_program(machine: Path, script: str) -> None:
    program = machine / "bin" / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


def test_the_variable_says_which_gpus_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, names in (
        ("2,5", ["2", "5"]),
        (" 2, GPU-ab ", ["2", "GPU-ab"]),
        ("", []),
        ("-1", []),
        ("3,-1,4", ["3"]),
    ):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        assert find_gpus("auto") == names


def test_a_number_takes_the_first_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5,7")
    assert find_gpus(2) == ["2", "5"]
    assert find_gpus(0) == []


def test_more_gpus_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    with pytest.raises(ConfigError, match=r"hydra\.launcher\.gpus=3, but 2 can be seen: 2, 5\. Give fewer"):
        find_gpus(3)


def test_a_list_is_taken_as_it_is() -> None:
    assert find_gpus([3, "5", "GPU-5a1e8b0c-1f2d"]) == ["3", "5", "GPU-5a1e8b0c-1f2d"]


def test_a_name_that_the_driver_does_not_know_is_refused_where_it_answers(make_gpus: Callable[..., None]) -> None:
    make_gpus({"uuid": "GPU-aa11"}, {})
    assert find_gpus([1, "GPU-aa", "MIG-7c0b"]) == ["1", "GPU-aa", "MIG-7c0b"]
    with pytest.raises(ConfigError, match=r"gpus names 7, GPU-b, but there are these GPUs: 0 \(Some GPU, .*; 1 \(Some"):
        find_gpus([7, 1, "GPU-b"])
    make_gpus()
    assert find_gpus([7]) == ["7"]


def test_a_gpu_that_is_named_in_two_ways_is_named_twice(make_gpus: Callable[..., None]) -> None:
    make_gpus({"uuid": "GPU-aa11"}, {"uuid": "GPU-bb22"})
    assert find_gpus([0, "GPU-bb"]) == ["0", "GPU-bb"]
    with pytest.raises(ConfigError, match="names a GPU twice: 1, GPU-bb"):
        find_gpus([1, "GPU-bb"])


def test_each_gpu_has_one_name_by_which_it_is_told_from_others(machine: Path) -> None:
    parts = [f"MIG-7c0b1f1a-0000-5e0f-8a3d-{digit * 12}" for digit in "01"]
    whole = "GPU-5a1e8b0c-1f2d-4c3b-9a8e-111111111111"
    row = f"1, {whole}, NVIDIA A100, 550.54.14, 40960, 600, 0"
    put_program(machine, f"case $1 in --list-gpus) printf %s '{DIVIDED}';; *) echo '{row}';; esac")
    assert identify_gpus([whole, "0"]) == ["1", *parts]
    assert identify_gpus(["1", "GPU-5a1e8b0c-1f2d-4c3b-9a8e-1111", parts[1], "7"]) == ["1", parts[1], "7"]


def test_several_gpus_are_refused_where_cuda_counts_them_otherwise_than_the_driver(
    make_gpus: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    make_gpus({})
    assert find_gpus("auto") == ["0"]
    make_gpus({}, {})
    assert find_gpus(0) == []
    for asked in ("auto", 1, [1]):
        with pytest.raises(ConfigError, match=r"CUDA_DEVICE_ORDER=FASTEST_FIRST .*\. Unset it, or set CUDA_DEVICE_ORD"):
            find_gpus(asked)


def test_a_gpu_that_is_named_twice_is_refused_with_the_setting_that_is_meant() -> None:
    with pytest.raises(ConfigError, match=r"twice: 1, 0, 1\. To have jobs share one, set hydra\.launcher\.trials"):
        find_gpus([1, 0, 1])


def test_the_driver_is_asked(machine: Path) -> None:
    put_program(machine, f"printf %s '{LISTING}'")
    assert find_gpus("auto") == ["0", "1"]


def test_a_gpu_that_is_divided_is_used_by_its_parts() -> None:
    parts = [f"MIG-7c0b1f1a-0000-5e0f-8a3d-{digit * 12}" for digit in "01"]
    assert parse_listing(DIVIDED) == [*parts, "1"]


def test_a_driver_that_does_not_answer_is_no_gpu(machine: Path) -> None:
    put_program(machine, "echo 'NVIDIA-SMI has failed'; exit 9")
    assert find_gpus("auto") == []


def test_the_kernel_is_asked_where_there_is_no_program(machine: Path) -> None:
    assert find_gpus("auto") == []
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (machine / "proc" / name).mkdir(parents=True)
    assert find_gpus("auto") == ["0", "1"]
