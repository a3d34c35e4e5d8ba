"""Writes every example page into a folder, to be looked at: `python -m tests.page.gallery FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from src.page.files import write_page
from tests.page.examples import EXAMPLES


def main(folder: Path) -> None:
    for name, make in EXAMPLES.items():
        path = folder / f"{name}.html"
        write_page(make(), path)
        print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
