"""A dry run shows a search and composes its first points; it leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from src.config.paths import PROJECT_ROOT
from src.errors import ConfigError

with warnings.catch_warnings():
    # MLflow's own models use what SQLAlchemy is about to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    from src.sweep.preview import check_first_points, preview_search
    from tests.sweep.searches import make_search, read_console


def test_a_preview_shows_arms_distributions_budget_and_first_points(tmp_path: Path) -> None:
    search = make_search(
        tmp_path,
        "optimizer=adam,sgd",
        warm_start=["defaults", {"model.dropout": 0.25}],
        timeout=7200.0,
        seeds=[0, 1, 2],
        constraints=["final_gap_accuracy <= 0.1"],
        sampler_kwargs={"seed": 5},
    )
    preview_search(search, count=2)
    printed = read_console(search)
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for line in (
        "dry run of digits/mine",
        "question Which dropout is it?",
        "arms optimizer=adam; optimizer=sgd",
        "sampler random (seed=5)",
        "slots 2",
        "model.dropout 0 to 0.7 - 0.0",
        "optimizer.learning_rate 0.0001 to 0.01, log - 0.0005",
        "first points of optimizer=adam",
        "warm start 0 0.0005",
    ):
        assert line in lines
    assert "4 trials for each of 2 arms, 8 in all; no trial started after 2:00 h" in printed
    assert "maximize best_val_accuracy" in printed
    assert "final_gap_accuracy <= 0.1" in printed
    assert sum(line.startswith("sampled") for line in lines) == 4
    assert sum(line.startswith("warm start 0.25") for line in lines) == 2


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"n_trials": 10}, "successive_halving (min_resource=8, reduction_factor=4)"),
        ({"n_trials": 9}, "median (n_warmup_steps=8)"),
        ({"objective": ["best_val_accuracy", "final_gap_accuracy"], "direction": ["maximize", "minimize"]}, "none"),
    ],
)
def test_a_preview_names_the_pruner_of_a_search_that_names_none(
    tmp_path: Path, settings: dict[str, Any], shown: str
) -> None:
    search = make_search(tmp_path, "trainer.epochs=40", pruner="auto", **settings)
    preview_search(search, count=1)
    assert f"pruner {shown}" in [" ".join(line.split()) for line in read_console(search).splitlines()]


def test_a_preview_leaves_nothing_behind(tmp_path: Path) -> None:
    preview_search(make_search(tmp_path, warm_start=["defaults"]))
    assert list(tmp_path.iterdir()) == []


def test_conditions_are_shown_and_kept(tmp_path: Path) -> None:
    space = ("optimizer=choice(adam,sgd)", "optimizer.momentum=interval(0.01,0.9)")
    search = make_search(tmp_path, space=space, conditions={"optimizer.momentum": "optimizer=sgd"}, n_trials=20)
    preview_search(search, count=12)
    lines = [" ".join(line.split()) for line in read_console(search).splitlines()]
    assert "optimizer.momentum 0.01 to 0.9 optimizer=sgd -" in lines
    assert any(line == "sampled adam -" for line in lines)
    assert any(line.startswith("sampled sgd 0.") for line in lines)


def test_every_point_that_is_not_allowed_is_listed_with_its_arm(tmp_path: Path) -> None:
    # Each end of the space is sound by itself; together with the other key it is not.
    space = ("optimizer.warmup_epochs=choice(1,4)", "trainer.epochs=choice(3,12)")
    search = make_search(tmp_path, "optimizer=adam,sgd", space=space, sampler="grid")
    for check in (preview_search, check_first_points):
        with pytest.raises(ConfigError) as refused:
            check(search, count=4)
        first, second = str(refused.value).splitlines()
        assert first.startswith(
            "optimizer=adam: optimizer.warmup_epochs=4, trainer.epochs=3: optimizer.warmup_epochs must"
        )
        assert second.startswith(
            "optimizer=sgd: optimizer.warmup_epochs=4, trainer.epochs=3: optimizer.warmup_epochs must"
        )


def test_first_points_are_checked_without_a_word(tmp_path: Path) -> None:
    search = make_search(tmp_path)
    check_first_points(search)
    assert read_console(search) == ""
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_argument_of_the_sampler_is_refused_before_anything_starts(tmp_path: Path) -> None:
    search = make_search(tmp_path, sampler="tpe", sampler_kwargs={"n_startup": 3})
    with pytest.raises(ConfigError, match="n_startup_trials"):
        check_first_points(search)


def test_the_command_line_previews_without_tensorflow_or_a_store(tmp_path: Path) -> None:
    where = [f"tracking.uri=sqlite:///{tmp_path / 'mlflow.db'}", f"hydra.sweep.dir={tmp_path / 'out'}"]
    search = ["sweeps=quick", "model=cnn,vgg16", "hydra.sweeper.dry_run=true"]
    code = (
        "import atexit, runpy, sys\n"
        "atexit.register(lambda: print('ended', 'tensorflow' in sys.modules))\n"
        f"sys.argv = ['train', '-m', *{[*search, *where]!r}]\n"
        "runpy.run_module('src.train', run_name='__main__', alter_sys=True)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert answer.returncode == 0
    assert answer.stdout.splitlines()[-1] == "ended False"
    assert "first points of model=vgg16" in answer.stdout
    assert answer.stderr == ""
    assert not (tmp_path / "mlflow.db").exists()
