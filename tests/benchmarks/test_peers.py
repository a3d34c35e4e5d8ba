"""fitgap beside its peers: that all are given the same, and that what is made of their figures is right."""

from __future__ import annotations

import importlib
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.breakdown import break_down
from benchmarks.peers.candidate import (
    CANDIDATES,
    FITGAP,
    PLAIN,
    SCRIPTS,
    Candidate,
    Trial,
    build_command,
    build_environment,
    check_trials,
    choose_candidates,
    read_trials,
)
from benchmarks.peers.document import HEAD, replace_section, write_section
from benchmarks.peers.environment import REQUIREMENTS
from benchmarks.peers.goals import judge_goals
from benchmarks.peers.result import Measurement, Result, compare
from benchmarks.peers.search import SEARCHES, Search
from benchmarks.peers.watching import CommandError, measure_processes, watch_command
from src.config.run import RunConfig

DIGITS, PETS = SEARCHES["digits"], SEARCHES["pets"]
PEER = next(candidate for candidate in CANDIDATES if candidate.tracked)


def measure(search: Search, seconds: float, accuracy: float = 0.9, largest_mb: float = 1000.0) -> Measurement:
    trials = tuple(Trial(point, accuracy, float(number)) for number, point in enumerate(search.points))
    return Measurement(seconds, largest_mb, largest_mb, trials)


def find_verdicts(results: list[Result]) -> list[bool | None]:
    return [goal.met for goal in judge_goals(DIGITS, results)]


@pytest.mark.parametrize(("trials", "left"), [(1, 1), (2, 2), (5, 3), (6, 6), (100, 12), (None, 12)])
def test_a_search_that_is_cut_is_a_grid_still(trials: int | None, left: int) -> None:
    search = DIGITS.resize(trials=trials, epochs=1, images=None)
    assert len(search.points) == left
    assert all(point in DIGITS.points for point in search.points)


def test_fewer_images_are_no_more_than_there_are_to_validate() -> None:
    assert DIGITS.resize(trials=None, epochs=None, images=100).num_val == 100
    assert DIGITS.resize(trials=None, epochs=None, images=900).num_val == DIGITS.num_val


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.key)
def test_every_candidate_has_what_it_needs(candidate: Candidate) -> None:
    assert candidate.script is None or (SCRIPTS / f"{candidate.script}.py").is_file()
    assert candidate.environment is None or (REQUIREMENTS / f"{candidate.environment}.txt").is_file()


@pytest.mark.parametrize("path", sorted(REQUIREMENTS.glob("*.txt")), ids=lambda path: path.stem)
def test_versions_are_pinned_without_saying_where_they_come_from(path: Path) -> None:
    comment, *lines = path.read_text(encoding="utf-8").splitlines()
    assert comment.startswith("# ")
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert "tensorflow==2.21.0" in lines


def test_fitgap_always_takes_part_and_others_as_asked() -> None:
    assert choose_candidates(DIGITS, ["ray"]) == [
        candidate for candidate in CANDIDATES if candidate.key in ("fitgap", "ray")
    ]
    generator = next(candidate for candidate in CANDIDATES if candidate.key == "keras-generator")
    assert generator in choose_candidates(PETS, [])
    assert generator not in choose_candidates(DIGITS, [])


@pytest.mark.parametrize("search", [DIGITS, PETS], ids=lambda search: search.name)
def test_fitgap_and_peers_are_told_the_same(
    search: Search, tmp_path: Path, compose_run: Callable[..., RunConfig]
) -> None:
    command = build_command(FITGAP, search, Path("python"), Path("data"), tmp_path)
    own = [override for override in command[4:] if not override.startswith("hydra.") and "choice(" not in override]
    config = compose_run(*own)
    build_command(PEER, search, Path("python"), Path("data"), tmp_path)
    task = json.loads((tmp_path / "task.json").read_text(encoding="utf-8"))
    assert (config.trainer.epochs, config.trainer.batch_size) == (task["epochs"], task["batch_size"])
    assert (config.dataset.image_size, config.seed) == (task["image_size"], task["seed"])
    assert config.optimizer.name == "adam"
    searched = dict(override.split("=", 1) for override in command if "choice(" in override)
    assert searched == {
        "model.dropout": f"choice({','.join(map(str, task['axes']['dropout']))})",
        "optimizer.learning_rate": f"choice({','.join(map(str, task['axes']['learning_rate']))})",
    }
    assert {"hydra.sweeper.n_jobs=1", "hydra.sweeper.pruner=none", "hydra.sweeper.sampler=grid"} <= set(command)
    assert f"hydra.sweeper.n_trials={len(search.points)}" in command


