from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from src.data.dataset import open_dataset
from src.errors import DataError
from tests.data.image_files import (
    class_files,
    digits,
    flat,
    flat_files,
    folder,
    jpeg,
    pet_files,
    pets,
    write_folder,
    write_zip,
)

SHARED_ZIP = Path(__file__).parents[3] / "shared" / "data" / "cats_and_dogs_filtered.zip"


def sizes(dataset):
    return [len(split) for split in (dataset.train, dataset.train_eval, dataset.val, dataset.test)]


def test_the_digits_come_in_the_configured_sizes_as_grey_rgb_images(cache):
    dataset = open_dataset(digits(cache))
    assert sizes(dataset) == [1000, 500, 397, 400]
    assert dataset.class_names == tuple("0123456789")
    assert dataset.num_classes == 10
    assert dataset.source == "scikit-learn"
    assert dataset.train.images.shape == (1797, 8, 8, 3)
    image = dataset.train.load(slice(0, 1))[0]
    assert np.array_equal(image[..., 0], image[..., 2])
    # At the digits' own size nothing is interpolated: the darkest dot count, 16, is 255.
    assert dataset.train.images.max() == 255


def test_the_splits_of_the_digits_keep_the_class_proportions_to_within_one_image(cache):
    dataset = open_dataset(digits(cache, num_train=700))
    totals = np.array([178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    for split in (dataset.train, dataset.val, dataset.test):
        counts = np.array([*dataset.class_counts(split).values()])
        assert np.all(np.abs(counts - totals * len(split) / 1797) < 1)


def test_train_val_and_test_are_disjoint_and_train_eval_lies_in_train(cache):
    dataset = open_dataset(digits(cache))
    train, train_eval, val, test = (
        set(split.indices.tolist()) for split in (dataset.train, dataset.train_eval, dataset.val, dataset.test)
    )
    assert not train & val
    assert not train & test
    assert not val & test
    assert train_eval < train


def test_a_small_training_split_is_its_own_train_eval(cache):
    dataset = open_dataset(digits(cache, num_train=30))
    assert sorted(dataset.train_eval.indices) == sorted(dataset.train.indices)


def test_opening_twice_gives_the_same_splits_and_fingerprint_and_another_seed_does_not(cache):
    first, again = open_dataset(digits(cache)), open_dataset(digits(cache))
    other = open_dataset(digits(cache, split_seed=1))
    assert np.array_equal(first.val.indices, again.val.indices)
    assert first.fingerprint == again.fingerprint
    assert set(first.val.indices) != set(other.val.indices)
    assert first.fingerprint != other.fingerprint


def test_a_split_loads_all_some_or_a_slice_of_its_images(cache):
    split = open_dataset(digits(cache)).val
    assert split.load().shape == (397, 8, 8, 3)
    assert np.array_equal(split.load(slice(3, 5)), split.images[split.indices[3:5]])
    assert np.array_equal(split.load(np.array([7, 2])), split.images[split.indices[[7, 2]]])
    assert type(split.load(slice(0, 2))) is np.ndarray
    assert not split.images.flags.writeable


def test_too_many_digits_are_refused_with_the_number_there_is_and_the_key_to_lower(cache):
    with pytest.raises(DataError, match=r"has 1,797 readable images.*Lower dataset.num_train to at most 1000"):
        open_dataset(digits(cache, num_train=1001))


def test_the_images_of_a_pet_zip_are_split_by_its_folders(cache, pets_zip):
    dataset = open_dataset(pets(pets_zip, cache))
    assert sizes(dataset) == [12, 12, 6, 2]
    assert dataset.class_counts(dataset.val) == {"cats": 3, "dogs": 3}
    assert all(dataset.file_names[index].startswith("train/") for index in dataset.train.indices)
    assert all(dataset.file_names[index].startswith("validation/") for index in dataset.test.indices)
    assert dataset.majority_class_accuracy == 0.5
    for index, label in zip(dataset.train.indices, dataset.train.labels, strict=True):
        assert dataset.file_names[index].startswith(("train/cats/", "train/dogs/")[label])


def test_zip_folder_and_file_address_of_the_same_pets_have_the_same_fingerprint(cache, pets_zip, tmp_path):
    extracted = write_folder(tmp_path / "extracted", pet_files())
    nested = write_zip(tmp_path / "nested.zip", {f"data/{name}": content for name, content in pet_files().items()})
    addresses = [pets_zip, pets_zip.as_uri(), extracted, extracted / "cats_and_dogs_filtered", nested]
    assert len({open_dataset(pets(address, cache)).fingerprint for address in addresses}) == 1


def test_the_order_in_which_files_were_made_does_not_matter(cache, tmp_path):
    one = write_folder(tmp_path / "one", pet_files())
    other = write_folder(tmp_path / "other", dict(reversed(pet_files().items())))
    first, second = open_dataset(pets(one, cache)), open_dataset(pets(other, cache))
    assert first.file_names == second.file_names
    assert first.fingerprint == second.fingerprint


def test_names_are_sorted_by_number(cache, tmp_path):
    data = write_folder(tmp_path / "pets", pet_files(train=11))
    names = open_dataset(pets(data, cache)).file_names
    assert names[1:3] == ("train/cats/cat.1.jpg", "train/cats/cat.2.jpg")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_train": 13}, r"12 readable images in its training folder.*Lower dataset.num_train to at most 12"),
        ({"num_val": 7}, r"8 readable images in its validation folder.*Lower dataset.num_val to at most 6"),
        (
            {"num_test": 8},
            r"9 are asked for: dataset.num_test=8 \+ dataset.num_val=1. Lower dataset.num_test to at most 7",
        ),
    ],
)
def test_more_pets_than_there_are_is_an_error_with_the_key_to_lower(cache, pets_zip, changes, message):
    with pytest.raises(DataError, match=message):
        open_dataset(pets(pets_zip, cache, **changes))


