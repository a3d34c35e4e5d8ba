"""Downloading one file once: resumed after an interruption, checked, and safe when several processes ask at once."""

from __future__ import annotations

import hashlib
import re
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from src.data.storage import exclusive, storage_errors
from src.data.transfer import InterruptedTransferError, receive
from src.errors import DataError

_ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 0.5


def download(url: str, root: Path, expected_bytes: int | None, check: Callable[[Path], None]) -> Path:
    """Returns the local copy of a file, and fetches it first where the cache folder does not hold it.

    Args:
        url: An http or https address.
        root: The cache folder.
        expected_bytes: The size that the file must have, if it is known beforehand.
        check: Raises `DataError` if the downloaded file is not what it should be; called before it gets its final name.

    Raises:
        DataError: The file cannot be had, or is not what it should be.
        StorageError: The cache folder cannot be written to.
    """
    name = PurePosixPath(urllib.parse.unquote(urllib.parse.urlsplit(url).path)).name or "download"
    name = re.sub(r"[^\w.-]", "_", name)[-100:]
    target = root / "downloads" / f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-{name}"
    if target.exists():
        return target
    part = target.with_name(target.name + ".part")
    with storage_errors(root), exclusive(target):
        if target.exists():
            return target
        resumed = part.exists()
        _fetch(url, part, expected_bytes)
        try:
            check(part)
        except DataError as error:
            part.unlink()
            if not resumed:
                raise DataError(f"The download from {url} was thrown away. {error}") from error
            # The first half may be of an older version of the file: once more, as a whole.
            _fetch(url, part, expected_bytes)
            check(part)
        part.rename(target)
    return target


def _fetch(url: str, part: Path, expected_bytes: int | None) -> None:
    reason = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        try:
            receive(url, part, expected_bytes)
            return
        except InterruptedTransferError as error:
            reason = str(error)
            if error.final:
                break
    raise DataError(
        f"{url} cannot be downloaded: {reason}. Try again later (a started download is continued); or fetch the file "
        "with a browser and give its path, dataset.url=file:///… or dataset.url=FOLDER_OR_ZIP; or train on the images "
        "that need no download: dataset=digits."
    )
