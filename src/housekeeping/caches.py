"""What the cache folder holds that can be made again: decoded images, features, downloads."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from src.housekeeping.holding import DECODED, DOWNLOADS, FEATURES, Holding, measure
from src.occupancy import find_claimants, find_openers

#: What marks an entry as one of ours, by kind.
_MARKS = {DECODED: "meta.json", FEATURES: "identity.json"}
_FOLDERS = {DECODED: "decoded", FEATURES: "features"}
#: How downloads are called: the beginning of a hash, and the file's own name.
_DOWNLOAD = re.compile(r"[0-9a-f]{8}-.+(?<!\.part)(?<!\.lock)")


def cache_folder() -> Path:
    """Returns the cache folder of data sets whose configuration names no other."""
    return Path(os.environ.get("FITGAP_CACHE_DIR") or "~/.cache/fitgap").expanduser().absolute()


def find_caches(root: Path, keep: str = "") -> Iterator[Holding]:
    """Yields what a cache folder holds, of what fitgap has written there alone.

    Args:
        root: The cache folder.
        keep: Why nothing of it may be deleted; empty where it may.
    """
    opened = find_openers([root]) if root.exists() else {}
    claimants = list(find_claimants().values())
    if claimants:
        keep = keep or f"a sweep runs or waits, process {claimants[0]}"
    for kind, path in _list_entries(root):
        process = _find_opener(opened, path)
        reason = keep or (f"process {process} uses it" if process is not None else "")
        # Another process may delete it at this moment.
        with contextlib.suppress(FileNotFoundError):
            files = [path.stat(), *(file.stat() for file in path.iterdir())] if path.is_dir() else [path.stat()]
            used_at = max(max(status.st_atime, status.st_mtime) for status in files)
            yield Holding(kind, path, measure(path), used_at, path.name, keep=reason)


def delete_cache(holding: Holding) -> bool:
    """Deletes an entry of the cache, unless another process is making it; a reader never sees a part of it.

    Raises:
        OSError: It cannot be deleted.
    """
    path = holding.path
    try:
        with FileLock(path.with_name(path.name + ".lock"), timeout=0):
            if not path.is_dir():
                path.unlink(missing_ok=True)
                return True
            # As if it was being made: what is left of it is then removed by whoever makes it again.
            doomed = path.with_name(path.name + ".tmp")
            shutil.rmtree(doomed, ignore_errors=True)
            path.rename(doomed)
            shutil.rmtree(doomed)
    except Timeout:
        return False
    return True


def _find_opener(opened: Mapping[Path, int], place: Path) -> int | None:
    """Returns a process that has a file at or below a place open."""
    resolved = place.resolve()
    return next((process for path, process in opened.items() if path.is_relative_to(resolved)), None)


def _list_entries(root: Path) -> Iterator[tuple[str, Path]]:
    for kind, mark in _MARKS.items():
        for path in sorted((root / _FOLDERS[kind]).glob("*")):
            if path.is_dir() and not path.is_symlink() and path.suffix != ".tmp" and (path / mark).is_file():
                yield kind, path
    for path in sorted((root / "downloads").glob("*")):
        if path.is_file() and not path.is_symlink() and _DOWNLOAD.fullmatch(path.name):
            yield DOWNLOADS, path
