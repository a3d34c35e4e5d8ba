"""Ctrl-C during a search: once ends it after the running trials, twice at once."""

from __future__ import annotations

import os
import signal

import pytest

from src.sweep.signals import Interruption


def test_signals_are_counted_within_the_block_and_raise_again_after_it() -> None:
    interruption = Interruption()
    with interruption.listen(inline=False):
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.requests == 1
        assert not interruption.at_once
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.at_once
    with pytest.raises(KeyboardInterrupt):
        interruption.pass_on()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_sigterm_asks_for_an_end_at_once() -> None:
    interruption = Interruption()
    with interruption.listen(inline=False):
        os.kill(os.getpid(), signal.SIGTERM)
    assert interruption.at_once


def test_a_trial_in_this_thread_is_ended_by_an_exception_at_the_second_request() -> None:
    interruption = Interruption()
    with interruption.listen(inline=True):
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_once_trials_have_ended_a_signal_ends_only_what_gives_way() -> None:
    interruption = Interruption()
    with interruption.listen(inline=True):
        interruption.settle()
        assert not interruption.impatient
        with pytest.raises(KeyboardInterrupt), interruption.giving_way():
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.impatient
        # And so it does with what would begin after it.
        with pytest.raises(KeyboardInterrupt), interruption.giving_way():
            raise AssertionError("This is never begun.")


def test_a_signal_that_has_ended_the_trials_lets_the_rest_take_its_time() -> None:
    interruption = Interruption()
    with interruption.listen(inline=False):
        os.kill(os.getpid(), signal.SIGTERM)
        interruption.settle()
        with interruption.giving_way():
            pass
    assert not interruption.impatient


def test_without_a_signal_nothing_is_passed_on() -> None:
    interruption = Interruption()
    with interruption.listen(inline=False):
        pass
    interruption.pass_on()
