"""The inventory of GPUs, asked of a driver's program that is made up, and of a file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from src.errors import ConfigError
from src.gpus import driver
from src.gpus.inventory import GpuProcess, find_gpu, read_gpus, read_processes
from src.gpus.visible import list_visible

MakeGpus = Callable[..., None]

#: What nvidia-smi prints of two GPUs, the second of which does not tell how busy it is.
GPUS = """\
0, GPU-aa11, NVIDIA RTX A5000, 550.54.14, 24564, 9000, 87
1, GPU-bb22, NVIDIA A100-SXM4-40GB, 550.54.14, 40960, 600, [N/A]
"""
PROCESSES = """\
GPU-aa11, 4711, /usr/bin/python3, 8600
GPU-aa11, 4712, [Not Found], [N/A]
"""


@pytest.fixture
def put_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a program in the place of nvidia-smi, and takes every other away."""
    for name in ("FITGAP_GPUS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    def put(script: str) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)

    return put


def test_the_driver_tells_of_each_gpu_what_it_can(put_program: Callable[[str], None]) -> None:
    put_program(f"case $1 in --query-gpu=*) printf '{GPUS}';; *) printf '{PROCESSES}';; esac")
    first, second = read_gpus()
    assert (first.index, first.uuid, first.name, first.driver) == (0, "GPU-aa11", "NVIDIA RTX A5000", "550.54.14")
    assert (first.memory_bytes, first.used_bytes, first.utilization) == (24564 * 2**20, 9000 * 2**20, 87.0)
    assert (second.index, second.utilization) == (1, None)
    assert first.describe() == "0 (NVIDIA RTX A5000, 25.8 GB, driver 550.54.14)"
    assert read_processes() == {
        "GPU-aa11": [GpuProcess(4711, "/usr/bin/python3", 8600 * 2**20), GpuProcess(4712, "[Not Found]", None)]
    }


@pytest.mark.parametrize("script", ["echo 'No devices were found'", "echo 'failed, because, of, a, b, c, d'", "exit 9"])
def test_a_driver_that_does_not_answer_has_no_gpus(script: str, put_program: Callable[[str], None]) -> None:
    assert read_gpus() == []
    put_program(script)
    assert read_gpus() == []
    assert read_processes() == {}


def test_a_gpu_that_is_lost_takes_no_other_with_it(put_program: Callable[[str], None]) -> None:
    row, lost = GPUS.splitlines()[0], "Unable to determine the device handle for GPU 0000:41:00.0: GPU is lost."
    listing = "case $1 in --list-gpus) echo 'GPU 0: NVIDIA RTX A5000';;"
    put_program(f"{listing} *) echo '{row}';; esac; echo '{lost}'; exit 15")
    assert [gpu.uuid for gpu in read_gpus()] == ["GPU-aa11"]
    assert list_visible() == ["0"]


def test_a_driver_that_hangs_and_cannot_be_killed_is_left_alone_and_not_asked_again_for_a_while(
    put_program: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_program("exec /bin/sleep 600")
    kill = subprocess.Popen.kill
    killed: list[subprocess.Popen[str]] = []
    monkeypatch.setattr(subprocess.Popen, "kill", lambda process: killed.append(process))
    monkeypatch.setattr(driver, "_silent_until", 0.0)
    monkeypatch.setattr(driver, "_DYING_SECONDS", 0.01)
    monkeypatch.setattr(driver, "_SECONDS", 1)
    assert read_gpus() == []
    assert read_gpus() == []
    (process,) = killed
    kill(process)
    process.wait()
    put_program(f"echo '{GPUS.splitlines()[0]}'")
    assert read_gpus() == []
    monkeypatch.setattr(driver, "_silent_until", 0.0)
    assert len(read_gpus()) == 1


def test_a_gpu_answers_to_its_number_and_to_the_beginning_of_its_name(make_gpus: MakeGpus) -> None:
    make_gpus({"uuid": "GPU-aa11"}, {"uuid": "GPU-bb22"})
    gpus = read_gpus()
    assert [find_gpu(name, gpus) for name in ("1", "GPU-aa", "GPU-aa11")] == [gpus[1], gpus[0], gpus[0]]
    assert [find_gpu(name, gpus) for name in ("2", "GPU-c", "MIG-aa11", "bb22")] == [None] * 4


def test_a_file_makes_up_gpus_and_is_read_anew_each_time(make_gpus: MakeGpus) -> None:
    make_gpus({"used_mb": 9000, "utilization": 50, "processes": [{"pid": 4711, "name": "python", "used_mb": 8600}]}, {})
    first, second = read_gpus()
    assert (first.memory_bytes, first.used_bytes, first.utilization) == (24576 * 2**20, 9000 * 2**20, 50.0)
    assert (second.index, second.used_bytes) == (1, 0)
    assert read_processes()[first.uuid] == [GpuProcess(4711, "python", 8600 * 2**20)]
    assert list_visible() == ["0", "1"]
    make_gpus({})
    assert list_visible() == ["0"]


def test_the_file_is_found_again_from_another_folder(
    make_gpus: MakeGpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_gpus({}, {})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FITGAP_GPUS", "gpus.json")
    assert len(read_gpus()) == 2
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(read_gpus()) == 2


def test_cuda_is_told_which_of_the_gpus_that_are_made_up_may_be_used(
    make_gpus: MakeGpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_gpus({}, {})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert list_visible() == ["1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read: "),
        ("{}", "must hold a list, but holds dict"),
        ("[{}]", "must list GPUs with at least a name, but has {}"),
        ('[{"name": "a", "memory": 3}]', "says 'memory' of a GPU, which is none of name, uuid, "),
        ('[{"name": "a", "memory_mb": "much"}]', "says memory_mb='much' of a GPU, which is of the wrong kind"),
        ('[{"name": "a", "processes": [{"name": "b"}]}]', "must list processes with at least a pid, but has {'name'"),
    ],
)
def test_a_file_that_makes_up_something_else_is_refused(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("FITGAP_GPUS", str(path))
    with pytest.raises(ConfigError) as caught:
        read_gpus()
    assert f"FITGAP_GPUS names {path}, which {message}" in str(caught.value)
    path.unlink()
    with pytest.raises(ConfigError, match=f"cannot be read: .*{os.strerror(2)}"):
        read_gpus()
