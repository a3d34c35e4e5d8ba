"""The figures hold what they are given; what they look like is for eyes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread

from src.errors import StorageError
from src.figures.comparison import MAX_ARMS, Arm, break_name, plot_comparison
from src.figures.confusion import compute_confusion_matrix, find_confusions, plot_confusion_matrix
from src.figures.curves import plot_curves
from src.figures.predictions import find_worst, plot_worst_predictions
from src.figures.previews import MAX_CLASSES, plot_augmentation_preview, plot_dataset_preview
from src.figures.style import points, save_figure, shorten
from src.history import EpochMetrics, History


def make_history(num_epochs: int, **changes: float) -> History:
    """Makes up a training that overfits; `changes` replace values of its last epoch."""
    epochs = [
        EpochMetrics(
            epoch=epoch,
            train_accuracy=0.5 + 0.3 * epoch / num_epochs,
            train_loss=0.8 / epoch,
            train_eval_accuracy=0.6 + 0.35 * epoch / num_epochs,
            train_eval_loss=0.6 / epoch,
            val_accuracy=0.55 + 0.2 * min(epoch, 5) / 5,
            val_loss=0.7 - 0.05 * min(epoch, 5) + 0.04 * max(0, epoch - 5),
            learning_rate=1e-3,
            epoch_seconds=2.0,
        )
        for epoch in range(1, num_epochs + 1)
    ]
    return History((*epochs[:-1], EpochMetrics(**{**vars(epochs[-1]), **changes}))) if epochs else History()


def find_line(axes: Axes, label: str) -> tuple[list[float], list[float]]:
    """Returns the coordinates of the line with a label."""
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return list(line.get_xdata()), list(line.get_ydata())


def read_texts(figure: Figure) -> str:
    """Returns everything that is written in a figure."""
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def is_inside(axes: Axes, values: list[float]) -> bool:
    """Whether all values can be seen on the vertical axis."""
    bottom, top = axes.get_ylim()
    return all(bottom <= value <= top for value in values)


def draw(figure: Figure, folder: Path) -> None:
    """Draws a figure in full: only then do most warnings and errors appear."""
    save_figure(figure, folder / "figure.png")
    assert imread(folder / "figure.png").shape[2] == 4


@pytest.mark.parametrize("num_epochs", [1, 2, 12, 200])
def test_curves_show_every_epoch_of_all_three_measures(num_epochs: int, tmp_path: Path) -> None:
    history = make_history(num_epochs)
    figure = plot_curves(history, "some run")
    assert len(figure.axes) == 2
    for axes, measure in zip(figure.axes, ("accuracy", "loss"), strict=True):
        for label, key in (("train_eval", "train_eval"), ("val", "val"), ("running", "train")):
            epochs, values = find_line(axes, label)
            assert epochs == list(range(1, num_epochs + 1))
            assert values == history.series(f"{key}_{measure}")
        assert is_inside(axes, history.series(f"train_eval_{measure}") + history.series(f"val_{measure}"))
    draw(figure, tmp_path)


def test_curves_name_the_best_epoch_and_its_gap(tmp_path: Path) -> None:
    figure = plot_curves(make_history(12), "some run")
    assert find_line(figure.axes[0], "best") == ([5], [pytest.approx(0.75)])
    assert "best validation accuracy 75.0 % at epoch 5 of 12 · gap there -0.4 points" in read_texts(figure)


def test_curves_say_where_overfitting_starts_and_what_the_running_average_is() -> None:
    figure = plot_curves(make_history(12), "some run", overfit_epoch=7)
    for axes in figure.axes:
        assert find_line(axes, "overfit")[0] == [7, 7]
    texts = read_texts(figure)
    assert texts.count("overfits from epoch 7") == 2
    assert "Keras's running training average (dropout and augmentation on)" in texts


def test_curves_without_an_onset_have_no_vertical_line() -> None:
    figure = plot_curves(make_history(12), "some run")
    assert "overfit" not in {line.get_label() for axes in figure.axes for line in axes.lines}


def test_curves_of_no_epoch_say_so(tmp_path: Path) -> None:
    figure = plot_curves(History(), "some run")
    assert read_texts(figure).count("no finished epoch") == 2
    draw(figure, tmp_path)


@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_curves_that_end_in_a_lost_loss_say_so(lost: float, tmp_path: Path) -> None:
    figure = plot_curves(make_history(8, val_loss=lost, train_eval_loss=lost, train_loss=lost), "some run")
    assert "not a finite number from epoch 8 on" in read_texts(figure)
    assert find_line(figure.axes[0], "best")[0] == [5]
    draw(figure, tmp_path)


def test_curves_of_nothing_but_lost_values_can_be_drawn(tmp_path: Path) -> None:
    keys = ("train_accuracy", "train_loss", "train_eval_accuracy", "train_eval_loss", "val_accuracy", "val_loss")
    draw(plot_curves(make_history(1, **dict.fromkeys(keys, math.nan)), "some run"), tmp_path)


def test_a_loss_that_explodes_is_drawn_on_a_logarithmic_axis(tmp_path: Path) -> None:
    figure = plot_curves(make_history(12, val_loss=4e8, train_eval_loss=0.0), "some run")
    assert figure.axes[1].get_yscale() == "log"
    assert is_inside(figure.axes[1], [4e8])
    assert "loss (logarithmic)" in read_texts(figure)
    draw(figure, tmp_path)


def test_a_dollar_sign_in_a_name_is_no_formula(tmp_path: Path) -> None:
    name = "cost$_{ in \\$frac"
    draw(plot_curves(make_history(3), name), tmp_path)
    draw(plot_confusion_matrix(np.eye(3, dtype=int), [name, "b", "c"], name), tmp_path)
    draw(plot_dataset_preview({name: np.zeros((1, 8, 8, 3), np.uint8)}, {name: 1}, name), tmp_path)
    draw(plot_comparison([Arm(name, History(), None, failed=name)], name), tmp_path)


def test_a_confusion_matrix_counts_rows_by_true_and_columns_by_predicted_class() -> None:
    matrix = compute_confusion_matrix(np.array([0, 0, 0, 1, 2]), np.array([0, 1, 1, 1, 0]), 4)
    np.testing.assert_array_equal(matrix, [[1, 2, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    assert find_confusions(matrix, 5) == [(0, 1), (2, 0)]


@pytest.mark.parametrize("num_classes", [2, 10, 25, 50, 120])
def test_a_confusion_matrix_of_any_size_can_be_drawn(num_classes: int, tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).integers(0, 9, (num_classes, num_classes))
    names = [f"a_rather_long_class_name_{index}" for index in range(num_classes)]
    figure = plot_confusion_matrix(matrix, names, "some network")
    axes = figure.axes[0]
    assert axes.images[0].get_array().shape == matrix.shape
    assert (len(axes.texts) == num_classes**2) == (num_classes <= 30), "cells have numbers where there is room"
    draw(figure, tmp_path)


def test_a_confusion_matrix_states_counts_shares_and_accuracy(tmp_path: Path) -> None:
    figure = plot_confusion_matrix(np.array([[30, 10], [0, 0]]), ["cat", "dog"], "some network")
    assert [text.get_text() for text in figure.axes[0].texts] == ["30\n75.0 %", "10\n25.0 %", "0", "0"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["cat", "dog"]
    assert "30 of 40 right (75.0 %)" in read_texts(figure)
    draw(figure, tmp_path)


def test_a_confusion_matrix_of_no_image_can_be_drawn(tmp_path: Path) -> None:
    draw(plot_confusion_matrix(np.zeros((3, 3), int), ["a", "b", "c"], "some network"), tmp_path)


def test_the_worst_predictions_are_wrong_and_come_by_falling_loss() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.01, 0.99], [0.4, 0.6], [0.05, 0.95]])
    labels = np.array([0, 0, 0, 1, 0])
    np.testing.assert_array_equal(find_worst(labels, probabilities, 10), [2, 4, 1])
    np.testing.assert_array_equal(find_worst(labels, probabilities, 1), [2])
    assert find_worst(labels[:1], probabilities[:1], 10).size == 0


@pytest.mark.parametrize("count", [1, 5, 12])
def test_worst_predictions_are_captioned_with_classes_probabilities_and_files(count: int, tmp_path: Path) -> None:
    images = np.full((count, 20, 20, 3), 128, np.uint8)
    figure = plot_worst_predictions(
        images,
        np.zeros(count, int),
        np.tile([0.031, 0.969], (count, 1)),
        ["cat", "dog"],
        "some network",
        [f"cats/{index}.jpg" for index in range(count)],
    )
    texts = read_texts(figure)
    assert sum(len(axes.images) for axes in figure.axes) == count
    assert texts.count("true: cat (3.1 %)") == texts.count("predicted: dog (96.9 %)") == count
    assert f"cats/{count - 1}.jpg" in texts
    draw(figure, tmp_path)


def test_a_network_without_a_wrong_prediction_gets_a_figure_that_says_so(tmp_path: Path) -> None:
    figure = plot_worst_predictions(np.zeros((0, 8, 8, 3)), np.zeros(0, int), np.zeros((0, 2)), ["a", "b"], "network")
    assert "No image is predicted wrongly." in read_texts(figure)
    draw(figure, tmp_path)


def test_a_dataset_preview_has_a_row_per_class_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    images = {f"class {index}": np.zeros((3, 8, 8, 3), np.uint8) for index in range(MAX_CLASSES + 4)}
    images["class 1"] = np.zeros((0, 8, 8, 3), np.uint8)
    figure = plot_dataset_preview(images, {"class 0": 1234}, "some data")
    assert sum(len(axes.images) for axes in figure.axes) == 3 * (MAX_CLASSES - 1)
    texts = read_texts(figure)
    assert "class 0\n1,234 images" in texts
    assert f"the first {MAX_CLASSES} classes; 4 more are not shown" in texts
    draw(figure, tmp_path)


def test_a_dataset_preview_of_nothing_can_be_drawn(tmp_path: Path) -> None:
    draw(plot_dataset_preview({}, {}, "some data"), tmp_path)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_an_augmentation_preview_shows_the_original_first_and_every_variant(dtype: type, tmp_path: Path) -> None:
    original = np.full((8, 8, 3), 200, np.uint8)
    figure = plot_augmentation_preview(original, np.full((6, 8, 8, 3), 99.6).astype(dtype), "some augmentation")
    pictures = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(pictures) == 7
    assert (pictures[0] == 200).all()
    assert (pictures[1] == (99 if dtype is np.uint8 else 100)).all()
    assert [axes.get_title() for axes in figure.axes[:2]] == ["original", "variant 1"]
    draw(figure, tmp_path)


def test_a_comparison_draws_all_arms_on_the_same_axes(tmp_path: Path) -> None:
    arms = [
        Arm("model=vgg16", make_history(10), 6),
        Arm("model=cnn", make_history(3), None),
        Arm("model=mobilenet", History(), None, failed="the loss became NaN at epoch 1"),
    ]
    figure = plot_comparison(arms, "Which one overfits?")
    assert len(figure.axes) == 6
    for panels in (figure.axes[:3], figure.axes[3:]):
        assert len({(*axes.get_xlim(), *axes.get_ylim()) for axes in panels}) == 1
    assert find_line(figure.axes[1], "val") == ([1, 2, 3], arms[1].history.series("val_accuracy"))
    assert find_line(figure.axes[3], "train_eval")[1] == arms[0].history.series("train_eval_loss")
    assert find_line(figure.axes[3], "overfit")[0] == [6, 6]
    texts = read_texts(figure)
    assert "best 75.0 % at epoch 5, gap 2.5 points" in texts
    assert "the loss became NaN at epoch 1" in texts
    draw(figure, tmp_path)


@pytest.mark.parametrize(("num_arms", "num_panels"), [(1, 2), (4, 8), (5, 16), (MAX_ARMS + 6, 2 * MAX_ARMS)])
def test_a_comparison_wraps_after_four_arms_and_ends_after_its_limit(num_arms: int, num_panels: int) -> None:
    figure = plot_comparison([Arm(f"arm={index}", make_history(4), None) for index in range(num_arms)], "many")
    assert len(figure.axes) == num_panels
    assert (f"the first {MAX_ARMS} of {num_arms} arms" in read_texts(figure)) == (num_arms > MAX_ARMS)


def test_one_arm_that_explodes_does_not_flatten_the_others() -> None:
    arms = [Arm("a", make_history(6), None), Arm("b", make_history(6, val_loss=1e6), None)]
    figure = plot_comparison(arms, "stable or not?")
    assert figure.axes[2].get_ylim()[1] < 5
    assert is_inside(figure.axes[2], arms[0].history.series("val_loss"))


def test_a_comparison_of_no_arm_says_so(tmp_path: Path) -> None:
    figure = plot_comparison([], "nothing")
    assert "There is no arm to compare." in read_texts(figure)
    draw(figure, tmp_path)


def test_equal_figures_make_equal_files_and_leave_nothing_beside_them(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        save_figure(plot_curves(make_history(3), "some run"), tmp_path / "new" / name)
    files = sorted((tmp_path / "new").iterdir())
    assert [file.name for file in files] == ["one.png", "two.png"]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("fail", [OSError(28, "No space left on device"), ValueError("bad figure")])
def test_a_picture_that_fails_leaves_the_old_one_in_place(
    fail: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "curves.png"
    path.write_bytes(b"old")

    def raise_error(*_: object, **__: object) -> None:
        raise fail

    monkeypatch.setattr(Figure, "savefig", raise_error)
    with pytest.raises(StorageError if isinstance(fail, OSError) else ValueError, match=r"No space left|bad figure"):
        save_figure(Figure(), path)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("curves.png", b"old")]


def test_no_class_name_in_a_script_without_letters_warns(tmp_path: Path) -> None:
    draw(plot_confusion_matrix(np.eye(3, dtype=int), ["猫", "犬", "鳥"], "動物"), tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"), [("short", "short"), ("exactly ten", "exac…ten"), ("model=vgg16,model.dropout=0", "mode…t=0")]
)
def test_long_names_lose_their_middle(text: str, expected: str) -> None:
    assert shorten(text, 8) == expected


def test_an_arms_name_breaks_between_two_overrides() -> None:
    assert break_name("model=vgg16") == "model=vgg16"
    assert break_name("model=vgg16,model.dropout=0.5,optimizer=rmsprop") == (
        "model=vgg16,model.dropout=0.5,\noptimizer=rmsprop"
    )
    assert all(len(line) <= 31 for line in break_name("x" * 100).splitlines())


@pytest.mark.parametrize(
    ("gap", "expected"), [(0.2284, "22.8 points"), (-0.0004, "0.0 points"), (-0.05, "-5.0 points")]
)
def test_a_gap_is_told_in_points(gap: float, expected: str) -> None:
    assert points(gap) == expected
