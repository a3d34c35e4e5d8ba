"""Images named by files and folders are found in an order, and decoded as those of a data set are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.data.decoding import BadImageError
from src.data.files import open_files
from src.data.folder import find_image_folder
from src.data.loose import find_images, read_images
from src.errors import DataError
from tests.data.image_files import class_files, encode, jpeg, truncated_jpeg, write_folder


def test_a_folder_gives_its_images_at_any_depth_in_natural_order(tmp_path: Path) -> None:
    names = ["a/10.jpg", "a/2.JPG", "b.png", "a/deep/er/1.webp"]
    write_folder(tmp_path, dict.fromkeys([*names, "notes.txt", ".hidden.jpg", "a/.cache/x.jpg"], b""))
    found = [str(path.relative_to(tmp_path)) for path in find_images([tmp_path])]
    assert found == ["a/2.JPG", "a/10.jpg", "a/deep/er/1.webp", "b.png"]


def test_files_and_folders_stay_in_the_order_in_which_they_are_named(tmp_path: Path) -> None:
    write_folder(tmp_path, {"z.jpg": b"", "folder/a.jpg": b"", "b.jpg": b""})
    paths = [tmp_path / "z.jpg", tmp_path / "folder", tmp_path / "b.jpg"]
    assert find_images(paths) == (paths[0], tmp_path / "folder" / "a.jpg", paths[2])


def test_a_file_that_is_named_itself_counts_whatever_its_ending(tmp_path: Path) -> None:
    write_folder(tmp_path, {"scan.tiff": b"", "plain": b""})
    assert find_images([tmp_path / "scan.tiff", tmp_path / "plain"]) == (tmp_path / "scan.tiff", tmp_path / "plain")


def test_all_paths_that_do_not_exist_are_named_at_once(tmp_path: Path) -> None:
    write_folder(tmp_path, {"here.jpg": b""})
    with pytest.raises(DataError, match=r"no file or folder .*one\.jpg, .*two\. Check"):
        find_images([tmp_path / "one.jpg", tmp_path / "here.jpg", tmp_path / "two"])


def test_a_folder_without_images_is_an_error_that_names_it_and_the_endings(tmp_path: Path) -> None:
    write_folder(tmp_path, {"good/a.jpg": b"", "texts/notes.txt": b""})
    with pytest.raises(DataError, match=r"texts holds no image \(\.jpg, \.jpeg, \.png"):
        find_images([tmp_path / "good", tmp_path / "texts"])


def test_files_are_decoded_exactly_as_those_of_a_data_set(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 23, 3), dtype=np.uint8)
    files = class_files({"cat": 2, "dog": 2})
    files |= {
        "cat/tall.png": encode(Image.fromarray(noise), "PNG"),
        "cat/clear.png": encode(Image.fromarray(noise).convert("RGBA"), "PNG"),
        "dog/grey.jpg": encode(Image.fromarray(noise[..., 0]), "JPEG"),
    }
    folder = write_folder(tmp_path / "images", files)
    endings = (".png", ".jpg")
    opened = open_files(
        "mine", str(folder), 16, str(tmp_path / "cache"), lambda source: find_image_folder(source, endings)
    )

    paths = [folder / name for name in opened.decoded.file_names]
    images = read_images(paths, 16)

    np.testing.assert_array_equal(np.array(images), opened.decoded.images)
    assert len(images) == 7


def test_a_file_that_is_no_whole_image_gives_a_reason_in_its_place(tmp_path: Path) -> None:
    write_folder(
        tmp_path, {"cut.jpg": truncated_jpeg(), "good.jpg": jpeg(1), "text.jpg": b"Dear diary", "void.jpg": b""}
    )
    paths = [tmp_path / name for name in ("cut.jpg", "good.jpg", "text.jpg", "void.jpg", "gone.jpg")]

    decoded = read_images(paths, 8)

    assert [isinstance(image, BadImageError) for image in decoded] == [True, False, True, True, True]
    reasons = [str(image) for image in decoded if isinstance(image, BadImageError)]
    assert "truncated" in reasons[0]
    assert reasons[1:] == [
        "it is no image of a format that can be read",
        "the file is empty",
        "the file cannot be read: No such file or directory",
    ]


@pytest.mark.skipif(os.name != "posix", reason="names are text elsewhere")
def test_a_name_that_is_not_utf_8_is_found_and_read(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))
    path.write_bytes(jpeg(1))
    found = find_images([tmp_path])
    assert found == (path,)
    [image] = read_images(found, 8)
    assert isinstance(image, np.ndarray)
