"""What is asked of a model and how it is told, with a network that only says how red an image is."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from src import prediction
from src.config.paths import PROJECT_ROOT
from src.errors import ConfigError, DataError, StorageError
from src.prediction import Prediction, Predictions, escape, predict_images
from src.prediction_table import print_predictions, write_csv
from src.tracking.lookup import FoundModel
from src.tracking.run import start_run
from src.tracking.store import Store
from tests.data.image_files import encode, truncated_jpeg, write_folder

RUN_ID = "0123456789abcdef0123456789abcdef"


def red(share: float) -> bytes:
    """Returns a PNG whose pixels are so red."""
    return encode(Image.new("RGB", (5, 9), (round(share * 255), 0, 0)), "PNG")


def make_model(*class_names: str) -> FoundModel:
    return FoundModel(RUN_ID, "tiny", "sqlite:///x.db", "file:///x", 8, class_names)


def make_predictions(
    paths: list[str], rows: list[list[float]], class_names: tuple[str, ...], unreadable: tuple[str, ...] = ()
) -> Predictions:
    images = [Prediction(Path(path), np.array(row, np.float32)) for path, row in zip(paths, rows, strict=True)]
    return Predictions(make_model(*class_names), tuple(images), unreadable)


def show(predictions: Predictions, top: int = 1, *, terminal: bool = False, width: int = 80) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, no_color=True, width=width, highlight=False, markup=False)
    print_predictions(console, predictions, top)
    return file.getvalue()


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Puts the network that knows red in the place of a run's; the list grows by the size of each batch it is shown."""
    sizes: list[int] = []

    def infer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        sizes.append(len(images))
        share = images[:, 0, 0, 0].astype(np.float32) / 255
        return np.stack([share, 1 - share], axis=1)

    monkeypatch.setattr(prediction, "find_model", lambda run_id, uri: make_model("red", "black"))
    monkeypatch.setattr(prediction, "_load", lambda model: infer)
    return sizes


def test_images_are_predicted_in_their_order_and_in_batches(batches: list[int], tmp_path: Path) -> None:
    write_folder(tmp_path, {f"{number}.png": red(number / 10) for number in range(11)})

    predictions = predict_images(RUN_ID, [tmp_path], batch_size=4)

    assert batches == [4, 4, 3]
    assert [image.path.name for image in predictions.images] == [f"{number}.png" for number in range(11)]
    shares = [float(image.probabilities[0]) for image in predictions.images]
    assert shares == pytest.approx([number / 10 for number in range(11)], abs=1 / 255)
    predictions.check_complete()


def test_what_cannot_be_read_is_named_and_the_others_are_predicted(batches: list[int], tmp_path: Path) -> None:
    write_folder(tmp_path, {"a.png": red(1), "b.jpg": truncated_jpeg(), "c.png": red(0), "d.txt": b"Dear diary"})

    predictions = predict_images(RUN_ID, [tmp_path, tmp_path / "d.txt"], batch_size=2)

    assert [predictions.rank(image, 1)[0][0] for image in predictions.images] == ["red", "black"]
    with pytest.raises(DataError) as raised:
        predictions.check_complete()
    lines = str(raised.value).splitlines()
    assert lines[0] == "2 of 4 images cannot be read:"
    assert "b.jpg: " in lines[1]
    assert lines[2].endswith("d.txt: it is no image of a format that can be read")


def test_the_most_probable_classes_come_first_and_no_more_than_there_are() -> None:
    predictions = make_predictions(["x"], [[0.25, 0.5, 0.25]], ("a", "b", "c"))
    assert predictions.rank(predictions.images[0], 2) == [("b", 0.5), ("a", 0.25)]
    assert len(predictions.rank(predictions.images[0], 99)) == 3


@pytest.mark.parametrize("run_id", [None, "cat.jpg", "abcde", "ABCDEF", f"{RUN_ID}0", "' OR 1"])
def test_what_is_no_run_id_is_refused_and_where_to_find_one_is_said(run_id: str | None) -> None:
    with pytest.raises(ConfigError, match=r"RUN_ID must come first .* last lines of `python -m src.train`"):
        predict_images(run_id, [Path("cat.jpg")])


def test_no_image_is_an_error_that_says_how_to_name_one() -> None:
    with pytest.raises(ConfigError, match=f"python -m src.predict {RUN_ID} IMAGE"):
        predict_images(RUN_ID, [])


def test_other_programs_get_a_line_per_image_with_tabs() -> None:
    predictions = make_predictions(["a b.jpg", "c.jpg"], [[0.75, 0.25], [0.125, 0.875]], ("cat", "dog"))
    assert show(predictions) == "a b.jpg\tcat\t0.750000\nc.jpg\tdog\t0.875000\n"
    assert show(predictions, 2).splitlines()[1] == "c.jpg\tdog\t0.875000\tcat\t0.125000"


