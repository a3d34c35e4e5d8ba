from __future__ import annotations

import json
import math
import stat
from pathlib import Path

import pytest

from src.study.outcome import Outcome

WHOLE = Outcome("failed", {"val_loss": 0.5}, "ValueError: no", "Traceback …", "abc", 12.5)


def test_an_outcome_survives_json() -> None:
    assert Outcome.from_dict(json.loads(json.dumps(WHOLE.to_dict()))) == WHOLE


def test_an_outcome_survives_a_file(tmp_path: Path) -> None:
    path = tmp_path / "outcome.json"
    WHOLE.write(path)
    assert Outcome.read(path) == WHOLE


def test_values_that_are_no_numbers_survive_a_file(tmp_path: Path) -> None:
    path = tmp_path / "outcome.json"
    Outcome("diverged", {"loss": math.nan, "val_loss": math.inf, "gap": -math.inf}).write(path)
    outcome = Outcome.read(path)
    assert outcome is not None
    assert math.isnan(outcome.metrics["loss"])
    assert (outcome.metrics["val_loss"], outcome.metrics["gap"]) == (math.inf, -math.inf)


@pytest.mark.parametrize("text", ["", '{"state": "comp', "[]", "{}", '{"state": "complete", "metrics": {"a": "b"}}'])
def test_a_file_that_is_not_whole_is_no_outcome(text: str, tmp_path: Path) -> None:
    path = tmp_path / "outcome.json"
    path.write_text(text, encoding="utf-8")
    assert Outcome.read(path) is None


def test_a_file_that_is_not_there_is_no_outcome(tmp_path: Path) -> None:
    assert Outcome.read(tmp_path / "outcome.json") is None


def test_an_outcome_replaces_an_earlier_one_and_leaves_nothing_else_behind(tmp_path: Path) -> None:
    path = tmp_path / "outcome.json"
    Outcome("lost", {}).write(path)
    WHOLE.write(path)
    assert Outcome.read(path) == WHOLE
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_outcome_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "outcome.json"
    folder.mkdir()
    with pytest.raises(OSError, match="directory"):
        WHOLE.write(folder)
    assert list(tmp_path.iterdir()) == [folder]
