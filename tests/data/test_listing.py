from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from src.data import listing
from src.data.decoding import BadImageError
from src.data.listing import ImageListing, decode_all


class Decoder:
    """Makes image `n` of the number `n`, notes which it has begun, and finds every tenth bad."""

    def __init__(self) -> None:
        self.begun: set[int] = set()
        self.threads: set[int] = set()

    def __call__(self, position: int) -> NDArray[np.uint8]:
        self.begun.add(position)
        self.threads.add(threading.get_ident())
        if position % 10 == 9:
            raise BadImageError(f"{position} is bad")
        return np.full((1, 1, 3), position % 256, np.uint8)


def list_images(count: int, decode: Decoder) -> ImageListing:
    return ImageListing(tuple(map(str, range(count))), np.zeros(count, np.int32), decode)


def test_images_come_in_order_with_the_reasons_of_the_bad_ones_between_them() -> None:
    count = 2 * listing._AHEAD + 30
    decoded = list(decode_all(list_images(count, Decoder()), "Decoding"))
    assert [position for position, _ in decoded] == list(range(count))
    for position, image in decoded:
        if position % 10 == 9:
            assert str(image) == f"{position} is bad"
        else:
            assert np.array_equal(image, np.full((1, 1, 3), position % 256, np.uint8))


def test_fewer_images_than_are_decoded_ahead_are_all_decoded() -> None:
    assert len(list(decode_all(list_images(3, Decoder()), "Decoding"))) == 3
    assert list(decode_all(list_images(0, Decoder()), "Decoding")) == []


def test_no_more_images_wait_to_be_written_than_are_decoded_ahead() -> None:
    decode = Decoder()
    for position, _ in decode_all(list_images(4 * listing._AHEAD, decode), "Decoding"):
        assert max(decode.begun) <= position + listing._AHEAD


def test_what_nobody_wants_any_more_is_not_decoded() -> None:
    decode = Decoder()
    images = decode_all(list_images(10_000, decode), "Decoding")
    next(images)
    images.close()
    begun = len(decode.begun)
    assert begun <= listing._AHEAD + 1
    assert not any(thread.ident in decode.threads for thread in threading.enumerate())