def test_a_missing_class_folder_is_named(cache, tmp_path):
    files = {name: content for name, content in pet_files().items() if "validation/dogs" not in name}
    with pytest.raises(DataError, match="has no folder cats_and_dogs_filtered/validation/dogs"):
        open_dataset(pets(write_zip(tmp_path / "pets.zip", files), cache))


def test_an_empty_class_folder_is_named(cache, tmp_path):
    data = write_folder(tmp_path / "pets", pet_files())
    for path in (data / "cats_and_dogs_filtered/train/dogs").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"cats_and_dogs_filtered/train/dogs/ in .* has no image"):
        open_dataset(pets(data, cache))


def test_a_path_that_is_not_there_is_named(cache, tmp_path):
    with pytest.raises(DataError, match=r"dataset.url=.*nowhere does not exist"):
        open_dataset(pets(tmp_path / "nowhere", cache))


def test_an_address_of_another_kind_is_refused(cache):
    with pytest.raises(DataError, match=r"must be http://…, https://…, file:///… or a path, but got ftp://"):
        open_dataset(pets("ftp://example.org/pets.zip", cache))


def test_a_folder_without_train_and_validation_is_refused_with_what_it_holds(cache, tmp_path):
    with pytest.raises(DataError, match=r"must hold the folders train and validation.*but holds roses/, tulips/"):
        open_dataset(pets(write_folder(tmp_path / "flowers", class_files({"roses": 2, "tulips": 2})), cache))


@pytest.mark.parametrize("nested", ["", "train/", "kaggle/train/"])
def test_the_flat_folder_is_labelled_by_the_first_part_of_the_file_name(cache, tmp_path, nested):
    dataset = open_dataset(flat(write_folder(tmp_path / "kaggle", flat_files(folder=nested)), cache))
    assert sizes(dataset) == [8, 8, 4, 4]
    assert dataset.class_names == ("cat", "dog")
    assert dataset.file_names[0] == "cat.0.jpg"
    for index, label in zip(dataset.val.indices, dataset.val.labels, strict=True):
        assert dataset.file_names[index].startswith(("cat.", "dog.")[label])


def test_a_flat_file_of_another_label_is_named(cache, tmp_path):
    files = flat_files() | {"train/bird.1.jpg": jpeg(1)}
    with pytest.raises(DataError, match=r"holds train/bird.1.jpg, whose label"):
        open_dataset(flat(write_zip(tmp_path / "flat.zip", files), cache))


