"""Where the project lives."""

from __future__ import annotations

from pathlib import Path

#: The checkout: the folder that holds `conf/`, `src/` and `mlruns/`.
PROJECT_ROOT = Path(__file__).resolve().parents[2]
