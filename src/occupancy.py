"""Who uses files at this moment: processes that have them open or mapped, locks that are held, and claims on GPUs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
from collections.abc import Iterable, Iterator
from pathlib import Path


def claims_folder() -> Path:
    """Returns the folder of the claims on this machine's GPUs, which all checkouts of a user share.

    It is the same whatever cache folder a checkout has, unless `FITGAP_CLAIMS_DIR` says otherwise. The machine's name
    is part of it, since several machines may share a home folder.
    """
    chosen = os.environ.get("FITGAP_CLAIMS_DIR") or "~/.cache/fitgap/claims"
    return Path(chosen).expanduser().absolute() / platform.node()


def find_claimants() -> dict[Path, int]:
    """Returns the claims of other processes of this user that run or wait for GPUs, and whose they are."""
    return {path: process for path, process in find_openers([claims_folder()]).items() if path.suffix == ".json"}


def find_openers(roots: Iterable[Path]) -> dict[Path, int]:
    """Returns the files at or below some places that another process of this user has open or mapped, and which has.

    Only Linux says it; elsewhere there are none.
    """
    within = [path.resolve() for path in roots]
    found: dict[Path, int] = {}
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        for path in _list_open(process):
            if any(path.is_relative_to(root) for root in within):
                found[path] = int(process.name)
    return found


def find_held_locks(roots: Iterable[Path]) -> list[Path]:
    """Returns the locks beside some files and below some folders that are held, also by a process of this user."""
    paths = set()
    for root in roots:
        if root.is_dir():
            paths |= {path for name in ("*.lock", "lock") for path in root.rglob(name)}
        else:
            paths.add(root.with_name(root.name + ".lock"))
    return sorted(path for path in paths if path.is_file() and _is_held(path))


def _list_open(process: Path) -> Iterator[Path]:
    """Yields what a process has open or mapped; one that has ended meanwhile, or is another user's, does not say."""
    links: list[Path] = []
    with contextlib.suppress(OSError):
        links = list((process / "fd").iterdir())
    for link in links:
        # One that it has closed meanwhile says nothing of the others.
        with contextlib.suppress(OSError):
            yield link.readlink()
    # What is mapped need not be open any more.
    lines: list[str] = []
    with contextlib.suppress(OSError):
        lines = (process / "maps").read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines:
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5].startswith("/"):
            yield Path(fields[5])


def _is_held(path: Path) -> bool:
    """Whether a process holds a lock; an artifact that is called like one is only read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
