"""The page as a file, never seen half-written."""

from __future__ import annotations

from pathlib import Path

from src.errors import StorageError
from src.page.content import Page
from src.page.document import render_page
from src.whole_file import write_whole


def write_page(page: Page, path: Path) -> None:
    """Writes a page; the file appears under its name only once it is complete.

    Raises:
        StorageError: The file cannot be written.
    """
    # Names of runs may hold halves of characters that UTF-8 does not know; they must not cost the page.
    encoded = render_page(page).encode("utf-8", errors="replace")
    try:
        write_whole(path, encoded)
    except OSError as error:
        raise StorageError(
            f"The page {path} cannot be written: {error.strerror or error}. Free the disk or choose a folder that may"
            " be written to, then build the report again."
        ) from error
