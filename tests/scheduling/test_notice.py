"""The notice of how a shift ended, to a real program and a real server."""

from __future__ import annotations

import json
import socket
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from src.config.schedule import ScheduleConfig
from src.scheduling.notice import send_notice
from src.scheduling.shift import Shift

SHIFT = Shift(
    sweep="nightly",
    started="2026-11-26T22:30:00.000000+01:00",
    state="complete",
    ended="2026-11-27T00:37:00.000000+01:00",
    study="digits/nightly",
    begun_with=16,
    n_trials=16,
    counted=32,
    failed=1,
    objective="best_val_accuracy",
    best=0.9871,
    change=0.0125,
    compared_to="2026-11-25 22:30",
    parent_run_id="671298799e0a",
)
SUMMARY = (
    "nightly: complete, 16 of 16 trials in 2:07 h, 1 failed, "
    "best_val_accuracy 0.9871 (+0.0125 against 2026-11-25 22:30)"
)


@dataclass
class Receiver:
    """A server that keeps what it is sent, and answers with the codes it is given, the last of them for good."""

    url: str = ""
    codes: list[int] = field(default_factory=lambda: [200])
    received: list[Any] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.received.append((self.headers["Content-Type"], json.loads(body)))
            self.send_response(state.codes.pop(0) if len(state.codes) > 1 else state.codes[0])
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}/secret"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield state
        server.shutdown()
        thread.join()


def test_an_address_is_told_by_post(receiver: Receiver) -> None:
    assert send_notice(ScheduleConfig(webhook=receiver.url), SHIFT) == []
    ((content_type, content),) = receiver.received
    assert content_type == "application/json"
    assert (content["text"], content["trouble"], content["best"]) == (SUMMARY, False, 0.9871)
    assert (content["sweep"], content["state"], content["parent_run_id"]) == ("nightly", "complete", "671298799e0a")


def test_a_server_that_fails_is_asked_again(receiver: Receiver) -> None:
    receiver.codes = [503, 429, 200]
    assert send_notice(ScheduleConfig(webhook=receiver.url), SHIFT, pauses=(0, 0)) == []
    assert len(receiver.received) == 3


def test_a_server_that_keeps_failing_or_refuses_is_named_without_its_secret(receiver: Receiver) -> None:
    receiver.codes = [503]
    (problem,) = send_notice(ScheduleConfig(webhook=receiver.url), SHIFT, pauses=(0, 0))
    assert problem == "schedule.webhook at 127.0.0.1 was not told: it answers 503 Service Unavailable."
    assert len(receiver.received) == 3
    receiver.codes = [404]
    send_notice(ScheduleConfig(webhook=receiver.url), SHIFT, pauses=(0, 0))
    assert len(receiver.received) == 4


def test_a_server_that_is_not_there_harms_nothing(dead_uri: str) -> None:
    (problem,) = send_notice(ScheduleConfig(webhook=dead_uri), SHIFT, pauses=(0,))
    assert "Connection refused" in problem


def test_an_answer_that_is_none_and_an_address_that_is_none_harm_nothing_and_are_not_quoted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer_nonsense, args=(server,))
        thread.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/secret"
        (problem,) = send_notice(ScheduleConfig(webhook=address), SHIFT, pauses=())
        thread.join()
    assert problem == "schedule.webhook at 127.0.0.1 was not told: BadStatusLine."
    (problem,) = send_notice(ScheduleConfig(webhook="http://127.0.0.1/a secret"), SHIFT, pauses=())
    assert problem == "schedule.webhook at 127.0.0.1 was not told: InvalidURL."


def _answer_nonsense(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(100_000)
        connection.sendall(b"nonsense\r\n\r\n")


def test_a_program_is_told_by_its_input_and_its_environment(tmp_path: Path) -> None:
    program = write_program(
        tmp_path, f'cat > "{tmp_path}/input"; env > "{tmp_path}/env"; echo "$1" > "{tmp_path}/argument"'
    )
    assert send_notice(ScheduleConfig(command=f"'{program}' 'a b'"), SHIFT) == []
    assert json.loads((tmp_path / "input").read_text())["text"] == SUMMARY
    environment = dict(line.partition("=")[::2] for line in (tmp_path / "env").read_text().splitlines())
    assert {key: environment[f"FITGAP_{key}"] for key in ("SWEEP", "STATE", "TROUBLE", "BEST", "SUMMARY")} == {
        "SWEEP": "nightly",
        "STATE": "complete",
        "TROUBLE": "0",
        "BEST": "0.9871",
        "SUMMARY": SUMMARY,
    }
    assert (tmp_path / "argument").read_text() == "a b\n"


def test_a_reason_with_a_zero_in_it_is_told_too(tmp_path: Path) -> None:
    program = write_program(tmp_path, f'echo "$FITGAP_SUMMARY" > "{tmp_path}/summary"')
    assert send_notice(ScheduleConfig(command=f"'{program}'"), replace(SHIFT, reason="It said \0.")) == []
    assert (tmp_path / "summary").read_text().endswith(". It said .\n")


def test_a_program_that_fails_or_is_not_there_harms_nothing(tmp_path: Path) -> None:
    program = write_program(tmp_path, "echo no mail >&2; exit 4")
    assert send_notice(ScheduleConfig(command=f"'{program}'"), SHIFT) == ["schedule.command ended with 4: no mail."]
    (problem,) = send_notice(ScheduleConfig(command="/not/there"), SHIFT)
    assert problem.startswith("schedule.command could not be run: [Errno 2]")


@pytest.mark.parametrize(
    ("state", "best", "trouble"),
    [
        ("complete", 0.9, False),
        ("timeout", 0.9, False),
        ("timeout", None, True),
        ("interrupted", 0.9, False),
        ("failed", 0.9, True),
        ("missed", None, True),
        ("lost", 0.9, True),
        ("skipped", None, False),
    ],
)
def test_what_did_not_start_failed_or_ended_with_nothing_is_trouble(
    state: str, best: float | None, trouble: bool
) -> None:
    assert Shift(sweep="x", started=SHIFT.started, state=state, best=best).is_trouble is trouble


def write_program(folder: Path, script: str) -> Path:
    path = folder / "my program"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
