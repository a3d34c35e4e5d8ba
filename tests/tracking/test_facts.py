"""What a run remembers about where it ran."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from src.tracking import facts
from src.tracking.facts import describe_environment


@pytest.fixture(autouse=True)
def _new_process() -> Iterator[None]:
    """Forgets what another test, in the same process, was told."""
    facts._describe_process.cache_clear()
    yield
    facts._describe_process.cache_clear()


def _describe_anew() -> dict[str, str]:
    """Returns what a new process would be told."""
    facts._describe_process.cache_clear()
    return describe_environment()


def _git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def test_the_commit_and_its_dirtiness_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "PROJECT_ROOT", tmp_path)
    _git(tmp_path, "init", "--initial-branch", "main")
    assert _describe_anew()["fitgap.git_dirty"] == "false"
    assert "mlflow.source.git.commit" not in describe_environment()
    (tmp_path / "train.py").write_text("")
    _git(tmp_path, "add", "train.py")
    _git(tmp_path, "commit", "--message", "Begin")

    clean = _describe_anew()
    assert len(clean["mlflow.source.git.commit"]) == 40
    assert clean["mlflow.source.git.branch"] == "main"
    assert clean["fitgap.git_dirty"] == "false"
    (tmp_path / "train.py").write_text("changed")
    assert _describe_anew()["fitgap.git_dirty"] == "true"


def test_outside_a_repository_and_without_git_the_rest_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setattr(facts, "PROJECT_ROOT", tmp_path)
    outside = describe_environment()
    monkeypatch.setenv("PATH", "")
    without_git = _describe_anew()

    assert outside == without_git
    assert not [key for key in outside if "git" in key]
    assert outside["fitgap.host"]


def test_the_command_line_is_one_that_can_be_pasted() -> None:
    tags = describe_environment(["python", "-m", "src.train", "recipe=A2", "tracking.run_name=my run"])

    assert tags["fitgap.command"] == "python -m src.train recipe=A2 'tracking.run_name=my run'"
    assert (tags["mlflow.source.name"], tags["mlflow.source.type"]) == ("src.train", "LOCAL")


def test_versions_are_told_without_importing_the_libraries() -> None:
    program = (
        "import sys; from src.tracking.facts import describe_environment; tags = describe_environment()\n"
        "print(tags['fitgap.version.tensorflow'], [name for name in ('tensorflow', 'keras', 'mlflow') "
        "if name in sys.modules])"
    )
    root = Path(facts.__file__).parents[2]
    said = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)

    assert said.stdout.split(maxsplit=1)[1].strip() == "[]"


def test_a_process_goes_on_with_the_code_that_it_has_begun_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "PROJECT_ROOT", tmp_path)
    _git(tmp_path, "init", "--initial-branch", "main")
    begun = describe_environment()
    (tmp_path / "train.py").write_text("changed since")
    assert describe_environment() == begun
