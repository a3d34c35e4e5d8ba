from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from src.data.dataset import ImageDataset
from src.training.pipeline import StepBatches, load_ahead, load_batches, load_steps, order_images


def load_epoch(
    digits: ImageDataset, *, epoch: int = 0, seed: int = 0, head: str = "softmax", at_most: int = 1
) -> list[StepBatches]:
    order = order_images(len(digits.train), epoch=epoch, seed=seed)
    return list(load_steps(digits.train, order, batch_size=50, head=head, choose_steps=lambda: at_most))


def unroll(chunks: list[StepBatches]) -> tuple[np.ndarray, np.ndarray]:
    images = np.concatenate([batch for chunk in chunks for batch in chunk.inputs])
    return images, np.concatenate([batch for chunk in chunks for batch in chunk.labels])


def test_every_epoch_holds_every_image_once_in_an_order_of_its_own(digits: ImageDataset) -> None:
    first, second = (unroll(load_epoch(digits, epoch=epoch))[0] for epoch in (0, 1))
    assert not np.array_equal(first, second)
    everything = np.sort(digits.train.load().reshape(120, -1).sum(axis=1))
    for epoch in (first, second):
        np.testing.assert_array_equal(np.sort(epoch.reshape(120, -1).sum(axis=1)), everything)


def test_images_keep_their_labels(digits: ImageDataset) -> None:
    known = {image.tobytes(): label for image, label in zip(digits.train.load(), digits.train.labels, strict=True)}
    images, labels = unroll(load_epoch(digits))
    assert [known[image.tobytes()] for image in images] == labels.tolist()


def test_the_order_depends_on_the_seed_and_the_epoch_alone(digits: ImageDataset) -> None:
    one, same, other = (order_images(120, epoch=3, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(("at_most", "shapes"), [(1, [(1, 50), (1, 50), (1, 20)]), (9, [(2, 50), (1, 20)])])
def test_several_steps_at_a_time_have_the_batches_that_single_ones_have(
    at_most: int, shapes: list[tuple[int, int]], digits: ImageDataset
) -> None:
    chunks = load_epoch(digits, at_most=at_most)
    assert [chunk.inputs.shape[:2] for chunk in chunks] == shapes
    assert [chunk.first for chunk in chunks] == np.cumsum([0, *(len(chunk) for chunk in chunks[:-1])]).tolist()
    for mine, single in zip(unroll(chunks), unroll(load_epoch(digits)), strict=True):
        np.testing.assert_array_equal(mine, single)


def test_the_number_of_steps_can_change_within_an_epoch(digits: ImageDataset) -> None:
    wishes = iter([1, 7, 7])
    order = order_images(120, epoch=0, seed=0)
    chunks = load_steps(digits.train, order, batch_size=10, head="softmax", choose_steps=lambda: next(wishes))
    assert [(chunk.first, len(chunk)) for chunk in chunks] == [(0, 1), (1, 7), (8, 4)]


def test_evaluation_keeps_the_splits_order(digits: ImageDataset) -> None:
    np.testing.assert_array_equal(np.concatenate(list(load_batches(digits.val, 25))), digits.val.load())


def test_a_sigmoids_labels_are_columns_of_floats(digits: ImageDataset) -> None:
    chunk = load_epoch(digits, head="sigmoid")[0]
    assert chunk.labels.shape == (1, 50, 1)
    assert chunk.labels.dtype == np.float32


def test_what_is_loaded_ahead_comes_whole_and_in_order() -> None:
    assert list(load_ahead(iter(range(5)))) == [0, 1, 2, 3, 4]
    assert list(load_ahead(iter(()))) == []


def test_only_one_item_is_loaded_ahead() -> None:
    loaded = []

    def load() -> Iterator[int]:
        for number in range(9):
            loaded.append(number)
            yield number

    batches = load_ahead(load())
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert loaded == [0, 1]


def test_an_error_while_loading_comes_out_where_the_batch_is_wanted() -> None:
    def load() -> Iterator[int]:
        yield 1
        raise OSError("The disk is gone.")

    batches = load_ahead(load())
    assert next(batches) == 1
    with pytest.raises(OSError, match="The disk is gone"):
        next(batches)
