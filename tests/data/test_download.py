from __future__ import annotations

import multiprocessing

import pytest

from src.data import files, transfer
from src.data.dataset import open_dataset
from src.errors import DataError, StorageError
from tests.data.image_files import jpeg, pet_files, pets, write_zip


def downloads(cache):
    return sorted(path.name for path in (cache / "downloads").iterdir() if path.suffix != ".lock")


def test_the_zip_is_downloaded_once(cache, server, capsys):
    first = open_dataset(pets(server.url, cache))
    again = open_dataset(pets(server.url, cache, image_size=16))
    assert len(server.requests) == 1
    assert len(first.train) == len(again.train) == 12
    assert first.source == server.url
    assert downloads(cache)[0].endswith("-pets.zip")
    # Not on a terminal: one plain line at the start and one at the end.
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Downloading")]
    assert len(lines) == 2


def test_a_broken_connection_is_resumed_where_it_broke(cache, server):
    server.break_after = [1000, 700]
    assert len(open_dataset(pets(server.url, cache)).train) == 12
    assert server.requests == [None, "bytes=1000-", "bytes=1700-"]


def test_a_server_that_falls_silent_is_left_and_asked_for_the_rest(cache, server, monkeypatch):
    monkeypatch.setattr(transfer, "_TIMEOUT_SECONDS", 0.3)
    server.break_after, server.stalls = [1000], 1
    assert len(open_dataset(pets(server.url, cache)).train) == 12
    assert server.requests == [None, "bytes=1000-"]


def test_a_server_that_ignores_ranges_sends_the_file_again(cache, server):
    server.break_after, server.ranges = [1000], False
    assert len(open_dataset(pets(server.url, cache)).train) == 12
    assert server.requests == [None, "bytes=1000-"]


def test_a_download_that_an_earlier_process_began_is_continued(cache, server):
    server.break_after = [500] * 5
    with pytest.raises(DataError, match="the connection ended after 2,500 of"):
        open_dataset(pets(server.url, cache))
    assert downloads(cache)[0].endswith("-pets.zip.part")
    assert len(open_dataset(pets(server.url, cache)).train) == 12
    assert server.requests[-1] == "bytes=2500-"
    assert len(server.requests) == 6


def test_a_finished_part_that_was_not_renamed_is_used(cache, server):
    server.break_after = [0] * 5
    with pytest.raises(DataError):
        open_dataset(pets(server.url, cache))
    part = next((cache / "downloads").glob("*.part"))
    part.write_bytes(server.content)
    assert len(open_dataset(pets(server.url, cache)).train) == 12
    assert server.requests[-1] == f"bytes={len(server.content)}-"


@pytest.mark.parametrize("extra", [0, 10_000_000])
def test_a_part_of_an_older_file_is_not_mixed_with_the_new_one(cache, server, extra):
    server.break_after = [0] * 5
    with pytest.raises(DataError):
        open_dataset(pets(server.url, cache))
    part = next((cache / "downloads").glob("*.part"))
    part.write_bytes(b"old" * 300 + bytes(extra))
    assert len(open_dataset(pets(server.url, cache)).train) == 12
    assert server.requests[-1] is None


def test_a_server_that_is_busy_is_asked_again(cache, server):
    server.failures = [503, 429]
    assert len(open_dataset(pets(server.url, cache)).train) == 12


def test_a_wrong_address_is_not_asked_again_and_the_ways_out_are_told(cache, server):
    server.failures = [404]
    with pytest.raises(DataError, match=r"answered 404 Not Found.*dataset.url=file:///.*dataset=digits") as caught:
        open_dataset(pets(server.url, cache))
    assert server.url in str(caught.value)
    assert len(server.requests) == 1


def test_without_a_server_the_address_the_reason_and_the_ways_out_are_told(cache, server):
    server.close()
    with pytest.raises(
        DataError, match=r"pets.zip cannot be downloaded: .*refused.*dataset.url=file:///.*dataset=digits"
    ):
        open_dataset(pets(server.url, cache))


def test_a_file_of_another_size_than_the_known_one_is_refused_before_it_is_fetched(cache, server, monkeypatch):
    monkeypatch.setitem(files.KNOWN_BYTES, server.url, 68_606_236)
    with pytest.raises(DataError, match=rf"must have 68,606,236 bytes, but the server sends {len(server.content):,}"):
        open_dataset(pets(server.url, cache))
    assert downloads(cache) == []


def test_the_public_zip_has_a_known_size():
    assert files.KNOWN_BYTES == {"https://storage.googleapis.com/mledu-datasets/cats_and_dogs_filtered.zip": 68_606_236}


@pytest.mark.parametrize("content", ["page", "damaged", "other", "unsafe"])
def test_a_download_that_is_not_the_data_set_is_thrown_away(cache, server, tmp_path, content):
    good = server.content
    match content:
        case "page":
            server.content, message = b"<!DOCTYPE html>" * 9, "not a whole zip"
        case "damaged":
            server.content = good.replace(jpeg(3), jpeg(3)[:-10] + b"0123456789")
            message = "checksum of its member cats_and_dogs_filtered/validation/cats/cat.3.jpg"
        case "other":
            server.content = write_zip(tmp_path / "other.zip", {"roses/1.jpg": jpeg(1)}).read_bytes()
            message = "must hold the folders train and validation"
        case "unsafe":
            files_ = pet_files() | {"../evil.jpg": b"x"}
            server.content, message = write_zip(tmp_path / "evil.zip", files_).read_bytes(), "leads out of the folder"
    with pytest.raises(DataError, match=message):
        open_dataset(pets(server.url, cache))
    assert downloads(cache) == []
    # Once the server is mended, so is the data set.
    server.content = good
    assert len(open_dataset(pets(server.url, cache)).train) == 12


def test_a_download_into_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path, server):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="FITGAP_CACHE_DIR"):
        open_dataset(pets(server.url, tmp_path / "file"))
    assert server.requests == []


def _open(config, results):
    results.put(open_dataset(config).fingerprint)


def test_of_four_processes_that_ask_at_once_one_downloads(cache, server):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_open, args=(pets(server.url, cache), results)) for _ in range(4)]
    for process in processes:
        process.start()
    assert len({results.get(timeout=60) for _ in processes}) == 1
    for process in processes:
        process.join()
    assert len(server.requests) == 1
