"""The program that runs, as a person would type it: told where something is to be done with it later."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def name_program() -> str:
    """Returns how the program was started, without its arguments: `python -m src.train`."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None and spec.name:
        return f"python -m {spec.name.removesuffix('.__main__')}"
    path = Path(sys.argv[0])
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f"python {shlex.quote(str(path))}"


def repeat_command() -> str:
    """Returns the command line that started this process."""
    return " ".join([name_program(), *map(shlex.quote, sys.argv[1:])])
