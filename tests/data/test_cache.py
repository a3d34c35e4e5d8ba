from __future__ import annotations

import errno
import json
import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from src.data import entry as entry_module
from src.data import files, storage
from src.data.dataset import open_dataset
from src.errors import StorageError
from tests.data.image_files import digits, flat, flat_files, jpeg, pet_files, pets, write_folder


@pytest.fixture
def decoded(monkeypatch):
    """The sizes to which images were decoded, one entry per image."""
    calls = []
    original = files.decode_image

    def spy(content, image_size):
        calls.append(image_size)
        return original(content, image_size)

    monkeypatch.setattr(files, "decode_image", spy)
    return calls


def entry(cache):
    return next(path for path in (cache / "decoded").iterdir() if path.is_dir())


def test_a_second_opening_decodes_nothing(cache, pets_zip, decoded):
    first = open_dataset(pets(pets_zip, cache))
    assert len(decoded) == 20
    again = open_dataset(pets(pets_zip, cache, num_test=4, split_seed=3))
    assert len(decoded) == 20
    assert np.array_equal(first.train.images, again.train.images)


def test_another_size_is_decoded_next_to_the_first(cache, pets_zip, decoded):
    open_dataset(pets(pets_zip, cache))
    assert open_dataset(pets(pets_zip, cache, image_size=16)).train.images.shape == (20, 16, 16, 3)
    assert decoded == [8] * 20 + [16] * 20


def test_a_changed_file_is_decoded_anew(cache, tmp_path, decoded):
    data = write_folder(tmp_path / "pets", pet_files())
    before = open_dataset(pets(data, cache)).fingerprint
    changed = data / "cats_and_dogs_filtered/train/cats/cat.0.jpg"
    changed.write_bytes(jpeg(200))
    os.utime(changed, ns=(1, 1))
    assert open_dataset(pets(data, cache)).fingerprint != before
    assert len(decoded) == 40


@pytest.mark.parametrize("damage", ["truncated images", "empty images", "broken meta", "missing labels", "no entries"])
def test_a_damaged_cache_is_rebuilt_with_a_warning(cache, pets_zip, decoded, caplog, damage):
    fingerprint = open_dataset(pets(pets_zip, cache)).fingerprint
    folder = entry(cache)
    match damage:
        case "truncated images":
            os.truncate(folder / "images.npy", 1000)
        case "empty images":
            os.truncate(folder / "images.npy", 0)
        case "broken meta":
            (folder / "meta.json").write_text('{"file_names": [')
        case "missing labels":
            (folder / "labels.npy").unlink()
        case "no entries":
            meta = json.loads((folder / "meta.json").read_text())
            (folder / "meta.json").write_text(json.dumps(meta | {"file_names": []}))
    with caplog.at_level(logging.WARNING):
        again = open_dataset(pets(pets_zip, cache))
    assert again.fingerprint == fingerprint
    assert len(decoded) == 40
    assert "are damaged" in caplog.text


def test_what_a_killed_process_left_is_cleared_away(cache, pets_zip):
    open_dataset(pets(pets_zip, cache))
    folder = entry(cache)
    unfinished = folder.with_name(folder.name + ".tmp")
    shutil.move(folder, unfinished)
    os.truncate(unfinished / "images.npy", 500)
    open_dataset(pets(pets_zip, cache))
    assert folder.is_dir()
    assert not unfinished.exists()


def test_an_error_while_decoding_leaves_no_half_cache(cache, tmp_path, monkeypatch):
    data = write_folder(tmp_path / "kaggle", flat_files())

    def fail(content, image_size):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "decode_image", fail)
        with pytest.raises(KeyboardInterrupt):
            open_dataset(flat(data, cache))
    assert [path.suffix for path in (cache / "decoded").iterdir()] == [".lock"]
    assert len(open_dataset(flat(data, cache)).train) == 8


