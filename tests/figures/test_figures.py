"""The figures hold what they are given; what they look like is for eyes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.image import imread

from src.errors import StorageError
from src.figures.comparison import MAX_ARMS, Arm, break_name, plot_comparison
from src.figures.confusion import compute_confusion_matrix, find_confusions, plot_confusion_matrix
from src.figures.curves import plot_curves
from src.figures.panels import Panel
from src.figures.predictions import find_worst, plot_worst_predictions
from src.figures.previews import MAX_CLASSES, plot_augmentation_preview, plot_dataset_preview
from src.figures.scales import Scale, find_epoch_ticks, find_ticks
from src.figures.sheet import MARGIN, Sheet
from src.figures.style import new_figure, points, save_figure, shorten
from src.figures.tiles import cut_tile, measure_tile
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


def find_line(panel: Panel, label: str) -> tuple[list[float], list[float]]:
    """Returns the coordinates of the line with a label."""
    return panel.lines[label]


def read_texts(sheet: Sheet) -> str:
    """Returns everything that is written on a sheet."""
    return "\n".join(sheet.texts)


def is_inside(panel: Panel, values: list[float]) -> bool:
    """Whether all values can be seen on the vertical axis."""
    return all(0 <= share <= 1 for share in panel.scale.place(values))


def count_pixels(sheet: Sheet, colour: tuple[int, int, int]) -> int:
    """Returns how many pixels of a sheet have a colour."""
    return int((np.asarray(sheet.image) == colour).all(axis=2).sum())


def draw(figure: Figure | Sheet, folder: Path) -> None:
    """Draws a figure in full: only then do most warnings and errors of matplotlib appear."""
    save_figure(figure, folder / "figure.png")
    assert imread(folder / "figure.png").shape[2] == 3


@pytest.mark.parametrize("num_epochs", [1, 2, 12, 200])
def test_curves_show_every_epoch_of_all_three_measures(num_epochs: int, tmp_path: Path) -> None:
    history = make_history(num_epochs)
    figure = plot_curves(history, "some run")
    assert len(figure.panels) == 2
    for axes, measure in zip(figure.panels, ("accuracy", "loss"), strict=True):
        for label, key in (("train_eval", "train_eval"), ("val", "val"), ("running", "train")):
            epochs, values = find_line(axes, label)
            assert epochs == list(range(1, num_epochs + 1))
            assert values == history.series(f"{key}_{measure}")
        assert is_inside(axes, history.series(f"train_eval_{measure}") + history.series(f"val_{measure}"))
    draw(figure, tmp_path)


def test_curves_name_the_best_epoch_and_its_gap(tmp_path: Path) -> None:
    figure = plot_curves(make_history(12), "some run")
    assert find_line(figure.panels[0], "best") == ([5], [pytest.approx(0.75)])
    assert "best validation accuracy 75.0 % at epoch 5 of 12 · gap there -0.4 points" in read_texts(figure)


def test_curves_say_where_overfitting_starts_and_what_the_running_average_is() -> None:
    figure = plot_curves(make_history(12), "some run", overfit_epoch=7)
    for axes in figure.panels:
        assert find_line(axes, "overfit")[0] == [7, 7]
    texts = read_texts(figure)
    assert texts.count("overfits from epoch 7") == 2
    assert "Keras's running training average (dropout and augmentation on)" in texts


def test_curves_without_an_onset_have_no_vertical_line() -> None:
    figure = plot_curves(make_history(12), "some run")
    assert "overfit" not in {label for panel in figure.panels for label in panel.lines}


def test_curves_of_no_epoch_say_so(tmp_path: Path) -> None:
    figure = plot_curves(History(), "some run")
    assert read_texts(figure).count("no finished epoch") == 2
    draw(figure, tmp_path)


@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_curves_that_end_in_a_lost_loss_say_so(lost: float, tmp_path: Path) -> None:
    figure = plot_curves(make_history(8, val_loss=lost, train_eval_loss=lost, train_loss=lost), "some run")
    assert "not a finite number from epoch 8 on" in read_texts(figure)
    assert find_line(figure.panels[0], "best")[0] == [5]
    draw(figure, tmp_path)


def test_curves_of_nothing_but_lost_values_can_be_drawn(tmp_path: Path) -> None:
    keys = ("train_accuracy", "train_loss", "train_eval_accuracy", "train_eval_loss", "val_accuracy", "val_loss")
    draw(plot_curves(make_history(1, **dict.fromkeys(keys, math.nan)), "some run"), tmp_path)


def test_a_loss_that_explodes_is_drawn_on_a_logarithmic_axis(tmp_path: Path) -> None:
    figure = plot_curves(make_history(12, val_loss=4e8, train_eval_loss=0.0), "some run")
    assert figure.panels[1].scale.logarithmic
    assert is_inside(figure.panels[1], [4e8])
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


@pytest.mark.parametrize("num_classes", [1, 2, 10, 25, 50, 120, 1500])
def test_a_confusion_matrix_of_any_size_can_be_drawn(num_classes: int, tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).integers(0, 9, (num_classes, num_classes))
    names = [f"a_rather_long_class_name_{index}" for index in range(num_classes)]
    sheet = plot_confusion_matrix(matrix, names, "some network")
    cells = sum(text.split("\n")[0].isdigit() for text in sheet.texts)
    assert cells == (num_classes**2 if num_classes <= 30 else 0), "cells have numbers where there is room"
    assert max(sheet.image.size) <= max(1700, num_classes + 400)
    draw(sheet, tmp_path)


def test_a_confusion_matrix_states_counts_shares_and_accuracy(tmp_path: Path) -> None:
    sheet = plot_confusion_matrix(np.array([[30, 10], [0, 0]]), ["cat", "dog"], "some network")
    assert [text for text in sheet.texts if text[0].isdigit()][1:5] == ["30\n75.0 %", "10\n25.0 %", "0", "0"]
    assert sheet.texts.count("cat") == sheet.texts.count("dog") == 2
    assert "30 of 40 right (75.0 %)" in read_texts(sheet)
    draw(sheet, tmp_path)


def test_the_cells_of_a_confusion_matrix_are_coloured_by_their_share_of_the_row() -> None:
    sheet = plot_confusion_matrix(np.array([[5, 5], [0, 300]]), ["cat", "dog"], "some network")
    half, full = (tuple(colormaps["Blues"](share, bytes=True)[:3]) for share in (0.5, 1.0))
    # Two cells of half of the row's images, one of all of them; the colour scale holds a little of each.
    assert count_pixels(sheet, half) == pytest.approx(2 * count_pixels(sheet, full), rel=0.05)
    assert count_pixels(sheet, full) > 200**2


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
    sheet = plot_worst_predictions(
        np.full((count, 20, 20, 3), 128, np.uint8),
        np.zeros(count, int),
        np.tile([0.031, 0.969], (count, 1)),
        ["cat", "dog"],
        "some network",
        [f"cats/{index}.jpg" for index in range(count)],
    )
    texts = read_texts(sheet)
    assert texts.count("true: cat (3.1 %)") == texts.count("predicted: dog (96.9 %)") == count
    assert f"cats/{count - 1}.jpg" in texts
    assert count_pixels(sheet, (128, 128, 128)) == pytest.approx(count * 220**2, rel=0.01)
    draw(sheet, tmp_path)


def test_long_captions_keep_their_images_apart() -> None:
    images, labels = np.full((2, 100, 100, 3), 128, np.uint8), np.zeros(2, int)
    name = "w" * 40
    sheet = plot_worst_predictions(images, labels, np.tile([0.1, 0.9], (2, 1)), [name, name], "some network")
    row = np.flatnonzero((np.asarray(sheet.image)[150] == 128).all(axis=1))
    assert len(row) == 2 * 224
    assert np.diff(row).max() > 40


def test_a_network_without_a_wrong_prediction_gets_a_figure_that_says_so(tmp_path: Path) -> None:
    figure = plot_worst_predictions(np.zeros((0, 8, 8, 3)), np.zeros(0, int), np.zeros((0, 2)), ["a", "b"], "network")
    assert "No image is predicted wrongly." in read_texts(figure)
    draw(figure, tmp_path)


def test_a_dataset_preview_has_a_row_per_class_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    images = {f"class {index}": np.zeros((3, 8, 8, 3), np.uint8) for index in range(MAX_CLASSES + 4)}
    images["class 1"] = np.zeros((0, 8, 8, 3), np.uint8)
    figure = plot_dataset_preview(images, {"class 0": 1234}, "some data")
    assert count_pixels(figure, (0, 0, 0)) == 3 * (MAX_CLASSES - 1) * 96**2
    texts = read_texts(figure)
    assert "class 0\n1,234 images" in texts
    assert f"the first {MAX_CLASSES} classes; 4 more are not shown" in texts
    draw(figure, tmp_path)


def test_a_dataset_preview_of_nothing_can_be_drawn(tmp_path: Path) -> None:
    draw(plot_dataset_preview({}, {}, "some data"), tmp_path)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_an_augmentation_preview_shows_the_original_first_and_every_variant(dtype: type, tmp_path: Path) -> None:
    original = np.full((8, 8, 3), 200, np.uint8)
    sheet = plot_augmentation_preview(original, np.full((6, 8, 8, 3), 99.6).astype(dtype), "some augmentation")
    assert count_pixels(sheet, (200, 200, 200)) == pytest.approx(200**2, rel=0.01)
    grey = 99 if dtype is np.uint8 else 100
    assert count_pixels(sheet, (grey, grey, grey)) == pytest.approx(6 * 200**2, rel=0.01)
    assert sheet.texts[2:4] == ["original", "variant 1"]
    draw(sheet, tmp_path)


def test_an_original_keeps_its_pixels_within_its_frame() -> None:
    original = np.full((50, 50, 3), 200, np.uint8)
    sheet = plot_augmentation_preview(original, original[None], "some augmentation")
    assert count_pixels(sheet, (200, 200, 200)) >= 2 * 200**2
    assert count_pixels(sheet, (0x00, 0x72, 0xB2)) >= 4 * 4 * 200


@pytest.mark.parametrize(("size", "side"), [(8, 96), (32, 96), (63, 63), (64, 100), (200, 100)])
def test_small_pictures_are_enlarged_by_a_whole_number_and_larger_ones_fit(size: int, side: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    assert measure_tile(image[None], 100) == side
    tile = cut_tile(image, side)
    assert tile.shape == (side, side, 3)
    if size < 64:
        factor = side // size
        np.testing.assert_array_equal(tile[::factor, ::factor], image)


def test_a_picture_that_is_not_square_keeps_its_proportions_and_broken_pixels_are_drawn() -> None:
    tile = cut_tile(np.zeros((200, 100, 3)), 100)
    assert (tile[:, 25:75] == 0).all()
    assert (tile[:, :25] == 255).all()
    np.testing.assert_array_equal(cut_tile(np.full((1, 1, 3), np.nan), 1), 0)
    np.testing.assert_array_equal(cut_tile(np.array([[[-9.0, 99.6, 400.0]]]), 1)[0, 0], [0, 100, 255])


def test_a_long_title_widens_the_sheet_and_has_the_content_in_the_middle() -> None:
    sheet = Sheet(100, 50, "a title that takes far more than a hundred pixels")
    sheet.fill(0, 0, 100, 50, "black")
    columns = np.flatnonzero((np.asarray(sheet.image)[-MARGIN - 1] == 0).all(axis=1))
    assert sheet.image.width > 400
    assert len(columns) == 100
    assert abs(columns.mean() - (sheet.image.width - 1) / 2) <= 1


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (Scale(0.5, 1.0), ["0.5", "0.6", "0.7", "0.8", "0.9", "1.0"]),
        (Scale(0.0, 2.6), ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]),
        (Scale(0.0, 0.0011), ["0.0000", "0.0002", "0.0004", "0.0006", "0.0008", "0.0010"]),
        (Scale(0.0, 5e6), ["0", "1000000", "2000000", "3000000", "4000000", "5000000"]),
        (Scale(0.05, 2e3, logarithmic=True), ["10⁻¹", "10⁰", "10¹", "10²", "10³"]),
    ],
)
def test_ticks_are_round_numbers_with_as_many_digits_as_they_need(scale: Scale, expected: list[str]) -> None:
    assert list(find_ticks(scale, 6).values()) == expected


@pytest.mark.parametrize(("last", "expected"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (12, [2, 4, 6, 8, 10, 12])])
def test_epochs_are_whole_and_begin_with_one(last: int, expected: list[int]) -> None:
    assert find_epoch_ticks(last, 6) == expected


def test_a_comparison_draws_all_arms_on_the_same_axes(tmp_path: Path) -> None:
    arms = [
        Arm("model=vgg16", make_history(10), 6),
        Arm("model=cnn", make_history(3), None),
        Arm("model=mobilenet", History(), None, failed="the loss became NaN at epoch 1"),
    ]
    figure = plot_comparison(arms, "Which one overfits?")
    assert len(figure.panels) == 6
    for panels in (figure.panels[::2], figure.panels[1::2]):
        assert len({(panel.scale, panel.last_epoch) for panel in panels}) == 1
    assert find_line(figure.panels[2], "val") == ([1, 2, 3], arms[1].history.series("val_accuracy"))
    assert find_line(figure.panels[1], "train_eval")[1] == arms[0].history.series("train_eval_loss")
    assert find_line(figure.panels[1], "overfit")[0] == [6, 6]
    assert figure.panels[4].lines == {}
    texts = read_texts(figure)
    assert "best 75.0 % at epoch 5, gap 2.5 points" in texts
    assert "the loss became NaN at epoch 1" in texts.replace("\n", " ")
    draw(figure, tmp_path)


@pytest.mark.parametrize(("num_arms", "num_panels"), [(1, 2), (4, 8), (5, 10), (MAX_ARMS + 6, 2 * MAX_ARMS)])
def test_a_comparison_wraps_after_four_arms_and_ends_after_its_limit(num_arms: int, num_panels: int) -> None:
    figure = plot_comparison([Arm(f"arm={index}", make_history(4), None) for index in range(num_arms)], "many")
    assert len(figure.panels) == num_panels
    assert (f"the first {MAX_ARMS} of {num_arms} arms" in read_texts(figure)) == (num_arms > MAX_ARMS)


def test_one_arm_that_explodes_does_not_flatten_the_others() -> None:
    arms = [Arm("a", make_history(6), None), Arm("b", make_history(6, val_loss=1e6), None)]
    figure = plot_comparison(arms, "stable or not?")
    assert figure.panels[1].scale.top < 5
    assert is_inside(figure.panels[1], arms[0].history.series("val_loss"))


def test_a_legend_fits_below_a_single_arm() -> None:
    pixels = np.asarray(plot_comparison([Arm("a", make_history(6), 3)], "one").image)
    assert (pixels[:, :MARGIN] == 255).all()
    assert (pixels[:, -MARGIN:] == 255).all()


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


def test_a_picture_that_does_not_fit_on_the_disk_leaves_the_old_one_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "curves.png"
    path.write_bytes(b"old")

    def fill_up(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fill_up)
    for picture in (Sheet(10, 10, "sheet"), new_figure(1, 1, "figure")):
        with pytest.raises(StorageError, match="No space left on device"):
            save_figure(picture, path)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("curves.png", b"old")]


def test_no_class_name_in_a_script_without_letters_warns(tmp_path: Path) -> None:
    draw(plot_confusion_matrix(np.eye(3, dtype=int), ["猫", "犬", "鳥"], "動物"), tmp_path)
    draw(new_figure(3, 2, "動物"), tmp_path)


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
