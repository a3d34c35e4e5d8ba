"""Which errors are explained to the person at the command line, and which are defects that keep their traceback."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import run_job
from hydra.types import HydraContext
from omegaconf import DictConfig

from src.config.composition import register_schemas
from src.config.paths import PROJECT_ROOT
from src.explanation import describe_error, exit_code

Job = Callable[[DictConfig], object]

REMEDY = "Give a folder that can be written with hydra.run.dir=… (hydra.sweep.dir=… with -m)."


@pytest.fixture
def run() -> Iterator[Callable[[Path, Job], object]]:
    """Runs a job in a folder as Hydra does, with the log file that the shipped configuration has."""
    before = HydraConfig.instance().cfg
    register_schemas()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):

        def runner(folder: Path, job: Job) -> object:
            config = compose("train", overrides=[f"hydra.run.dir='{folder}'"], return_hydra_config=True)
            context = HydraContext(config_loader=GlobalHydra.instance().config_loader(), callbacks=Callbacks())
            return run_job(job, config, "hydra.run.dir", None, context).return_value

        yield runner
    HydraConfig.instance().cfg = before


def block_parent(folder: Path) -> None:
    folder.parent.write_text("", encoding="utf-8")


def block_folder(folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_text("", encoding="utf-8")


def block_log(folder: Path) -> None:
    (folder / "train.log").mkdir(parents=True)


def block_config(folder: Path) -> None:
    (folder / ".hydra" / "config.yaml").mkdir(parents=True)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (block_parent, "Not a directory: {folder}. "),
        (block_folder, "File exists: {folder}. "),
        (block_log, "Is a directory: {folder}/train.log. "),
        (block_config, "Is a directory: {folder}/.hydra/config.yaml. "),
    ],
    ids=["a file above it", "a file in its place", "a folder for its log", "a folder for its configuration"],
)
def test_a_folder_that_hydra_cannot_make_or_fill_is_named_with_the_option_that_chooses_another(
    block: Callable[[Path], None], message: str, tmp_path: Path, run: Callable[[Path, Job], object]
) -> None:
    folder = tmp_path / "outputs" / "first"
    block(folder)
    with pytest.raises((OSError, ValueError)) as raised:
        run(folder, lambda config: None)
    assert describe_error(raised.value) == message.format(folder=folder) + REMEDY
    assert exit_code(raised.value) == 1


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EROFS, errno.EISDIR, errno.ENOTDIR])
def test_a_file_that_a_job_cannot_open_is_a_defect(
    number: int, tmp_path: Path, run: Callable[[Path, Job], object]
) -> None:
    def job(config: DictConfig) -> None:
        raise OSError(number, os.strerror(number), str(tmp_path / "artifact"))

    with pytest.raises(OSError) as raised:  # noqa: PT011 - Its number is what is raised.
        run(tmp_path, job)
    assert raised.value.errno == number
    assert describe_error(raised.value) is None


def test_a_path_that_a_job_cannot_make_is_a_defect(tmp_path: Path, run: Callable[[Path, Job], object]) -> None:
    block_parent(tmp_path / "file" / "folder")
    with pytest.raises(NotADirectoryError) as raised:
        run(tmp_path, lambda config: (tmp_path / "file" / "folder").mkdir())
    assert describe_error(raised.value) is None


@pytest.mark.parametrize(
    ("name", "place"), [(("some/file",), ": some/file"), ((), "")], ids=["on opening a file", "on writing it"]
)
def test_a_full_disk_is_explained_wherever_it_is_met(name: tuple[str, ...], place: str) -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *name)
    assert describe_error(error) == (
        f"No space left on device{place}. The disk is full: free some space, or write to another one."
    )
    assert exit_code(error) == 1


def test_a_value_error_of_a_library_is_a_defect() -> None:
    assert describe_error(ValueError("a defect")) is None
