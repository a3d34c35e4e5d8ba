"""How a trial's job ended, as plain JSON that every launcher can carry and a restarted parent can find."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.whole_file import write_whole


@dataclass(frozen=True)
class Outcome:
    """How a trial's job ended.

    Attributes:
        state: One of the states of `src.ending`.
        metrics: What it came to, by metric; empty where there is nothing.
        error: The exception that ended it, in one line.
        traceback: The same with its traceback.
        run_id: Its run in the tracking store, where the application has named one.
        seconds: Wall time of the job.
        hopeless: Whether it is known that another attempt would end in the same way.
    """

    state: str
    metrics: dict[str, float]
    error: str | None = None
    traceback: str | None = None
    run_id: str | None = None
    seconds: float = 0.0
    hopeless: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Returns it as plain values; NaN and infinity stay floats."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Outcome:
        """Rebuilds what `to_dict` returned; keys that a later version has added are left out.

        Raises:
            ValueError: The mapping does not describe an outcome.
        """
        try:
            state, metrics = data["state"], data["metrics"]
            return cls(
                state=str(state),
                metrics={str(key): float(value) for key, value in metrics.items()},
                error=data.get("error"),
                traceback=data.get("traceback"),
                run_id=data.get("run_id"),
                seconds=float(data.get("seconds", 0.0)),
                hopeless=bool(data.get("hopeless", False)),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"This is not the outcome of a trial: {data!r}.") from error

    def write(self, path: Path) -> None:
        """Writes it as JSON, whole or not at all.

        Raises:
            OSError: The file cannot be written.
        """
        write_whole(path, json.dumps(self.to_dict()).encode(), private=True)

    @classmethod
    def read(cls, path: Path) -> Outcome | None:
        """Reads what `write` has written; None where there is no such file or it is not whole."""
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None