@pytest.mark.parametrize("search", [DIGITS, PETS], ids=lambda search: search.name)
def test_peers_train_the_network_that_fitgap_trains(
    search: Search, compose_run: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    from src.models.build import build_network

    monkeypatch.syspath_prepend(str(SCRIPTS))
    for name in ("task", "tutorial"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    task, tutorial = (importlib.import_module(name) for name in ("task", "tutorial"))
    place = ["dataset.url=data"] if search.name == "pets" else []
    config = compose_run(*search.overrides, *place, "model.dropout=0.5")
    theirs = tutorial.build_model(
        task.Task(search.name, "", search.axes, 1, 1, search.image_size, 0, ""), dropout=0.5, learning_rate=0.001
    )
    ours = build_network(config.model, search.image_size, 10 if search.name == "digits" else 2).model

    def shapes(model: object) -> list[tuple[int, ...]]:
        return [tuple(weight.shape) for weight in model.trainable_weights]

    assert shapes(theirs) == shapes(ours)
    theirs.set_weights([*ours.get_weights(), *theirs.get_weights()[len(ours.get_weights()) :]])
    images = np.random.default_rng(0).integers(0, 256, (2, search.image_size, search.image_size, 3)).astype(np.float32)
    logits = ours(images).numpy()
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    given = images / 255 if search.name == "digits" else images
    np.testing.assert_allclose(theirs(given, training=False).numpy(), expected, atol=1e-5)
    assert [layer.rate for layer in theirs.layers if type(layer).__name__ == "Dropout"] == [0.5]
    assert [layer.rate for layer in ours.layers if type(layer).__name__ == "Dropout"] == [0.5]


def test_the_last_line_with_trials_counts(tmp_path: Path) -> None:
    trial = Trial({"dropout": 0.5}, 0.9, 12.0)
    line = json.dumps({"trials": [asdict(trial)]})
    assert read_trials(PEER, f"epoch 1\n{line}\nshutting down\n", tmp_path) == [trial]
    with pytest.raises(ValueError, match=r"keras_autolog\.py printed no line"):
        read_trials(PEER, "epoch 1\n", tmp_path)


def test_a_search_whose_trials_failed_does_not_count_as_a_fast_one() -> None:
    search = DIGITS.resize(trials=2, epochs=1, images=None)
    first, second = (Trial(point, 0.5, 0.0) for point in search.points)
    check_trials(search, [second, first])
    with pytest.raises(ValueError, match="instead of the points asked for"):
        check_trials(search, [first])
    with pytest.raises(ValueError, match="instead of the points asked for"):
        check_trials(search, [first, first])
    for failed in (None, math.nan):
        with pytest.raises(ValueError, match=f"measured {failed} as the accuracy"):
            check_trials(search, [first, replace(second, best_val_accuracy=failed)])


def test_peers_do_not_find_the_program_on_their_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert "PYTHONPATH" not in build_environment(PEER, tmp_path)
    assert build_environment(FITGAP, tmp_path)["PYTHONPATH"] != "elsewhere"


def test_a_later_trial_does_not_wait_for_what_only_the_first_one_waits_for() -> None:
    ends = (100.0, 104.0, 110.0)
    trials = tuple(Trial({"dropout": end}, 0.5, end) for end in ends)
    assert Measurement(120.0, 0.0, 0.0, trials).seconds_per_later_trial == 5.0


def test_accuracies_are_compared_round_by_round_by_the_best_and_by_the_mean_of_the_points() -> None:
    result = Result(PLAIN)
    for lift in (0.0, 0.1):
        points = {0.1: 0.7, 0.2: 0.8, 0.3: 0.6}
        trials = tuple(Trial({"dropout": dropout}, value + lift, 0.0) for dropout, value in points.items())
        result.rounds.append(Measurement(1, 0, 0, trials))
    assert result.best_accuracies() == pytest.approx([0.8, 0.9])
    assert result.mean_accuracies() == pytest.approx([0.7, 0.8])


@pytest.mark.parametrize(
    ("ours", "is_worse"),
    [([0.90, 0.80, 0.70], False), ([0.95, 0.85, 0.75], False), ([0.85, 0.75, 0.66], True), ([0.85, 0.85, 0.66], False)],
)
def test_worse_is_only_what_is_lower_beyond_the_noise_of_the_seeds(ours: list[float], is_worse: bool) -> None:
    difference = compare(ours, [0.90, 0.80, 0.70])
    assert difference.is_worse is is_worse
    assert compare([0.85, 0.75, 0.66], [0.9, 0.8, 0.7]).noise == pytest.approx(2 * 0.01 / 3)


def test_one_round_does_not_say_what_is_noise() -> None:
    ours, plain = Result(FITGAP, rounds=[measure(DIGITS, 10)]), Result(PLAIN, rounds=[measure(DIGITS, 15, 0.99)])
    assert find_verdicts([ours, plain]) == [None, True, None, True]


def test_the_nearest_tracked_peer_decides_and_every_round_is_compared_with_its_own() -> None:
    ours = Result(FITGAP, rounds=[measure(DIGITS, 10), measure(DIGITS, 20)])
    plain = Result(PLAIN, rounds=[measure(DIGITS, 15), measure(DIGITS, 30)])
    near = Result(PEER, rounds=[measure(DIGITS, 25), measure(DIGITS, 50)])
    far = Result(replace(PEER, key="far"), rounds=[measure(DIGITS, 90), measure(DIGITS, 90)])
    assert find_verdicts([ours, plain, near, far]) == [True, True, True, True]
    near.rounds = [measure(DIGITS, 24), measure(DIGITS, 48)]
    plain.rounds = [measure(DIGITS, 15, largest_mb=699), measure(DIGITS, 29, largest_mb=699)]
    assert find_verdicts([ours, plain, near, far]) == [False, False, True, False]
    assert PEER.title in judge_goals(DIGITS, [ours, plain, near, far])[0].found


def test_what_took_no_part_is_not_judged() -> None:
    ours = Result(FITGAP, rounds=[measure(DIGITS, 10)])
    assert find_verdicts([ours]) == [None] * 4
    assert find_verdicts([ours, Result(PEER, missing="cannot be installed")]) == [None] * 4


def test_the_parts_of_a_search_add_up_to_the_whole() -> None:
    seconds = {"built": 0.5, "traced": 1.0, "stepped": 2.0, "evaluated": 0.25}
    trainings = [{"begun": 104.0, "ended": 110.0, **seconds}, {"begun": 111.0, "ended": 115.5, **seconds}]
    parts = {part.name: part.seconds for part in break_down(100.0, 118.0, trainings)}
    assert sum(sum(values) for values in parts.values()) == pytest.approx(18.0)
    assert parts["recording, drawing, opening the data"] == (2.25, 0.75)
    assert parts["between trials"] == (1.0,)
    assert parts["start of the command, to the first trial"] == (4.0,)
    assert parts["end of the command, from the last trial"] == (2.5,)


def test_a_section_says_who_is_left_out_and_why() -> None:
    ours = Result(FITGAP, {"Python": "3.11"}, [measure(DIGITS, 10)])
    section = write_section(
        DIGITS,
        [ours, Result(PEER, missing="no such version")],
        [],
        title="digits",
        command="python -m it",
        machine="A machine.",
    )
    assert section.startswith("## digits\n")
    assert f"- {PEER.title} is left out: no such version" in section
    assert "```bash\npython -m it\n```" in section
    assert re.search(r"\| fitgap +\| +10\.0 \| 1\.00 \(1\.00 to 1\.00\)", section)


def test_a_section_replaces_the_one_of_its_name_and_no_other() -> None:
    page = replace_section("", "digits", "old\n")
    assert page.startswith(HEAD)
    page = replace_section(page, "pets", "cats\n")
    again = replace_section(page, "digits", "new \\1\n")
    assert again == page.replace("old\n", "new \\1\n")
    assert replace_section(again, "digits", "old\n") == page


def test_memory_is_that_of_a_process_and_of_all_below_it() -> None:
    below = "held = bytearray(80 * 2**20); print('held', flush=True); input()"
    above = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {below!r}])"
    with subprocess.Popen([sys.executable, "-c", above], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        sizes = measure_processes(process.pid)
        process.communicate(b"\n")
    assert sorted(size > 80 for size in sizes if size) == [False, True]


def test_a_process_that_is_gone_has_no_memory() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert sum(measure_processes(process.pid)) == 0


def test_a_command_that_ends_well_is_told_with_what_it_printed(tmp_path: Path) -> None:
    watched = watch_command([sys.executable, "-c", "import os; print(os.getcwd())"], tmp_path, os.environ)
    assert Path(watched.output.strip()) == tmp_path.resolve()
    assert watched.seconds > 0


def test_a_command_that_fails_says_what_it_printed_last(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"exit code 1:\n[\s\S]*ZeroDivisionError"):
        watch_command([sys.executable, "-c", "1 / 0"], tmp_path, os.environ)
