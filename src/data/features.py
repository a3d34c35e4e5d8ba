"""Features on disk: what a backbone makes of images, computed once, then memory-mapped by every run and process.

<cache_dir>/features/<key>/features.npy     [rows, width], in the precision in which the backbone gave them
                           identity.json    what they were computed from, for people; the key is its hash
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.data.entry import open_entry, write_rows
from src.data.storage import cache_folder

#: Part of every key: raise it when what is computed from the same images, or how it is stored, changes.
FEATURES_FORMAT = 1


def open_features(
    name: str,
    identity: object,
    cache_dir: str,
    *,
    shape: tuple[int, int],
    dtype: np.dtype[Any],
    compute: Callable[[], Iterable[NDArray[Any]]],
) -> NDArray[Any]:
    """Opens features and computes them first where the cache does not hold them.

    Of several processes that ask at once, one computes and the others wait.

    Args:
        name: What computes them, the readable start of the cache's key.
        identity: JSON-serializable value that changes whenever the features may have.
        cache_dir: The cache folder as configured.
        shape: Rows and width.
        dtype: Their type, one of NumPy's or bfloat16.
        compute: Gives the rows in pieces, in order; called only if they must be computed.

    Returns:
        The features, memory-mapped, read-only.

    Raises:
        StorageError: The cache folder cannot be written to.
    """
    content = json.dumps([FEATURES_FORMAT, name, shape, str(dtype), identity], indent=1)
    key = f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    root = cache_folder(cache_dir)
    return open_entry(
        root,
        root / "features" / key,
        "cached features",
        partial(_read, shape=shape, dtype=dtype),
        lambda folder: _write(folder, content, compute(), shape, dtype),
        again="computed",
    )


def _read(folder: Path, shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    stored = np.load(folder / "features.npy", mmap_mode="r")
    if stored.shape != shape or stored.dtype != _stored(dtype):
        raise ValueError(f"{stored.dtype} {stored.shape} found where {_stored(dtype)} {shape} was expected")
    features: NDArray[Any] = stored.view(dtype)
    return features


def _write(
    folder: Path, content: str, pieces: Iterable[NDArray[Any]], shape: tuple[int, int], dtype: np.dtype[Any]
) -> None:
    (folder / "identity.json").write_text(content, encoding="utf-8")
    with write_rows(folder / "features.npy", _stored(dtype), shape[1:], shape[0]) as append:
        for rows in pieces:
            append(rows.view(_stored(dtype)))


def _stored(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Returns the type on disk: NumPy's files know no bfloat16, whose bits are kept as integers."""
    return np.dtype(f"u{dtype.itemsize}") if dtype.kind == "V" else dtype