def test_a_file_in_place_of_the_cache_folder_is_a_storage_error_with_the_ways_out(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file cannot be written to.*GB free.*dataset.cache_dir=.*FITGAP_CACHE_DIR"):
        open_dataset(digits(tmp_path / "file"))
    with pytest.raises(StorageError, match="Not a directory"):
        open_dataset(digits(tmp_path / "file" / "below"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_full_or_read_only_disk_is_a_storage_error_and_leaves_nothing(cache, pets_zip, monkeypatch, number):
    def fail(descriptor):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(entry_module.os, "fsync", fail)
        with pytest.raises(StorageError, match=os.strerror(number)):
            open_dataset(pets(pets_zip, cache))
    assert not [path for path in (cache / "decoded").iterdir() if path.is_dir()]
    open_dataset(pets(pets_zip, cache))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_disk_that_fills_up_while_images_are_written_is_a_storage_error(cache, pets_zip, monkeypatch):
    # A real ENOSPC from a real write: the file that is to be filled leads to the device that is always full.
    original = Path.mkdir

    def mkdir(self, *args, **kwargs):
        original(self, *args, **kwargs)
        if self.name.endswith(".tmp"):
            (self / "images.npy").symlink_to("/dev/full")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(StorageError, match="No space left on device"):
        open_dataset(pets(pets_zip, cache))


def test_a_tilde_in_the_cache_folder_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    open_dataset(digits("~/images"))
    assert (tmp_path / "images" / "decoded").is_dir()


def _open_and_report(config, results):
    import contextlib
    import io

    captured = io.StringIO()
    with contextlib.redirect_stderr(captured):
        dataset = open_dataset(config)
    results.put((dataset.fingerprint, "Decoding" in captured.getvalue()))


def test_of_four_processes_that_ask_at_once_one_decodes(cache, tmp_path):
    data = write_folder(tmp_path / "kaggle", flat_files(per_class=40))
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    config = flat(data, cache, image_size=200)
    processes = [context.Process(target=_open_and_report, args=(config, results)) for _ in range(4)]
    for process in processes:
        process.start()
    reports = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert len({fingerprint for fingerprint, _ in reports}) == 1
    assert sum(has_decoded for _, has_decoded in reports) == 1


_SLOW_DECODING = """
import itertools, signal, sys, threading
from pathlib import Path
from src.data import files
from src.data.dataset import open_dataset
from tests.data.image_files import flat

interrupted, count, decode_image = threading.Event(), itertools.count(1), files.decode_image

def interrupt(number, frame):
    interrupted.set()
    raise KeyboardInterrupt

def decode(content, image_size):
    images_so_far = next(count)
    # Of the threads that decode, one speaks: two at once would run their words together.
    if images_so_far == 6:
        print("decoding", flush=True)
    if images_so_far > 5:
        interrupted.wait()
    return decode_image(content, image_size)

signal.signal(signal.SIGINT, interrupt)
files.decode_image = decode
open_dataset(flat(sys.argv[1], Path(sys.argv[2])))
"""


def test_ctrl_c_while_images_are_decoded_leaves_nothing_and_who_has_waited_decodes_them(
    cache, tmp_path, decoded, monkeypatch, caplog
):
    data = write_folder(tmp_path / "kaggle", flat_files())
    arguments = [sys.executable, "-c", _SLOW_DECODING, str(data), str(cache)]
    monkeypatch.setattr(storage, "_PATIENCE_SECONDS", 0)
    with ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True))
        threads = stack.enter_context(ThreadPoolExecutor())
        stack.callback(process.kill)
        assert process.stdout.readline() == "decoding\n"
        assert [path.suffix for path in sorted((cache / "decoded").iterdir())] == [".lock", ".tmp"]
        with caplog.at_level(logging.INFO):
            waiting = threads.submit(open_dataset, flat(data, cache))
            while "waiting for it" not in caplog.text:
                assert not waiting.done()
                time.sleep(0.01)
        assert decoded == []
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
        assert len(waiting.result(60).train) == 8
    assert len(decoded) == 16
    assert [path.suffix for path in sorted((cache / "decoded").iterdir())] == ["", ".lock"]
