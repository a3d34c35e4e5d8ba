"""Where a launching calls a function, and how it waits."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.utils import JobReturn

from src.errors import ConfigError
from src.sweep.launching import Launching


class Workers:
    """Answers each call with what it was, once it is asked to."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.answers: list[tuple[Future[Any], Any]] = []

    def call(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        answer = Future[Any]()
        self.answers.append((answer, (function, arguments)))
        return answer


def launch(overrides: Sequence[str], number: int) -> JobReturn:
    raise AssertionError("Nothing is launched here.")


def make_launching(workers: Workers | None) -> Launching:
    return Launching(launch, slots=1, inline=False, remark=None, launcher=SimpleNamespace(workers=workers))


def fail() -> None:
    raise ConfigError("The cat is not a dog.")


def test_a_function_is_called_where_jobs_run_and_not_waited_for() -> None:
    workers = Workers()
    answer = make_launching(workers).call(os.getenv, "HOME")
    assert not answer.done()
    ((given, asked),) = workers.answers
    given.set_result("/home/cat")
    assert asked == (os.getenv, ("HOME",))
    assert answer.result() == "/home/cat"


def test_without_processes_of_our_own_a_function_is_called_here() -> None:
    assert make_launching(None).call(os.getpid).result() == os.getpid()


def test_what_it_raises_here_is_raised_where_its_result_is_asked_for() -> None:
    answer = make_launching(None).call(fail)
    with pytest.raises(ConfigError, match="not a dog"):
        answer.result()


def test_who_waits_for_the_first_job_is_let_go_when_it_has_begun() -> None:
    workers = Workers()
    waiting = threading.Thread(target=make_launching(workers).await_begin)
    waiting.start()
    assert waiting.is_alive()
    workers.begun.set()
    waiting.join(60)
    assert not waiting.is_alive()


def test_of_jobs_that_others_start_no_begin_is_waited_for() -> None:
    make_launching(None).await_begin()
