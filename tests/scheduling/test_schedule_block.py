"""The `schedule` block of a sweep's file: checked by the scheduler, and nothing to a sweep that is started by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from src.application import TrainingApplication
from src.config.composition import drop_schedule, register_schemas
from src.config.paths import PROJECT_ROOT
from src.config.run import RunConfig
from src.errors import ConfigError
from src.scheduling.sweep_file import list_names, load_sweep
from src.sweep.winner import write_winner


def test_the_shipped_block_is_sound() -> None:
    assert list_names() == ["nightly"]
    sweep = load_sweep("nightly")
    assert (sweep.name, sweep.study, sweep.n_trials) == ("nightly", "digits/nightly", 16)
    assert (sweep.when.text, sweep.schedule.until, sweep.schedule.study) == ("30 22 * * 1-5", "06:30", "grow")
    assert (sweep.schedule.unfinished, sweep.schedule.if_running, sweep.schedule.gpus) == ("continue", "wait", "auto")
    assert sweep.schedule.webhook is None
    assert sweep.storage == f"sqlite:///{PROJECT_ROOT / 'mlruns' / 'optuna.db'}"


def test_a_run_knows_nothing_of_the_block(compose_run: Callable[..., RunConfig]) -> None:
    nightly, quick = compose_run("sweeps=nightly"), compose_run("sweeps=quick")
    assert nightly == quick
    assert type(nightly) is RunConfig


def test_what_the_block_wants_from_the_environment_is_not_needed_by_hand(compose_run: Callable[..., RunConfig]) -> None:
    assert compose_run("sweeps=nightly", r"schedule.command='${oc.env:NOT_THERE}'").dataset.name == "digits"


def test_the_block_decides_nothing_of_how_a_run_goes_and_is_no_part_of_the_winner(tmp_path: Path) -> None:
    register_schemas()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        config = compose("train", overrides=["sweeps=nightly"], return_hydra_config=True)
        settings = TrainingApplication().check(config).settings
        path = write_winner(config, extends="train", facts={}, path=tmp_path / "winner.yaml")
    assert not [key for key in settings if key.startswith("schedule")]
    assert OmegaConf.load(path).schedule is None


def test_another_applications_key_of_this_name_stays() -> None:
    config = OmegaConf.create({"schedule": {"warmup": 3}})
    assert drop_schedule(config) is config


GRID = ["hydra.sweeper.params={model.dropout:[0,0.5],optimizer.learning_rate:0.001,augmentation.strength:0}"]

WRONG = {
    "an unknown key": (["+schedule.wen=1"], "Unknown key 'schedule.wen'. Did you mean 'when'?"),
    "no time to start": (["schedule.when=null"], "schedule.when has no default and must be given"),
    "an hour that there is not": (["schedule.when='0 25 * * *'"], "is no cron expression: '0 25 * * *' (Bad hour)"),
    "a date that never comes": (["schedule.when='0 0 31 2 *'"], "is no cron expression: '0 0 31 2 *'"),
    "a field that no crontab takes": (["schedule.when='0 0 L * *'"], "Not a field that cron knows"),
    "an end that is no clock time": (["schedule.until=630"], "schedule.until must be a clock time, such as '06:30'"),
    "a time without its unit": (
        ["schedule.until=null", "schedule.time_limit=8"],
        "schedule.time_limit must be a time with its unit, such as 8h, 90min or 1h30min, but got '8'.",
    ),
    "two ends": (["schedule.time_limit=8h"], "schedule.until and schedule.time_limit both say when it ends."),
    "an unknown choice": (
        ["schedule.if_running=queue"],
        "schedule.if_running must be one of wait, skip, but got 'queue'.",
    ),
    "a priority out of bounds": (["schedule.priority=5000"], "schedule.priority must be at least -1000 and at most"),
    "less than no GPU": (["schedule.gpus=-1"], "schedule.gpus must be auto, a number, or a list such as [0,1]"),
    "a word for GPUs": (["schedule.gpus=all"], "schedule.gpus must be auto, a number, or a list"),
    "a GPU twice": (["schedule.gpus=[0,0]"], "schedule.gpus names a GPU twice: 0, 0"),
    "more jobs than the listed GPUs have room for": (
        ["hydra.sweeper.n_jobs=4", "schedule.gpus=[7]"],
        "4 jobs at a time do not fit on 1 GPUs with 1 on each: set hydra.launcher.trials_per_gpu=4",
    ),
    "more jobs than so many GPUs have room for": (
        ["hydra.launcher.n_jobs=5", "hydra.launcher.trials_per_gpu=2", "schedule.gpus=2"],
        "5 jobs at a time do not fit on 2 GPUs with 2 on each: set hydra.launcher.trials_per_gpu=3",
    ),
    "a number of trials on a GPU that is none": (
        ["hydra.launcher.trials_per_gpu=0"],
        "hydra.launcher.trials_per_gpu must be a number of at least 1, but got 0",
    ),
    "GPUs for a launcher that gives none": (
        ["hydra/launcher=joblib", "schedule.gpus=[0,2]"],
        "schedule.gpus=[0,2] cannot be handed on: hydra/launcher=joblib does not say which GPUs a trial gets.",
    ),
    "no GPU for a launcher that takes what it sees": (
        ["hydra/launcher=submitit_local", "schedule.gpus=0"],
        "schedule.gpus=0 cannot be handed on: hydra/launcher=submitit_local does not say",
    ),
    "an address without a scheme": (["schedule.webhook=example.org/x"], "schedule.webhook must be an address that"),
    "a command with an open quote": (["schedule.command='mail \"me'"], "schedule.command cannot be divided into words"),
    "a time in total for a study that grows": (
        ["hydra.sweeper.timeout=60"],
        "schedule.study=grow and hydra.sweeper.timeout do not go together",
    ),
    "a sweep that searches nothing": (
        ["hydra.sweeper.params={model.dropout:0.5,optimizer.learning_rate:0.1,augmentation.strength:0}"],
        "It compares nothing. Give a key an interval or a list",
    ),
    "a grid that is to grow": (GRID, "schedule.study=grow and a grid do not go together"),
}


@pytest.mark.parametrize(("overrides", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_in_the_block_is_told(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_sweep("nightly", overrides)
    assert str(refused.value).startswith("sweeps/nightly.yaml cannot be scheduled:\n")
    assert message in str(refused.value)


def test_jobs_that_have_room_on_the_gpus_can_be_scheduled() -> None:
    for jobs, gpus in ((4, "[7,8]"), (4, "2"), (4, "0"), (9, "auto")):
        layout = [f"hydra.sweeper.n_jobs={jobs}", "hydra.launcher.trials_per_gpu=2"]
        assert load_sweep("nightly", [*layout, f"schedule.gpus={gpus}"]).layout is not None


@pytest.mark.parametrize(
    ("overrides", "n_trials"),
    [(GRID, 1), ([*GRID, "optimizer=adam,sgd"], 1), ([*GRID, "optimizer.learning_rate=interval(0.001,0.1)"], 16)],
    ids=["a grid", "arms on the command line", "a search on the command line"],
)
def test_each_cell_of_a_grid_is_one_trial(overrides: list[str], n_trials: int) -> None:
    assert load_sweep("nightly", ["schedule.study=new", *overrides]).n_trials == n_trials


def test_a_sweep_without_a_block_or_without_a_file_cannot_be_scheduled() -> None:
    with pytest.raises(ConfigError, match="It has no schedule block"):
        load_sweep("quick")
    with pytest.raises(ConfigError, match=r"There is no sweeps/nightlie\.yaml\. There are: nightly, quick, "):
        load_sweep("nightlie")


def test_the_webhooks_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITGAP_WEBHOOK", "https://example.org/secret")
    assert load_sweep("nightly").schedule.webhook == "https://example.org/secret"


def test_lists_of_arms_are_left_to_the_search() -> None:
    assert load_sweep("nightly", ["optimizer=adam,sgd", "hydra.sweeper.n_trials=3"]).n_trials == 3
