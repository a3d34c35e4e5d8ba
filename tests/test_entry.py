"""How a command ends: its exit code, its message, and what it leaves in the environment."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from src.config.paths import PROJECT_ROOT
from src.config.run import RunConfig
from src.entry import run_command
from src.errors import ConfigError, DataError, DivergedError, FitgapError, TrackingError

Compose = Callable[..., RunConfig]


@pytest.fixture(autouse=True)
def _plain_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes away the variable, so that a developer who has set it tests what users see."""
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)


def raising(error: BaseException) -> Callable[[], object]:
    """Returns a command that raises an error."""

    def command() -> object:
        raise error

    return command


def exit_code_of(command: Callable[[], object]) -> object:
    """Runs a command and returns its exit code."""
    with pytest.raises(SystemExit) as end:
        run_command(command)
    return end.value.code


def test_a_command_that_returns_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(lambda: "some result") == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigError, 2), (FitgapError, 1), (DataError, 1), (TrackingError, 1), (DivergedError, 1)]
)
def test_an_error_on_purpose_is_a_message_and_its_own_exit_code(
    error: type[FitgapError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(raising(error("The cat is not a dog."))) == code
    assert capsys.readouterr() == ("", "Error: The cat is not a dog.\n")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.drpout=0.5", "Unknown key 'model.drpout'. Did you mean 'dropout'?"),
        ("model=vgg61", "Unknown option model=vgg61."),
        ("trainer.epochs=many", "trainer.epochs cannot be set."),
        ("model=null", "A group cannot be set to nothing"),
        ("model.dropout=2", "model.dropout must be at least 0 and below 1"),
    ],
)
def test_a_wrong_configuration_is_explained_and_ends_with_two(
    override: str, message: str, compose_run: Compose, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(lambda: compose_run(override)) == 2
    spoken = capsys.readouterr().err
    assert spoken.startswith(f"Error: {message}")
    assert "Traceback" not in spoken


def test_an_interruption_ends_as_shells_report_it_and_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(raising(KeyboardInterrupt())) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_full_disk_is_explained_and_no_traceback_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(raising(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))) == 1
    assert capsys.readouterr().err.startswith("Error: No space left on device. The disk is full: free some space")


DEFECTS = [
    RuntimeError("a defect"),
    ValueError("a defect"),
    KeyError("a defect"),
    OSError(errno.EIO, "a defect", "some/file"),
    FileNotFoundError(errno.ENOENT, "a defect", "some/artifact"),
    PermissionError(errno.EACCES, "a defect", "some/artifact"),
    ConnectionResetError("a defect"),
]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: type(defect).__name__)
def test_a_defect_keeps_its_traceback(defect: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(type(defect)) as raised:
        run_command(raising(defect))
    assert raised.value is defect
    assert capsys.readouterr().err == ""


def test_a_traceback_is_kept_for_those_who_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ConfigError):
        run_command(raising(ConfigError("The cat is not a dog.")))


@pytest.mark.parametrize("wish", ["", "0"])
def test_those_who_ask_for_no_traceback_get_none(wish: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", wish)
    assert exit_code_of(raising(ConfigError("The cat is not a dog."))) == 2


@pytest.mark.parametrize("wish", [None, "0", "1"])
@pytest.mark.parametrize("error", [None, ConfigError("wrong"), KeyboardInterrupt(), RuntimeError("a defect")])
def test_hydra_lets_errors_through_during_the_command_and_is_as_before_afterwards(
    wish: str | None, error: BaseException | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wish is not None:
        monkeypatch.setenv("HYDRA_FULL_ERROR", wish)
    seen = []

    def command() -> None:
        seen.append(os.environ.get("HYDRA_FULL_ERROR"))
        if error is not None:
            raise error

    with pytest.raises(BaseException):  # noqa: B017, PT011 - How it ends is the other tests' matter.
        run_command(command)
    assert seen == ["1"]
    assert os.environ.get("HYDRA_FULL_ERROR", "0") == (wish or "0")


def run_python(code: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Runs code in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


#: Prints its temporary folder, leaves a thread and things to do at its end, and ends as it is told.
PROGRAM = """
import atexit, sys, tempfile, threading, time
from src.entry import run_program
from src.errors import ConfigError

class Kept:
    def __del__(self):
        print("the interpreter was taken apart")

kept = Kept()
gate = threading.Event()
folder = tempfile.TemporaryDirectory()

def command():
    atexit.register(lambda: print("at exit"))
    threading.Thread(target=lambda: (gate.wait(), print("thread done"))).start()
    threading._register_atexit(gate.set)
    print(folder.name)
    {end}

run_program(command)
"""


@pytest.mark.parametrize(
    ("end", "code"),
    [("pass", 0), ("sys.exit(3)", 3), ("raise KeyboardInterrupt", 130), ("raise ConfigError('No.')", 2)],
)
def test_a_program_ends_with_all_that_was_to_be_done_at_its_end(end: str, code: int) -> None:
    answer = run_python(PROGRAM.format(end=end))
    folder, *rest = answer.stdout.splitlines()
    assert rest == ["thread done", "at exit"]
    assert answer.returncode == code
    assert not Path(folder).exists()


def test_a_program_ends_without_taking_the_interpreter_apart() -> None:
    assert "taken apart" not in run_python(PROGRAM.format(end="pass")).stdout


def test_a_defect_of_a_program_shows_where_it_is() -> None:
    answer = run_python(PROGRAM.format(end="gate.set(); 1 / 0"))
    assert answer.returncode == 1
    assert "ZeroDivisionError" in answer.stderr.splitlines()[-1]


def test_a_program_whose_output_nobody_takes_says_so_as_python_does() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    answer = run_python(PROGRAM.format(end="pass"), stdout=writer)
    os.close(writer)
    assert "BrokenPipeError" in answer.stderr
    assert answer.returncode == 120
