"""Optuna's pictures of a study: which of them are drawn, and that nothing of their making is left behind."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import matplotlib
import optuna
import pytest
from matplotlib import pyplot
from matplotlib.image import imread
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from src.figures import studies
from src.figures.borrowed import Heading, borrow_figure
from src.study.objective import parse_objectives
from src.study.plots import StudyPictures, draw_plots, shorten_keys

ACCURACY = parse_objectives("best_val_accuracy", "maximize", [])
BOTH = parse_objectives(["best_val_accuracy", "final_gap_accuracy"], ["maximize", "minimize"], [])

SPACE: dict[str, BaseDistribution] = {
    "model.dropout": FloatDistribution(0, 0.7),
    "optimizer.learning_rate": FloatDistribution(1e-5, 1e-2, log=True),
    "model.dense": CategoricalDistribution(["[]", "[128]", "[512,256]"]),
    "model.layers": IntDistribution(0, 30, step=5),
}


def make_study(num_trials: int, num_keys: int = 4, *, steps: int = 4, two: bool = False) -> optuna.Study:
    """Makes up a study of complete trials whose values differ in every key."""
    study = optuna.create_study(study_name="quick", directions=["maximize", "minimize"] if two else ["maximize"])
    for number in range(num_trials):
        add_trial(study, number, num_keys, steps=0 if two else steps)
    return study


def add_trial(
    study: optuna.Study,
    number: int,
    num_keys: int = 4,
    *,
    steps: int = 4,
    state: TrialState = TrialState.COMPLETE,
    value: float | None = None,
    constraints: dict[str, float] | None = None,
) -> None:
    """Adds a trial; its value is made up from its number unless it is given."""
    share = (number * 0.37) % 1
    space = dict(list(SPACE.items())[:num_keys])
    chosen = [0.7 * share, 10 ** (-5 + 3 * share), ("[]", "[128]", "[512,256]")[number % 3], 5 * (number % 7)]
    accuracy = 0.8 + 0.1 * share if value is None else value
    values = [accuracy] if len(study.directions) == 1 else [accuracy, 0.1 + 0.2 * share**2]
    study.add_trial(
        create_trial(
            state=state,
            params=dict(zip(space, chosen, strict=False)),
            distributions=space,
            values=values if state == TrialState.COMPLETE else None,
            intermediate_values={step: accuracy * step / 10 for step in range(1, steps + 1)},
            constraints=constraints,
        )
    )


def names(paths: list[Path]) -> set[str]:
    """Returns the names of pictures, each of which is one."""
    assert all(imread(path).ndim == 3 for path in paths)
    return {path.stem for path in paths}


ALL = {"optimization_history", "param_importances", "slice", "intermediate_values", "parallel_coordinate"}


def test_pictures_are_drawn_until_somebody_wants_an_end(tmp_path: Path) -> None:
    answers = iter([False, False, True])
    assert len(draw_plots(make_study(6), ACCURACY, tmp_path, lambda: next(answers))) == 2


def test_a_study_with_one_objective_has_five_pictures(tmp_path: Path) -> None:
    study = make_study(6)
    add_trial(study, 6, state=TrialState.PRUNED, steps=2)
    add_trial(study, 7, state=TrialState.FAIL)
    paths = draw_plots(study, ACCURACY, tmp_path / "plots")
    assert names(paths) == ALL
    assert sorted((tmp_path / "plots").iterdir()) == sorted(paths)


def test_a_study_with_two_objectives_has_its_front_instead_of_a_history(tmp_path: Path) -> None:
    assert names(draw_plots(make_study(6, two=True), BOTH, tmp_path)) == {
        "pareto_front",
        "param_importances",
        "slice_best_val_accuracy",
        "slice_final_gap_accuracy",
        "parallel_coordinate",
    }


@pytest.mark.parametrize(
    ("study", "left_out"),
    [
        (make_study(0), ALL),
        (make_study(1), {"param_importances", "parallel_coordinate"}),
        (make_study(5, 1), {"parallel_coordinate"}),
        (make_study(5, 0), {"param_importances", "slice", "parallel_coordinate"}),
        (make_study(5, steps=0), {"intermediate_values"}),
    ],
    ids=["no trial", "one trial", "one key", "no key", "no steps"],
)
def test_a_picture_without_enough_to_show_is_left_out(study: optuna.Study, left_out: set[str], tmp_path: Path) -> None:
    assert names(draw_plots(study, ACCURACY, tmp_path)) == ALL - left_out


def test_importances_need_values_that_differ(tmp_path: Path) -> None:
    study = make_study(0)
    for number in range(5):
        add_trial(study, number, value=0.5)
    assert names(draw_plots(study, ACCURACY, tmp_path)) == ALL - {"param_importances"}


def test_trials_without_a_finite_value_do_not_spoil_the_pictures(tmp_path: Path) -> None:
    study = make_study(4)
    add_trial(study, 4, value=math.inf)
    add_trial(study, 5, state=TrialState.RUNNING)
    pictures = StudyPictures(study, ACCURACY, tmp_path)
    assert [trial.number for trial in pictures.complete] == [0, 1, 2, 3]
    assert names([draw() for draw in pictures.choose()]) == ALL


def test_a_study_in_which_every_trial_breaks_a_constraint_is_drawn(tmp_path: Path) -> None:
    study = make_study(0)
    for number in range(4):
        add_trial(study, number, constraints={"final_gap_accuracy <= 0.05": 0.1})
    assert names(draw_plots(study, ACCURACY, tmp_path)) == ALL


def test_drawing_leaves_neither_figures_nor_a_style_behind(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    mine = pyplot.figure()
    draw_plots(make_study(4), ACCURACY, tmp_path)
    assert pyplot.get_fignums() == [mine.number]
    pyplot.close(mine)
    assert {key: value for key, value in matplotlib.rcParams.items() if value != before[key]} in (
        {},
        {"backend": "agg"},
    )


def test_keys_are_as_short_as_they_can_be_told_apart() -> None:
    keys = ["model.dropout", "head.dropout", "+trainer.x", "optimizer"]
    trial = create_trial(
        value=0.0,
        params=dict.fromkeys(keys, 0.0),
        distributions=dict.fromkeys(keys, FloatDistribution(0, 1)),
    )
    assert shorten_keys([trial]) == {
        "model.dropout": "model.dropout",
        "head.dropout": "head.dropout",
        "+trainer.x": "x",
        "optimizer": "optimizer",
    }


def test_slices_show_the_whole_interval_on_the_axis_on_which_it_is_searched() -> None:
    pictures = StudyPictures(make_study(6), ACCURACY, Path())
    ranges = {"dropout": studies.Range(0, 0.7), "learning_rate": studies.Range(1e-5, 1e-2, logarithmic=True)}
    draw = optuna.visualization.matplotlib.plot_slice
    with borrow_figure(lambda: draw(pictures.study, params=["dropout", "learning_rate"])) as figure:
        studies.dress_slices(figure, Heading("quick"), "accuracy", ranges, maximize=True)
        dropout, rate, _ = figure.axes
        assert (dropout.get_xscale(), rate.get_xscale()) == ("linear", "log")
        assert dropout.get_xlim() == pytest.approx((-0.028, 0.728))
        assert rate.get_xlim()[0] < 1e-5 < 1e-2 < rate.get_xlim()[1]
        figure.draw_without_rendering()
        assert [label.get_text() for label in rate.get_xticklabels()][1:-1] == ["1e-05", "0.0001", "0.001", "0.01"]


@pytest.mark.parametrize("num_keys", [2, 4])
def test_labels_of_the_parallel_axes_do_not_overlap(num_keys: int) -> None:
    pictures = StudyPictures(make_study(6, num_keys), ACCURACY, Path())
    with borrow_figure(lambda: optuna.visualization.matplotlib.plot_parallel_coordinate(pictures.study)) as figure:
        studies.dress_parallel(figure, Heading("quick"), ["learning_rate"], None)
        figure.draw_without_rendering()
        boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
        assert len(boxes) == num_keys + 1
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