def test_a_flat_folder_without_dogs_is_an_error(cache, tmp_path):
    files = {name: content for name, content in flat_files().items() if "dog" not in name}
    with pytest.raises(DataError, match="the class dog is empty"):
        open_dataset(flat(write_zip(tmp_path / "flat.zip", files), cache))


def test_too_few_flat_images_are_refused_with_the_key_to_lower(cache, tmp_path):
    with pytest.raises(DataError, match=r"16 readable images in all, but 28.*Lower dataset.num_train to at most 8"):
        open_dataset(flat(write_zip(tmp_path / "flat.zip", flat_files()), cache, num_train=20))


def test_class_folders_are_split_by_fractions(cache, tmp_path):
    data = write_folder(tmp_path / "flowers", class_files({"tulips": 20, "daisies": 10, "roses": 10}))
    dataset = open_dataset(folder(data, cache))
    assert dataset.class_names == ("daisies", "roses", "tulips")
    assert sizes(dataset) == [28, 28, 8, 4]
    assert dataset.class_counts(dataset.test) == {"daisies": 1, "roses": 1, "tulips": 2}
    assert dataset.majority_class_accuracy == 0.5


def test_no_test_split_is_an_empty_one(cache, tmp_path):
    data = write_folder(tmp_path / "flowers", class_files({"a": 5, "b": 5}))
    dataset = open_dataset(folder(data, cache, test_fraction=0))
    assert sizes(dataset) == [8, 8, 2, 0]
    assert dataset.test.load().shape == (0, 8, 8, 3)


@pytest.mark.parametrize("validation", ["validation", "val"])
def test_folders_of_their_own_are_used_for_val_and_test(cache, tmp_path, validation):
    files = class_files({"a": 6, "b": 4}, "train/") | class_files({"a": 2, "b": 3}, f"{validation}/")
    files |= class_files({"a": 1, "b": 2}, "test/")
    dataset = open_dataset(folder(write_zip(tmp_path / "mine.zip", {f"mine/{n}": c for n, c in files.items()}), cache))
    assert sizes(dataset) == [10, 10, 5, 3]
    assert all(dataset.file_names[index].startswith(f"{validation}/") for index in dataset.val.indices)


def test_the_names_of_the_parts_may_have_capitals(cache, tmp_path):
    files = class_files({"a": 6, "b": 4}, "Train/") | class_files({"a": 2, "b": 3}, "VAL/")
    files |= class_files({"a": 1, "b": 2}, "Test/")
    dataset = open_dataset(folder(write_folder(tmp_path / "m", files), cache))
    assert dataset.class_names == ("a", "b")
    assert sizes(dataset) == [10, 10, 5, 3]


def test_two_folders_for_one_part_are_refused(cache, tmp_path):
    files = class_files({"a": 3, "b": 3}, "train/") | class_files({"a": 3, "b": 3}, "Train/")
    with pytest.raises(DataError, match=r"holds Train, train, which mean the same"):
        open_dataset(folder(write_zip(tmp_path / "m.zip", files), cache))


@pytest.mark.parametrize("parts", [["training", "test"], ["Val", "extra"], ["test", "validation"]])
def test_parts_without_a_train_folder_are_no_classes(cache, tmp_path, parts):
    files = {name: content for part in parts for name, content in class_files({"a": 3, "b": 3}, f"{part}/").items()}
    named = [part for part in parts if part != "extra"]
    with pytest.raises(DataError) as refused:
        open_dataset(folder(write_folder(tmp_path / "m", files), cache))
    assert f"holds {', '.join(sorted(named))} with folders in" in str(refused.value)
    assert "FOLDER/class/… or FOLDER/train|validation|test/class/…" in str(refused.value)


def test_classes_called_test_and_valid_are_classes(cache, tmp_path):
    dataset = open_dataset(folder(write_folder(tmp_path / "m", class_files({"test": 9, "valid": 9})), cache))
    assert dataset.class_names == ("test", "valid")


def test_val_and_test_are_split_off_train_where_they_have_no_folder(cache, tmp_path):
    dataset = open_dataset(folder(write_folder(tmp_path / "m", class_files({"a": 10, "b": 10}, "train/")), cache))
    assert sizes(dataset) == [14, 14, 4, 2]