def test_a_line_for_other_programs_is_never_broken_however_long_it_is() -> None:
    name = "a/" * 200 + "x.jpg"
    assert show(make_predictions([name], [[1.0, 0.0]], ("cat", "dog"))) == f"{name}\tcat\t1.000000\n"


def test_names_cannot_break_a_line_upset_a_terminal_or_fail_to_be_printed() -> None:
    odd = os.fsdecode(b"a\tb\nc\\d\x1b[31m\xff [bold]\xc3\xa9.jpg")
    predictions = make_predictions([odd], [[1.0, 0.0]], ("cat\n", "dog"))
    escaped = "a\\tb\\nc\\\\d\\x1b[31m\\udcff [bold]é.jpg"
    assert escape(odd) == escaped
    assert show(predictions) == f"{escaped}\tcat\\n\t1.000000\n"
    assert escaped in show(predictions, terminal=True)
    show(predictions, terminal=True).encode()


def test_an_escaped_name_gives_the_name_back() -> None:
    odd = "a\tb\nc\\n\x1b\udcff\u2028é🙂"
    assert escape(odd).encode("latin-1", "backslashreplace").decode("unicode_escape") == odd


def test_a_terminal_gets_a_table_with_the_run_on_top() -> None:
    shown = show(make_predictions(["a.jpg", "b.jpg"], [[0.75, 0.25], [0, 1]], ("cat", "dog")), 2, terminal=True)
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert any("tiny, run " + RUN_ID in line for line in lines)
    assert [line for line in lines if "0." in line or "1." in line] == [
        "a.jpg cat 0.7500",
        "dog 0.2500",
        "b.jpg dog 1.0000",
        "cat 0.0000",
    ]


def test_the_table_of_all_probabilities_holds_them_unrounded_under_any_name(tmp_path: Path) -> None:
    names = ['a "b",\nc.jpg', os.fsdecode(b"\xff.jpg")]
    predictions = make_predictions(names, [[0.1, 0.9], [2 / 3, 1 / 3]], ("class", "dog"))

    write_csv(predictions, tmp_path / "new" / "table.csv")

    with (tmp_path / "new" / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["path", "class", "probability.class", "probability.dog"]
    assert [row[:2] for row in rows[1:]] == [[names[0], "dog"], ["\\udcff.jpg", "class"]]
    written = np.array([[np.float32(cell) for cell in row[2:]] for row in rows[1:]])
    np.testing.assert_array_equal(written, np.stack([image.probabilities for image in predictions.images]))


def test_a_table_that_cannot_be_written_whole_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions = make_predictions(["a.jpg"], [[1.0, 0.0]], ("cat", "dog"))
    (tmp_path / "table.csv").write_text("old", encoding="utf-8")

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(StorageError, match=r"table\.csv cannot be written: No space left"):
        write_csv(predictions, tmp_path / "table.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    assert (tmp_path / "table.csv").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize("top", ["0", "-1", "some"])
def test_a_number_of_classes_below_one_is_refused(top: str) -> None:
    answer = predict(RUN_ID, "x.jpg", "--top", top)
    assert answer.returncode == 2
    assert "argument --top" in answer.stderr


def test_without_a_run_the_command_ends_as_for_wrong_arguments() -> None:
    answer = predict()
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("Error: RUN_ID must come first")


def test_a_bad_image_alone_is_told_without_loading_tensorflow(store: Store, tmp_path: Path) -> None:
    run = start_run(store, name="tiny", tags={"fitgap.kind": "run"})
    write_folder(tmp_path, {"saved/MLmodel": yaml.safe_dump(FAKE).encode(), "cut.jpg": truncated_jpeg()})
    run.log_model(tmp_path / "saved", step=1)
    assert run.finish().delivered

    # The model has no network: loading it would be another error.
    answer = predict(run.run_id, str(tmp_path / "cut.jpg"), "--uri", store.uri)

    assert (answer.returncode, answer.stdout) == (1, "")
    assert "Error: 1 of 1 images cannot be read:\n  " in answer.stderr
    assert "cut.jpg: " in answer.stderr


#: The description of a model, as `save_model` has MLflow write it, with nothing behind it.
FAKE = {"metadata": {"image_size": 8, "class_names": ["cat", "dog"]}, "flavors": {}}


def predict(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m src.predict` in the project's root."""
    return subprocess.run(
        [sys.executable, "-m", "src.predict", *arguments],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
