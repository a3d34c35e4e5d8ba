"""Claims on GPUs, held and waited for by processes that may be killed."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from src.claims import CPU, Claim, ClaimBook, HeldClaim
from src.config.paths import PROJECT_ROOT

GPUS = ["0", "1", "2"]

Starter = Callable[..., "subprocess.Popen[str]"]

#: Holds a claim, says so, and waits until it is told to end; a process that it starts inherits the claim, if asked to.
HOLDER = """
import subprocess, sys
from pathlib import Path
from src.claims import Claim, ClaimBook
book = ClaimBook(Path(sys.argv[1]))
held = book.place(Claim("theirs", "/there", None))
assert book.grant(held, [], "2026-11-27T06:30:00+01:00") == []
if sys.argv[2] == "heir":
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], pass_fds=(held.descriptor,))
print("holds", flush=True)
input()
"""


@pytest.fixture
def book(tmp_path: Path) -> ClaimBook:
    return ClaimBook(tmp_path / "claims")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    """Starts processes that hold a claim, and kills those that are left."""
    processes = []

    def starter(how: str = "alone") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path / "claims"), how],
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "holds\n"
        return process

    yield starter
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


numbers = itertools.count()


def place(book: ClaimBook, *devices: str, priority: int = 0, count: int | None = None, sweep: str = "") -> HeldClaim:
    """Places a claim of a sweep of its own on some devices, or on all if none is named."""
    name = sweep or f"sweep-{next(numbers)}"
    return book.place(Claim(name, "/here", devices or None, count=count, priority=priority))


def test_another_process_has_the_gpus_and_a_message_says_who(book: ClaimBook, start: Starter) -> None:
    process = start()
    mine = place(book, "0")
    (blocking,) = book.grant(mine, GPUS, None)
    assert blocking.describe().startswith(f"theirs of /there (process {process.pid} on ")
    assert blocking.describe().endswith(", until 2026-11-27 06:30)")
    assert not mine.claim.running

    process.kill()
    process.communicate()
    assert book.grant(mine, GPUS, None) == []
    assert [claim.sweep for claim in book.read()] == [mine.claim.sweep]
    assert mine.claim.running


def test_what_inherits_a_claim_keeps_it_when_its_holder_is_killed(book: ClaimBook, start: Starter) -> None:
    process = start("heir")
    mine = place(book)
    process.kill()
    process.wait()
    assert [claim.sweep for claim in book.grant(mine, GPUS, None)] == ["theirs"]
    os.killpg(process.pid, signal.SIGKILL)
    # The heir has no parent any more that waits for its end: who has the other end of its output knows.
    assert process.stdout is not None
    assert process.stdout.read() == ""
    assert book.grant(mine, GPUS, None) == []


def test_nothing_is_left_of_claims_that_have_ended(book: ClaimBook, start: Starter) -> None:
    process = start()
    mine = place(book)
    process.kill()
    process.communicate()
    book.release(mine)
    assert book.read() == []
    assert [path.name for path in book.folder.iterdir()] == [".guard"]


def test_sweeps_on_different_gpus_run_side_by_side_and_all_gpus_are_in_everybodys_way(book: ClaimBook) -> None:
    zero, one, cpu, everything, other_cpu = (
        place(book, "0"),
        place(book, "1"),
        place(book, CPU),
        place(book),
        place(book, CPU),
    )
    assert book.grant(zero, GPUS, None) == []
    assert book.grant(one, GPUS, None) == []
    assert book.grant(cpu, GPUS, None) == []
    assert {claim.sweep for claim in book.grant(everything, GPUS, None)} == {
        held.claim.sweep for held in (zero, one, cpu)
    }
    # Who waits before it for everything goes first.
    assert {claim.sweep for claim in book.grant(other_cpu, GPUS, None)} == {cpu.claim.sweep, everything.claim.sweep}


def test_a_claim_that_is_refused_has_never_been_in_anybodys_way(
    book: ClaimBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    nightly = place(book, "0")
    assert book.grant(nightly, GPUS, None) == []
    grant, waiting = book.grant, []

    def look_from_elsewhere(held: HeldClaim, gpus: Sequence[str], until: str | None) -> list[Claim]:
        with pytest.raises(Timeout):
            FileLock(book.folder / ".guard").acquire(timeout=0)
        waiting.append(held.claim.sweep)
        return grant(held, gpus, until)

    monkeypatch.setattr(book, "grant", look_from_elsewhere)
    held, blocking = book.take(Claim("train by hand", "/here", ("0", "1"), by_hand=True), GPUS, None)
    assert (held, [claim.sweep for claim in blocking]) == (None, [nightly.claim.sweep])
    assert waiting == ["train by hand"]
    assert [claim.sweep for claim in book.read()] == [nightly.claim.sweep]

    held, blocking = book.take(Claim("train by hand", "/here", ("1",), by_hand=True), GPUS, None)
    assert held is not None
    assert (held.claim.running, blocking) == (True, [])


def test_sweeps_by_hand_share_a_gpu_and_are_in_the_way_of_scheduled_ones_and_these_in_theirs(book: ClaimBook) -> None:
    mine, other = (book.place(Claim("train by hand", "/here", ("0",), by_hand=True)) for _ in range(2))
    scheduled, elsewhere = place(book, "0"), place(book, "1")
    assert book.grant(mine, GPUS, None) == []
    assert book.grant(other, GPUS, None) == []
    assert book.grant(elsewhere, GPUS, None) == []
    assert [claim.ticket for claim in book.grant(scheduled, GPUS, None)] == [mine.claim.ticket, other.claim.ticket]
    late = book.place(Claim("train by hand", "/here", ("0", "1"), by_hand=True))
    assert {claim.sweep for claim in book.grant(late, GPUS, None)} == {scheduled.claim.sweep, elsewhere.claim.sweep}


def test_only_what_another_process_has_handed_on_is_inherited(book: ClaimBook, start: Starter) -> None:
    start()
    assert not book.has_inherited()
    mine = place(book)
    code = f"from src.claims import *; print(ClaimBook(Path({str(book.folder)!r})).has_inherited())"
    for handed, answer in [((), "False"), ((mine.descriptor,), "True")]:
        process = subprocess.run(
            [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, pass_fds=handed, check=True
        )
        assert process.stdout == f"{answer}\n"


def test_of_those_that_wait_the_highest_priority_goes_first_then_who_came_first(book: ClaimBook) -> None:
    running = place(book)
    assert book.grant(running, GPUS, None) == []
    early, late, urgent = place(book), place(book), place(book, priority=5)
    assert [claim.sweep for claim in book.read()] == [held.claim.sweep for held in (running, urgent, early, late)]
    book.release(running)
    assert [claim.sweep for claim in book.grant(late, GPUS, None)] == [urgent.claim.sweep, early.claim.sweep]
    assert [claim.sweep for claim in book.grant(early, GPUS, None)] == [urgent.claim.sweep]
    assert book.grant(urgent, GPUS, None) == []


def test_a_number_of_gpus_are_those_that_are_free(book: ClaimBook) -> None:
    one, two, another = place(book, "1"), place(book, count=2), place(book, count=1)
    assert book.grant(one, GPUS, None) == []
    assert book.grant(two, GPUS, None) == []
    assert two.claim.devices == ("0", "2")
    assert two.claim.name_devices() == "GPU 0, 2"
    assert [claim.sweep for claim in book.grant(another, GPUS, None)] == [one.claim.sweep, two.claim.sweep]
    book.release(one)
    assert book.grant(another, GPUS, None) == []
    assert another.claim.devices == ("1",)


def test_a_claim_that_cannot_be_read_is_in_everybodys_way_as_long_as_somebody_holds_it(book: ClaimBook) -> None:
    broken, mine = place(book, "0"), place(book, "1")
    os.ftruncate(broken.descriptor, 0)
    (blocking,) = book.grant(mine, GPUS, None)
    assert blocking.describe() == f"unreadable {broken.path} of ? (process {os.getpid()} on ?, since ?)"
    # The one whose file it is can go on, and mends it.
    assert book.grant(broken, GPUS, None) == []
    assert book.grant(mine, GPUS, None) == []


def test_a_claim_that_is_written_again_can_be_read_at_every_moment(
    book: ClaimBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = place(book, sweep="a long name")

    def die(descriptor: int, length: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", die)
        with pytest.raises(KeyboardInterrupt):
            held.write(replace(held.claim, sweep="short"))
    assert [claim.sweep for claim in book.read()] == ["short"]


def test_nothing_is_left_of_a_claim_that_finds_the_disk_full(book: ClaimBook, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda descriptor, content, offset: 1)
        with pytest.raises(OSError, match="No space left"):
            place(book)
    assert [path.name for path in book.folder.iterdir()] == [".guard"]


def test_a_sweep_is_in_its_own_way(book: ClaimBook) -> None:
    first, second = place(book, count=1, sweep="same"), place(book, count=1, sweep="same")
    assert book.grant(first, GPUS, None) == []
    assert [claim.sweep for claim in book.grant(second, GPUS, None)] == ["same"]
