from __future__ import annotations

import contextlib
import signal
import threading
import time

import pytest

from src.alarm import check_alarm, defer_alarm, has_rung, limit_time, silence_alarm
from src.ending import name_state
from src.errors import TrialTimeoutError

#: Short enough to wait for, and over for certain when the wait of a test ends.
SOON = 0.05


def wait(seconds: float = 30.0) -> None:
    """Waits for a signal; one that does not come fails the test."""
    signal.sigtimedwait([], seconds)
    raise AssertionError("No alarm rang.")


def test_a_block_that_takes_too_long_is_ended_with_the_key_that_allows_more() -> None:
    with (
        pytest.raises(TrialTimeoutError, match=r"longer than 0\.05 s.*hydra\.sweeper\.trial_timeout"),
        limit_time(SOON),
    ):
        wait()


def test_a_block_that_is_done_in_time_hears_nothing() -> None:
    with limit_time(30.0):
        pass
    assert not has_rung()
    check_alarm()


def test_handler_and_timer_are_afterwards_what_they_were_before() -> None:
    heard: list[int] = []
    handler = signal.signal(signal.SIGALRM, lambda number, frame: heard.append(number))
    timer = signal.setitimer(signal.ITIMER_REAL, 100.0)
    try:
        ours = signal.getsignal(signal.SIGALRM)
        with pytest.raises(TrialTimeoutError), limit_time(SOON):
            wait()
        assert signal.getsignal(signal.SIGALRM) is ours
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 0 < left <= 100.0 - SOON
        assert heard == []
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


def test_a_silenced_alarm_does_not_ring() -> None:
    with limit_time(SOON):
        silence_alarm()
        time.sleep(4 * SOON)
    assert not has_rung()


def test_an_alarm_rings_once() -> None:
    tidied = []

    def work() -> None:
        try:
            wait()
        finally:
            time.sleep(4 * SOON)
            tidied.append(True)

    with pytest.raises(TrialTimeoutError), limit_time(SOON):
        work()
    assert tidied


def test_an_alarm_that_was_swallowed_is_raised_at_the_next_look() -> None:
    def work() -> None:
        with contextlib.suppress(TrialTimeoutError):
            wait()
        check_alarm()

    with pytest.raises(TrialTimeoutError), limit_time(SOON):
        work()
    check_alarm()


def test_an_alarm_that_a_library_turned_into_an_error_of_its_own_stays_an_alarm() -> None:
    states = []

    def work() -> None:
        try:
            wait()
        except TrialTimeoutError as error:
            foreign = RuntimeError(f"UnknownError: {error}")
            states.append(name_state(foreign))
            raise foreign from None

    with pytest.raises(TrialTimeoutError), limit_time(SOON):
        work()
    assert states == ["timeout"]
    assert name_state(RuntimeError("another one, later")) == "failed"


def test_a_block_outside_of_the_main_thread_has_all_the_time() -> None:
    done = threading.Event()

    def work() -> None:
        with limit_time(0.001):
            time.sleep(0.05)
            done.set()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done.is_set()


def test_an_alarm_that_is_deferred_waits_for_the_next_look() -> None:
    looks: list[str] = []

    def work() -> None:
        defer_alarm()
        check_alarm()
        looks.append("in time")
        time.sleep(4 * SOON)
        looks.append("not disturbed")
        check_alarm()

    with pytest.raises(TrialTimeoutError), limit_time(SOON):
        work()
    assert looks == ["in time", "not disturbed"]


def test_an_alarm_that_is_deferred_for_too_long_rings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.alarm.GRACE_SECONDS", SOON)

    def work() -> None:
        defer_alarm()
        wait()

    with pytest.raises(TrialTimeoutError), limit_time(SOON):
        work()


def test_what_is_done_before_the_next_look_is_done_in_time() -> None:
    with limit_time(SOON):
        defer_alarm()
        time.sleep(4 * SOON)
    check_alarm()


def test_a_deferred_alarm_is_not_the_next_ones() -> None:
    with limit_time(30.0):
        defer_alarm()
    with pytest.raises(TrialTimeoutError), limit_time(SOON):
        wait()


def test_a_silenced_alarm_is_not_raised_at_a_look_either() -> None:
    with limit_time(SOON):
        defer_alarm()
        time.sleep(4 * SOON)
        silence_alarm()
        check_alarm()
