"""What a shift's search could not deliver: counted, delivered by a program of its own, and found by the doctor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from src.scheduling.finding import GOOD, MEND
from src.scheduling.remainder import count_remainder, deliver_remainder, examine_outbox
from src.tracking.journal import Journal
from src.tracking.outbox import count_pending


@pytest.fixture
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An outbox of the test's own, of all stores."""
    monkeypatch.setenv("FITGAP_OUTBOX_DIR", str(tmp_path / "outbox"))
    return tmp_path / "outbox"


def leave(outbox: Path, uri: str, *names: str) -> None:
    """Leaves journals of runs that have only begun, as dead processes do."""
    for name in names:
        folder = outbox / name
        folder.mkdir(parents=True)
        place = {"uri": uri, "experiment_id": "1", "experiment_name": "digits", "run_id": name, "run_name": name}
        records = [
            {"number": 1, "kind": "header", "time": 5, **place},
            {"number": 2, "kind": "tags", "time": 6, "values": {"a": "b"}},
        ]
        (folder / "journal.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))


def test_runs_of_the_sweeps_own_store_are_counted(outbox: Path, dead_uri: str) -> None:
    assert count_remainder(dead_uri) == 0
    leave(outbox, dead_uri, "a", "b")
    leave(outbox, "http://elsewhere:5000", "c")
    assert count_remainder(dead_uri) == 2


def test_a_run_that_goes_on_lacks_nothing_until_it_has_ended(outbox: Path, dead_uri: str) -> None:
    leave(outbox, dead_uri, "a")
    (outbox / ".removed-0123").mkdir()
    journal = Journal(outbox / "a")
    assert journal.open()
    try:
        assert (count_remainder(dead_uri), count_pending(outbox)) == (0, 0)
        journal.append("finish", status="FINISHED")
        assert (count_remainder(dead_uri), count_pending(outbox)) == (1, 1)
    finally:
        journal.close()


def test_the_doctor_says_what_is_still_to_be_delivered_and_how(outbox: Path, dead_uri: str) -> None:
    assert [finding.state for finding in examine_outbox(dead_uri)] == [GOOD]
    leave(outbox, dead_uri, "a")
    [finding] = examine_outbox(dead_uri)
    assert finding.state == MEND
    command = f"python -m src.deliver --outbox {outbox}"
    assert finding.told == f"1 run is not in the tracking store in full. Deliver: {command}"


def test_a_store_that_stays_away_keeps_what_is_left_and_the_log_says_why(
    outbox: Path, dead_uri: str, tmp_path: Path
) -> None:
    leave(outbox, dead_uri, "a")
    log = tmp_path / "night.log"
    assert deliver_remainder(dead_uri, log) == 1
    assert "PENDING" in log.read_text()
    assert (outbox / "a" / "journal.jsonl").exists()


def test_a_password_is_not_among_the_arguments_that_every_user_can_read(
    outbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = "postgresql+psycopg2://fitgap:s3cret@127.0.0.1:1/mlflow"
    begun: list[tuple[str, str]] = []

    def run(command: list[str], *, env: dict[str, str], **_: object) -> None:
        begun.append((" ".join(command), env["MLFLOW_TRACKING_URI"]))

    monkeypatch.setattr("src.scheduling.remainder.subprocess.run", run)
    deliver_remainder(uri, tmp_path / "night.log")
    [(command, told)] = begun
    assert told == uri
    assert "s3cret" not in command


def test_nothing_is_started_for_a_file_that_has_everything(outbox: Path, tmp_path: Path) -> None:
    log = tmp_path / "night.log"
    assert deliver_remainder(f"sqlite:///{tmp_path / 'mlflow.db'}", log) == 0
    assert not log.exists()
