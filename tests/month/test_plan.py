"""What is drawn for a month, and the clock that its nights are lived by."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from src.config.paths import PROJECT_ROOT
from src.scheduling.cron import Cron
from tests.month.corruption import corrupt_checkpoints
from tests.month.plan import BERLIN, CHANGES, Fault, plan_month

SHIFTED = Path(__file__).parent / "shifted"


def test_a_seed_draws_the_same_month_again_and_another_one_another() -> None:
    assert plan_month(7, 30) == plan_month(7, 30)
    assert plan_month(7, 30) != plan_month(8, 30)


@pytest.mark.parametrize("seed", range(20))
def test_in_a_month_everything_goes_wrong_once_at_least(seed: int) -> None:
    nights = plan_month(seed, 30)
    assert {night.fault for night in nights} == set(Fault)
    assert [night.number for night in nights] == list(range(30))


@pytest.mark.parametrize("seed", range(20))
def test_each_timer_comes_on_a_night_of_its_own_and_the_clock_is_changed_in_the_middle(seed: int) -> None:
    nights = plan_month(seed, 30)
    # Whose night it is: that of the last half past ten.
    evenings = [Cron("30 22 * * *").last_time(night.rounds[0][0].moment) for night in nights]
    assert all(evening is not None for evening in evenings)
    assert [evening.date() - evenings[0].date() for evening in evenings] == [timedelta(days=n) for n in range(30)]
    (changed,) = [night for night in nights if night.fault == Fault.CLOCK_CHANGED]
    assert changed.number == 15
    before, after = (starts[0].moment for starts in changed.rounds)
    assert changed.end in CHANGES.values()
    assert before.astimezone(UTC) < changed.end < after.astimezone(UTC)
    assert evenings[15].utcoffset() != evenings[16].utcoffset()


def test_faults_can_be_chosen() -> None:
    nights = plan_month(1, 3, [Fault.CLOCK_CHANGED, Fault.TWO_FILES, Fault.POWER_CUT])
    assert [night.fault for night in nights] == [Fault.CLOCK_CHANGED, Fault.TWO_FILES, Fault.POWER_CUT]
    assert [start.sweep for start in nights[1].rounds[0]] == ["home", "away"]


def test_the_clock_of_a_process_and_of_those_that_it_starts_is_moved_across_a_change_of_the_hour() -> None:
    moment = datetime(2026, 10, 25, 2, 10, tzinfo=BERLIN, fold=1)
    code = (
        "import subprocess, sys; from src.clock import local_now; print(local_now().isoformat(), flush=True); "
        "subprocess.run([sys.executable, '-c', 'from src import clock; print(clock.local_now().isoformat())'])"
    )
    environment = {
        **os.environ,
        "TZ": "Europe/Berlin",
        "PYTHONPATH": os.pathsep.join([str(SHIFTED), str(PROJECT_ROOT)]),
        "MONTH_OFFSET_SECONDS": str((moment - datetime.now(UTC)).total_seconds()),
    }
    answer = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd="/", capture_output=True, text=True, timeout=60, check=True
    )
    first, second = map(datetime.fromisoformat, answer.stdout.split())
    assert moment.astimezone(UTC) <= first <= second <= moment.astimezone(UTC) + timedelta(minutes=1)
    assert first.utcoffset() == timedelta(hours=1)


def test_checkpoints_are_corrupted_and_nothing_else(tmp_path: Path) -> None:
    names = ("0/checkpoint.keras", "1/deep/checkpoint-3", "1/outcome.json")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"abcd")
    assert corrupt_checkpoints(tmp_path) == [tmp_path / name for name in names[:2]]
    assert [(tmp_path / name).read_bytes() for name in names] == [b"\x9e\x9d", b"\x9e\x9d", b"abcd"]
