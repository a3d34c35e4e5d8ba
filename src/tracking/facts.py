"""What a run has to remember about where it ran: code, command, host and libraries, as tags."""

from __future__ import annotations

import functools
import getpass
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from src.config.paths import PROJECT_ROOT

#: A password in the address of a database or a server, as on the command line of a search.
_PASSWORD = re.compile(r"(\w://[^\s/:@]*:)[^\s/@]+@")

_LIBRARIES = ("tensorflow", "keras", "mlflow", "optuna", "hydra-core", "numpy")


def describe_environment(command: Sequence[str] | None = None) -> dict[str, str]:
    """Returns tags for a run, under MLflow's own names where its pages expect them, else under `fitgap.`.

    Takes some ten milliseconds, once in a process, and imports none of the libraries whose versions it names. What
    cannot be found out has no tag.

    Args:
        command: The command line; null takes that of this process.
    """
    words = list(command) if command is not None else list(sys.orig_argv)
    tags = {
        "fitgap.command": _PASSWORD.sub(r"\1***@", shlex.join(words)),
        "mlflow.user": _user(),
        "mlflow.source.name": _source(words),
        "mlflow.source.type": "LOCAL",
        **_describe_process(PROJECT_ROOT),
    }
    return {key: value for key, value in tags.items() if value}


@functools.cache
def _describe_process(root: Path) -> dict[str, str]:
    """Returns what stays as it was when the process first asked: the code that it runs, its libraries and its host."""
    tags = {
        "fitgap.host": platform.node(),
        "fitgap.platform": platform.platform(),
        "fitgap.cpu": _cpu_model(),
        "fitgap.cpu_count": str(os.cpu_count() or ""),
        "fitgap.version.python": platform.python_version(),
        **_git_tags(root),
    }
    for library in _LIBRARIES:
        try:
            tags[f"fitgap.version.{library}"] = version(library)
        except PackageNotFoundError:
            continue
    return tags


def _git_tags(root: Path) -> dict[str, str]:
    """Returns commit, branch and whether any file differs from the commit; nothing outside a repository."""
    try:
        # One call answers all three. No lock: another git command may be at work in the same checkout.
        answer = subprocess.run(
            ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch"],
            cwd=root, capture_output=True, text=True, timeout=5, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return {}
    lines = answer.splitlines()
    heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# ") and " " in line[2:])
    commit, branch = heads.get("branch.oid", ""), heads.get("branch.head", "")
    return {
        "mlflow.source.git.commit": "" if commit.startswith("(") else commit,
        "mlflow.source.git.branch": "" if branch.startswith("(") else branch,
        "fitgap.git_dirty": str(any(not line.startswith("#") for line in lines)).lower(),
    }


def _source(words: Sequence[str]) -> str:
    """Returns what was run, short: `src.train` for `python -m src.train …`."""
    if "-m" in words[:-1]:
        return words[words.index("-m") + 1]
    return next((Path(word).name for word in words[1:] if word.endswith(".py")), Path(words[0]).name if words else "")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container may run under an id without a name.
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def _cpu_model() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        return platform.processor()