def test_a_class_called_train_is_a_class(cache, tmp_path):
    dataset = open_dataset(folder(write_folder(tmp_path / "m", class_files({"car": 9, "train": 9})), cache))
    assert dataset.class_names == ("car", "train")


def test_a_class_in_only_one_part_is_named(cache, tmp_path):
    files = class_files({"a": 3, "b": 3}, "train/") | class_files({"a": 3, "b": 3, "weeds": 1}, "val/")
    with pytest.raises(DataError, match=r"train/ has no folder weeds as val/ does"):
        open_dataset(folder(write_folder(tmp_path / "m", files), cache))


def test_a_single_class_is_refused(cache, tmp_path):
    with pytest.raises(DataError, match="at least two classes, but it holds a"):
        open_dataset(folder(write_folder(tmp_path / "m", class_files({"a": 3})), cache))


def test_images_without_class_folders_are_refused(cache, tmp_path):
    with pytest.raises(DataError, match="at least two classes, but it holds no folder"):
        open_dataset(folder(write_folder(tmp_path / "m", {"1.jpg": jpeg(1)}), cache))


def test_a_class_without_a_file_of_the_configured_endings_says_what_it_holds(cache, tmp_path):
    files = class_files({"a": 3}) | {"b/notes.txt": b"."}
    with pytest.raises(DataError, match=r"class folder b/ .* has no image \(.jpg.*It holds notes.txt"):
        open_dataset(folder(write_folder(tmp_path / "m", files), cache))


def test_other_files_and_hidden_folders_are_ignored_and_deeper_images_belong_to_their_class(cache, tmp_path):
    files = class_files({"a": 4, "b": 4}) | {"a/readme.txt": b".", ".git/x.png": b".", "__MACOSX/a/1.png": b"."}
    files |= {"b/deeper/1.JPG": jpeg(3)}
    dataset = open_dataset(folder(write_folder(tmp_path / "m", files), cache))
    assert len(dataset.file_names) == 9
    assert dataset.file_names[-1] == "b/deeper/1.JPG"


def test_a_link_to_a_parent_folder_does_not_run_forever(cache, tmp_path):
    data = write_folder(tmp_path / "m", class_files({"a": 5, "b": 5}))
    (data / "a" / "loop").symlink_to(data)
    assert len(open_dataset(folder(data, cache)).file_names) == 10


def test_links_to_folders_and_to_files_are_followed(cache, tmp_path):
    elsewhere = write_folder(tmp_path / "elsewhere", class_files({"b": 5}) | {"one.jpg": jpeg(7)})
    data = write_folder(tmp_path / "m", class_files({"a": 5}))
    (data / "b").symlink_to(elsewhere / "b")
    (data / "a" / "linked.jpg").symlink_to(elsewhere / "one.jpg")
    dataset = open_dataset(folder(data, cache))
    assert dataset.class_names == ("a", "b")
    assert len(dataset.file_names) == 11
    assert "a/linked.jpg" in dataset.file_names


def test_a_class_with_no_image_left_to_train_on_is_named(cache, tmp_path):
    data = write_folder(tmp_path / "m", class_files({"a": 1, "b": 40}))
    with pytest.raises(DataError, match="class a of"):
        [open_dataset(folder(data, cache, split_seed=seed, val_fraction=0.9, test_fraction=0)) for seed in range(3)]


def test_an_unknown_folder_next_to_train_is_warned_about(cache, tmp_path, caplog):
    files = class_files({"a": 5, "b": 5}, "train/") | class_files({"a": 1}, "unlabelled/")
    with caplog.at_level(logging.WARNING):
        open_dataset(folder(write_folder(tmp_path / "m", files), cache))
    assert "next to train, unlabelled is not used" in caplog.text


def test_importing_the_data_layer_imports_neither_tensorflow_nor_scikit_learn():
    code = "import sys, src.data.dataset; assert not {'tensorflow', 'sklearn', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.skipif(not SHARED_ZIP.exists(), reason="../shared, the material to check against, is not here")
def test_the_real_data_set_gives_2000_800_and_200_images(cache):
    dataset = open_dataset(pets(SHARED_ZIP, cache, num_test=200))
    assert sizes(dataset) == [2000, 500, 800, 200]
    assert dataset.class_counts(dataset.val) == {"cats": 400, "dogs": 400}
