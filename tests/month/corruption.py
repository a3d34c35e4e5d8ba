"""Checkpoints of which a power cut has left no more than a part."""

from __future__ import annotations

from pathlib import Path


def corrupt_checkpoints(folder: Path) -> list[Path]:
    """Halves and spoils every file below a folder whose name begins with `checkpoint`, and returns them."""
    paths = sorted(path for path in folder.rglob("checkpoint*") if path.is_file())
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(bytes(byte ^ 0xFF for byte in content[: len(content) // 2]))
    return paths
