from __future__ import annotations

import numpy as np
import pytest

from src.data.stratification import apportion, stratify

TABLES = [
    ([10, 10], [5, 5, 10]),
    ([7, 5, 3, 1], [4, 4, 4]),
    ([178, 182, 177, 183, 181, 182, 181, 179, 174, 180], [400, 397, 1000]),
    ([1] * 30, [7, 11, 12]),
    ([97, 1, 1, 1], [33, 33, 34]),
    ([3, 3, 3, 3, 3, 3, 3], [1, 1, 1]),
    ([5, 9], [0, 3]),
]


@pytest.mark.parametrize(("class_counts", "sizes"), TABLES)
def test_every_share_is_within_one_image_of_the_exact_proportion(class_counts, sizes):
    table = apportion(class_counts, sizes)
    exact = np.outer(class_counts, sizes) / sum(class_counts)
    assert np.all(np.abs(table - exact) < 1)
    assert table.sum(axis=0).tolist() == sizes
    assert np.all(table.sum(axis=1) <= class_counts)


def test_shares_that_greedy_rounding_cannot_place_are_placed_all_the_same():
    # The seed is fixed: tables with many open shares, in some of which first choices must be moved.
    generator = np.random.default_rng(0)
    for _ in range(300):
        class_counts = generator.integers(1, 9, size=generator.integers(2, 12))
        cuts = np.sort(generator.integers(0, class_counts.sum() + 1, size=3))
        sizes = [int(size) for size in np.diff([0, *cuts])]
        table = apportion(class_counts, sizes)
        exact = np.outer(class_counts, sizes) / class_counts.sum()
        assert np.all(np.abs(table - exact) < 1)
        assert table.sum(axis=0).tolist() == sizes
        assert np.all(table.sum(axis=1) <= class_counts)


def test_more_images_than_the_pool_holds_cannot_be_drawn():
    with pytest.raises(ValueError, match="5 images cannot be drawn from 4"):
        apportion([2, 2], [5])


def test_the_parts_are_disjoint_and_have_the_sizes_asked_for():
    labels = np.repeat(np.arange(3, dtype=np.int32), [20, 30, 50])
    parts = stratify(labels, {"test": 10, "val": 20, "train": 70}, (0, 0))
    assert {name: len(positions) for name, positions in parts.items()} == {"test": 10, "val": 20, "train": 70}
    assert sorted(np.concatenate(list(parts.values()))) == list(range(100))
    assert np.bincount(labels[parts["val"]]).tolist() == [4, 6, 10]


def test_the_same_seed_draws_the_same_and_another_seed_does_not():
    labels = np.tile(np.arange(2, dtype=np.int32), 50)
    first, again, other = (stratify(labels, {"train": 40}, seed)["train"] for seed in ((1, 0), (1, 0), (2, 0)))
    assert np.array_equal(first, again)
    assert set(first) != set(other)


def test_a_larger_training_split_holds_the_smaller_one_whatever_the_other_sizes():
    labels = np.tile(np.arange(2, dtype=np.int32), 50)
    small = stratify(labels, {"test": 10, "val": 10, "train": 20}, (0, 0))
    large = stratify(labels, {"test": 20, "val": 4, "train": 60}, (0, 0))
    assert set(small["train"]) < set(large["train"])
    assert set(small["test"]) < set(large["test"])


def test_the_drawn_images_do_not_change_between_versions():
    labels = np.tile(np.arange(2, dtype=np.int32), 5)
    parts = stratify(labels, {"val": 2, "train": 4}, (0, 0))
    assert {name: sorted(positions.tolist()) for name, positions in parts.items()} == {
        "val": [4, 9],
        "train": [0, 1, 2, 7],
    }
