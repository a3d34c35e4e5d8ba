"""Makes what is logged fit for the journal: copies of files, and texts of a length that MLflow takes."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from src.tracking.journal import Journal

MAX_PARAM_LENGTH = 6000
MAX_TAG_LENGTH = 8000
MAX_DIGEST_LENGTH = 36

#: Larger files are linked rather than copied: writing one again would hold up the training.
_MAX_COPIED_BYTES = 64 * 1024 * 1024

_log = logging.getLogger(__name__)


def shorten(text: str, limit: int) -> str:
    """Returns the text, with a mark at its end if it had to be cut to the limit, which is in characters."""
    if len(text) <= limit:
        return text
    mark = f" … [shortened from {len(text)} characters]"
    return text[: limit - len(mark)] + mark


def stage_copy(journal: Journal, source: Path, name: str) -> str | None:
    """Puts a file or folder into the journal under a name and returns the journal's folder for it.

    None, with a warning, if the disk does not take it; it then has to be sent from where it lies.
    """
    try:
        target = journal.stage()
        if source.is_dir():
            # A saved model is never written again, so that a link to it is as good as a copy.
            shutil.copytree(source, target / name, copy_function=_link)
        elif source.stat().st_size > _MAX_COPIED_BYTES:
            _link(str(source), str(target / name))
        else:
            shutil.copyfile(source, target / name)
    except (OSError, shutil.Error) as error:
        _log.warning("%s could not be copied (%s); it is sent from where it lies.", source, error)
        return None
    return target.name


def stage_move(journal: Journal, source: Path, name: str) -> str | None:
    """Moves a folder into the journal under a name; otherwise like `stage_copy`."""
    try:
        target = journal.stage()
        shutil.move(source, target / name)
    except (OSError, shutil.Error) as error:
        _log.warning("%s could not be moved (%s); it is sent from where it lies.", source, error)
        return None
    return target.name


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # Another file system, or one without links.
        shutil.copyfile(source, target)
    return target
