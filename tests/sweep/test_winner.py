"""The winner's file is run as it is: Hydra composes it to the trial's own configuration, with the same schemas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from src.config.composition import register_schemas, to_run_config
from src.config.paths import PROJECT_ROOT
from src.errors import StorageError
from src.sweep.winner import winner_command, write_winner

OVERRIDES = (
    "model=vgg16",
    "optimizer=sgd",
    "augmentation=affine",
    "optimizer.momentum=0.9",
    "optimizer.learning_rate=0.00012345678901234567",
    "model.dropout=0.1",
    "model.dense_units=[16,8]",
    "dataset.num_train=40",
    "+tracking.tags.owner='me: #1'",
)
PLACE = ("tracking.parent_run_id=abc", "tracking.experiment_id='7'", "tracking.arm=a", "tracking.trial_number=3")


def compose_trial(*overrides: str) -> DictConfig:
    """Composes the configuration of a trial, with `hydra`, as a sweep does."""
    register_schemas()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        return compose("train", overrides=list(overrides), return_hydra_config=True)


def compose_winner(folder: Path, *overrides: str) -> DictConfig:
    """Composes the winner's file, with the project's folder of configurations beside it."""
    where = f"hydra.searchpath=[file://{PROJECT_ROOT / 'conf'}]"
    with initialize_config_dir(str(folder), version_base="1.3"):
        return compose("winner", overrides=[where, *overrides])


def write(folder: Path, *overrides: str) -> Path:
    """Writes the file for a trial with these overrides."""
    facts = {"sweep": "digits/mine", "trial": "3, with dropout=0.1"}
    return write_winner(compose_trial(*overrides), extends="train", facts=facts, path=folder / "winner.yaml")


def test_the_file_composes_to_the_trials_configuration(tmp_path: Path) -> None:
    write(tmp_path, *OVERRIDES)
    assert to_run_config(compose_winner(tmp_path)) == to_run_config(_without_hydra(compose_trial(*OVERRIDES)))


def test_what_only_a_job_knows_is_left_to_the_winners_own_job(tmp_path: Path) -> None:
    text = write(tmp_path, "+tracking.tags.folder='${hydra:runtime.output_dir}/x'").read_text(encoding="utf-8")
    assert "folder: ${hydra:runtime.output_dir}/x" in text


def test_the_place_in_the_sweep_is_left_out(tmp_path: Path) -> None:
    text = write(tmp_path, *OVERRIDES, *PLACE, "tracking.run_name=mine").read_text(encoding="utf-8")
    assert to_run_config(compose_winner(tmp_path)) == to_run_config(_without_hydra(compose_trial(*OVERRIDES)))
    assert "parent_run_id" not in text
    assert "run_name" not in text


def test_the_sweeps_own_file_is_not_chosen_again(tmp_path: Path) -> None:
    text = write(tmp_path, "sweeps=quick", "model.dropout=0.25").read_text(encoding="utf-8")
    assert "sweep: digits/mine" in text
    assert "override sweeps" not in text
    assert "n_trials" not in text
    assert compose_winner(tmp_path).trainer == compose_trial("sweeps=quick").trainer


def test_schemas_and_overrides_of_values_work_as_in_any_configuration(tmp_path: Path) -> None:
    write(tmp_path, *OVERRIDES)
    config = compose_winner(tmp_path, "model.dropout=0.3")
    assert (config.model.dropout, config.model.name) == (0.3, "vgg16")
    with pytest.raises(Exception, match="dropuot"):
        compose_winner(tmp_path, "model.dropuot=0.3")
    with pytest.raises(Exception, match=r"model\.dropout=much"):
        compose_winner(tmp_path, "model.dropout=much")


def test_the_head_says_what_it_is_and_how_it_is_run(tmp_path: Path) -> None:
    head = [line for line in write(tmp_path, "seed=3").read_text(encoding="utf-8").splitlines() if line[:1] == "#"]
    assert head[:2] == ["# sweep: digits/mine", "# trial: 3, with dropout=0.1"]
    assert "--config-dir FOLDER --config-name winner" in head[2]


def test_the_command_quotes_a_folder_with_spaces() -> None:
    assert "--config-dir '/some where' --config-name winner" in winner_command(Path("/some where"))


def test_the_command_line_runs_it(tmp_path: Path) -> None:
    write(tmp_path, *OVERRIDES)
    command = [sys.executable, "-m", "src.train", "--config-dir", str(tmp_path), "--config-name", "winner"]
    answer = subprocess.run(
        [*command, "--cfg", "job"], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.stderr == ""
    shown = OmegaConf.create(answer.stdout)
    trial = _without_hydra(compose_trial(*OVERRIDES))
    OmegaConf.resolve(trial)
    assert shown == OmegaConf.create(OmegaConf.to_container(trial))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match=r"file/winner\.yaml"):
        write(tmp_path / "file")


def _without_hydra(config: DictConfig) -> DictConfig:
    config = OmegaConf.create(config)
    OmegaConf.set_struct(config, False)
    config.pop("hydra")
    return config
