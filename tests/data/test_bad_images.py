from __future__ import annotations

import logging

import numpy as np
import pytest
from PIL import Image

from src.data.dataset import open_dataset
from src.data.decoding import BadImageError, decode_image
from src.errors import DataError
from tests.data.image_files import encode, flat, flat_files, jpeg, truncated_jpeg, write_folder, write_zip


def bad_folder(tmp_path, count=1):
    bad = {f"train/cat.{1000 + number}.jpg": b"no image at all" for number in range(count)}
    return write_folder(tmp_path / "kaggle", flat_files() | bad)


def test_a_truncated_jpeg_is_reported_by_name(cache, tmp_path):
    data = write_folder(tmp_path / "kaggle", flat_files() | {"train/dog.77.jpg": truncated_jpeg()})
    with pytest.raises(DataError, match=r"1 of the 17 images .*\n  dog.77.jpg: .*truncated.*\n.*max_bad_images=1"):
        open_dataset(flat(data, cache))


def test_a_file_that_is_no_image_and_an_empty_one_are_reported_with_their_reasons(cache, tmp_path):
    data = write_folder(tmp_path / "kaggle", flat_files() | {"train/cat.91.jpg": b"", "train/dog.92.jpg": b"<html>"})
    with pytest.raises(DataError, match=r"cat.91.jpg: the file is empty\n  dog.92.jpg: it is no image"):
        open_dataset(flat(data, cache))


def test_a_zip_member_with_a_wrong_checksum_is_a_bad_image(cache, tmp_path):
    path = write_zip(tmp_path / "flat.zip", flat_files())
    content = path.read_bytes()
    path.write_bytes(content.replace(jpeg(3), jpeg(3)[:-10] + b"0123456789"))
    with pytest.raises(DataError, match=r"cat.3.jpg: it is damaged in the zip"):
        open_dataset(flat(path, cache))


def test_bad_files_up_to_the_allowed_count_are_left_out_named_and_recorded(cache, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        dataset = open_dataset(flat(bad_folder(tmp_path, 2), cache, max_bad_images=2))
    assert [name.split(":")[0] for name in dataset.bad_files] == ["cat.1000.jpg", "cat.1001.jpg"]
    assert "cat.1000.jpg" in caplog.text
    assert "cat.1001.jpg" in caplog.text
    assert len(dataset.file_names) == len(dataset.train.images) == 16
    assert dataset.file_names[8] == "dog.0.jpg"
    # The images behind the gap are still the right ones.
    assert np.array_equal(dataset.train.images[8], decode_image(jpeg(100), 8))


def test_bad_files_are_told_again_when_the_images_come_from_the_cache(cache, tmp_path, caplog):
    data = bad_folder(tmp_path)
    first = open_dataset(flat(data, cache, max_bad_images=1))
    caplog.clear()
    again = open_dataset(flat(data, cache, max_bad_images=1))
    assert again.bad_files == first.bad_files
    assert "cat.1000.jpg" in caplog.text
    with pytest.raises(DataError, match=r"allows 0:\n  cat.1000.jpg"):
        open_dataset(flat(data, cache))


def test_ten_of_many_bad_files_are_listed(cache, tmp_path):
    with pytest.raises(DataError, match=r"12 of the 28 images") as caught:
        open_dataset(flat(bad_folder(tmp_path, 12), cache, max_bad_images=11))
    assert str(caught.value).count("no image") == 10
    assert "and 2 more" in str(caught.value)
    assert "dataset.max_bad_images=12" in str(caught.value)


def test_a_data_set_without_any_readable_image_is_an_error(cache, tmp_path):
    data = write_folder(tmp_path / "kaggle", {"cat.0.jpg": b"x", "dog.0.jpg": b"y"})
    with pytest.raises(DataError, match="None of the 2 images of"):
        open_dataset(flat(data, cache, max_bad_images=5))


def test_a_link_to_nothing_is_a_bad_image(cache, tmp_path):
    data = write_folder(tmp_path / "kaggle", flat_files())
    (data / "train" / "cat.55.jpg").symlink_to(tmp_path / "gone.jpg")
    assert "link to nothing" in open_dataset(flat(data, cache, max_bad_images=1)).bad_files[0]


def test_an_oblong_image_is_squashed_to_a_square():
    left, right = Image.new("RGB", (20, 10), (200, 0, 0)), Image.new("RGB", (20, 10), (0, 0, 200))
    both = Image.new("RGB", (40, 10))
    both.paste(left, (0, 0))
    both.paste(right, (20, 0))
    pixels = decode_image(encode(both, "PNG"), 8)
    assert pixels.shape == (8, 8, 3)
    assert pixels[:, 0].tolist() == [[200, 0, 0]] * 8
    assert pixels[:, -1].tolist() == [[0, 0, 200]] * 8


@pytest.mark.parametrize(
    ("image", "kind", "colour"),
    [
        (Image.new("L", (4, 4), 90), "PNG", [90, 90, 90]),
        (Image.new("RGBA", (4, 4), (9, 8, 7, 0)), "PNG", [9, 8, 7]),
        (Image.new("P", (4, 4), 0), "GIF", [0, 0, 0]),
        (Image.new("1", (4, 4), 1), "BMP", [255, 255, 255]),
        (Image.fromarray(np.full((4, 4), 0x8040, np.uint16)), "PNG", [0x80, 0x80, 0x80]),
    ],
)
def test_images_of_every_mode_become_rgb(image, kind, colour):
    assert decode_image(encode(image, kind), 8)[3, 3].tolist() == colour


def test_a_photograph_is_turned_upright(tmp_path):
    image = Image.new("RGB", (8, 8), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 8, 4))
    exif = Image.Exif()
    exif[0x0112] = 3  # Upside down.
    image.save(tmp_path / "photo.png", exif=exif)
    pixels = decode_image((tmp_path / "photo.png").read_bytes(), 8)
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[7, 0].tolist() == [255, 255, 255]


def test_a_postscript_file_is_no_image():
    with pytest.raises(BadImageError, match="no image"):
        decode_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 8)
