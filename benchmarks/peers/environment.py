"""The virtual environments of peers that cannot live beside fitgap, made from pinned versions once and then kept."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from src.config.paths import PROJECT_ROOT

REQUIREMENTS = PROJECT_ROOT / "benchmarks" / "rivals" / "searches" / "requirements"
ENVIRONMENTS = PROJECT_ROOT / "benchmarks" / ".environments"

_VERSIONS = """
import importlib.metadata, json, platform, sys
found = {"Python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


class UnavailableError(RuntimeError):
    """A peer's environment cannot be had here."""


def prepare_python(name: str | None) -> Path:
    """Returns the interpreter of an environment, which is made first where its pinned versions are not installed yet.

    Args:
        name: The name of its list in `requirements`; None is the environment that runs this.

    Raises:
        UnavailableError: The versions cannot be installed.
    """
    if name is None:
        return Path(sys.executable)
    requirements = REQUIREMENTS / f"{name}.txt"
    folder = ENVIRONMENTS / name
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    wanted = requirements.read_text(encoding="utf-8")
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"Making the environment of {name}, which takes minutes and about two gigabytes …", flush=True)
        _run([sys.executable, "-m", "venv", str(folder)], name)
        _run([str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)], name)
        stamp.write_text(wanted, encoding="utf-8")
    return python


def read_versions(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """Returns the versions of Python and of those packages that an environment has."""
    answer = subprocess.run([python, "-c", _VERSIONS, *packages], capture_output=True, text=True, check=True)
    versions: dict[str, str] = json.loads(answer.stdout)
    return versions


def _run(command: Sequence[str], name: str) -> None:
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if answer.returncode:
        lines = answer.stdout.strip().splitlines() or ["nothing was said"]
        raise UnavailableError(f"the environment {name} cannot be installed: {lines[-1]}")
