"""The section on GPU boxes says what there is."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from hydra_plugins.fitgap_launcher.fitgap_launcher import FitgapLauncherConf
from src.config.paths import PROJECT_ROOT
from src.config.schedule import ScheduleConfig
from src.gpus.inventory import read_gpus, read_processes
from src.scheduling import shift
from src.scheduling.timers import _SECRETS, _VARIABLES

PAGE = (PROJECT_ROOT / "docs" / "gpu-box.md").read_text(encoding="utf-8")


def read_table(heading: str) -> list[str]:
    """Returns what stands in the first column of a table."""
    rows = PAGE.split(f"| {heading} |")[1].split("\n\n")[0].splitlines()[2:]
    return [row.split("|")[1].strip().strip("`") for row in rows]


def test_every_key_of_the_block_is_explained_with_its_default() -> None:
    assert sorted(read_table("key")) == sorted(field.name for field in dataclasses.fields(ScheduleConfig))
    for field in dataclasses.fields(ScheduleConfig):
        if field.default is not None:
            row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{field.name}` |"))
            assert row.endswith(f"| `{field.default}` |")


def test_the_settings_of_a_shared_gpu_are_explained_with_the_launchers_defaults() -> None:
    for key in read_table("setting"):
        default = FitgapLauncherConf.__dataclass_fields__[key].default
        row = next(line for line in PAGE.split("| setting |")[1].splitlines() if line.startswith(f"| `{key}` |"))
        assert row.endswith(f"| `{default}` |")


def test_the_gpus_that_the_page_makes_up_can_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    (tmp_path / "gpus.json").write_text(example[1], encoding="utf-8")
    monkeypatch.setenv("FITGAP_GPUS", str(tmp_path / "gpus.json"))
    assert [gpu.used_bytes for gpu in read_gpus()] == [0, 9000 * 2**20]
    assert [len(processes) for processes in read_processes().values()] == [0, 1]


def test_the_example_is_the_shipped_file() -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    shipped = (PROJECT_ROOT / "sweeps" / "nightly.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(example[1]) == yaml.safe_load(shipped)


def test_every_state_of_a_shift_and_every_variable_that_a_unit_gets_is_named() -> None:
    states = {value for name, value in vars(shift).items() if name.isupper() and isinstance(value, str)}
    assert set(read_table("state")) == states - {shift.RUNNING}
    assert all(f"`{name}`" in PAGE for name in (*_VARIABLES, *_SECRETS))
