"""One HTTP request for a file, or for the rest of a file that came in part."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from src.data.progress import report_progress
from src.errors import DataError

_TIMEOUT_SECONDS = 30.0
_BLOCK_BYTES = 2**18


class InterruptedTransferError(Exception):
    """The file did not come, or not all of it; what came is kept. The message is the reason.

    Attributes:
        final: Trying again at once is of no use.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        """Keeps the reason; see the class."""
        super().__init__(reason)
        self.final = final


def receive(url: str, part: Path, expected_bytes: int | None) -> None:
    """Requests what is missing of a file once, and appends it to what is there.

    Args:
        url: An http or https address.
        part: The file as far as it has come; it need not be there.
        expected_bytes: The size that the whole file must have, if it is known beforehand.

    Raises:
        InterruptedTransferError: The file is not complete.
        DataError: The file has another size than expected.
    """
    start = part.stat().st_size if part.exists() else 0
    with _request(url, start) as response:
        first, total = _content_range(response.headers.get("Content-Range"))
        if response.status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            if total != start:
                part.unlink()
                raise InterruptedTransferError("the server has a different file than the one begun")
            return  # Everything was there already.
        if response.status == http.client.PARTIAL_CONTENT:
            if first != start:
                part.unlink()
                raise InterruptedTransferError("the server sent another part of the file than the one asked for")
        else:
            start = 0  # The server does not resume: from the beginning.
            length = response.headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
        _check_size(url, total, expected_bytes)
        task = f"Resuming {url}" if start else f"Downloading {url}"
        with part.open("ab" if start else "wb") as file, report_progress(task, total, "bytes", start) as advance:
            while block := _read_block(response):
                file.write(block)
                advance(len(block))
    size = part.stat().st_size
    if total is not None and size != total:
        if size > total:
            part.unlink()
        raise InterruptedTransferError(f"the connection ended after {size:,} of {total:,} bytes")
    try:
        _check_size(url, size, expected_bytes)
    except DataError:
        part.unlink()
        raise


def _request(url: str, start: int) -> http.client.HTTPResponse | urllib.error.HTTPError:
    """Asks for a file from a position on; an answer that there is nothing from there on is returned as well."""
    headers = {"User-Agent": "fitgap", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
        return response
    except urllib.error.HTTPError as error:
        if start and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return error
        error.close()
        passing = error.code >= 500 or error.code in (408, 429)
        raise InterruptedTransferError(f"the server answered {error.code} {error.reason}", final=not passing) from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        # No network, nobody there, a wrong address or certificate: that does not change within seconds.
        lasting = (socket.gaierror, ConnectionRefusedError, ssl.SSLCertVerificationError, http.client.InvalidURL, str)
        text = str(reason) or type(reason).__name__
        raise InterruptedTransferError(text, final=isinstance(reason, lasting)) from error


def _read_block(response: http.client.HTTPResponse | urllib.error.HTTPError) -> bytes:
    try:
        # What has come so far, unlike `read`, which loses half a block when the connection falls silent.
        return response.read1(_BLOCK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        # Caught here, apart from the errors of writing, which are about the disk.
        raise InterruptedTransferError(f"the connection broke: {str(error) or type(error).__name__}") from error


def _check_size(url: str, size: int | None, expected_bytes: int | None) -> None:
    if size is not None and expected_bytes is not None and size != expected_bytes:
        raise DataError(
            f"{url} must have {expected_bytes:,} bytes, but the server sends {size:,}. Something between here and "
            "there answers in its place, or the file has changed; give a copy of it as dataset.url=PATH."
        )


def _content_range(header: str | None) -> tuple[int | None, int | None]:
    """Returns the first position and the total of `bytes 5-9/10` or `bytes */10`, each None if it is not told."""
    match = re.fullmatch(r"bytes (?:\*|(\d+)-\d+)/(\d+|\*)", header or "")
    if not match:
        return None, None
    first, total = match.groups()
    return int(first) if first else None, int(total) if total.isdecimal() else None
