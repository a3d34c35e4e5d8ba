"""The architecture: which part of the program may import which."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from src.config.paths import PROJECT_ROOT

#: What makes a training, and what makes many of them.
TRAINING = ("src.training", "src.models", "src.data")
SWEEPS = ("src.sweep", "src.comparison")

#: Part of the program: what it never imports, not even within a function. Only direct imports count.
FORBIDDEN = {
    "src.config": ("tensorflow", "keras", "mlflow", "optuna", "matplotlib"),
    "src.data": ("src.tracking", *SWEEPS, "src.figures", "src.training", "src.models"),
    "src.augmentation": ("src.tracking", *SWEEPS, "src.figures", *TRAINING),
    "src.models": ("src.tracking", *SWEEPS, "src.figures", "src.training", "src.data"),
    "src.training": ("src.tracking", *SWEEPS, "src.figures"),
    # A model is saved through MLflow, which needs Keras; its type is named there.
    "src.tracking": (*TRAINING, *SWEEPS, "src.figures", "tensorflow"),
    "src.figures": (*TRAINING, *SWEEPS, "src.tracking", "tensorflow", "keras"),
    "src.study": (*TRAINING, *SWEEPS, "src.tracking", "src.workers", "tensorflow"),
    "src.workers": (*TRAINING, *SWEEPS, "src.tracking", "src.study", "tensorflow"),
    "src.comparison": (*TRAINING, "src.sweep", "src.workers", "tensorflow", "keras"),
    "src.sweep": (*TRAINING, "tensorflow", "keras"),
    "src.reproduction": (*TRAINING, *SWEEPS, "src.study", "tensorflow", "keras"),
    # It runs searches as processes of their own, and sees them from outside.
    "src.scheduling": (*TRAINING, "src.comparison", "src.sweep.search", "src.sweep.loop", "tensorflow", "keras"),
    # It deletes what others have made, and knows how they rank it.
    "src.housekeeping": (*TRAINING, "src.sweep", "src.workers", "src.scheduling", "tensorflow", "keras"),
    # It sees files and databases, and nothing of what writes them.
    "src.safekeeping": (*TRAINING, *SWEEPS, "src.workers", "src.scheduling", "tensorflow", "keras"),
    "src.history": ("src", "tensorflow", "keras"),
    "src.page": ("tensorflow", "keras", "PIL"),
    "src.errors": ("src",),
}

#: Part of the program: all that it may import from `src` besides itself.
ALLOWED = {
    "src.config": ("src.errors",),
    "src.analysis": ("src.history",),
    "src.published": ("src.errors",),
    "src.naming": ("src.config",),
    "src.explanation": ("src.config", "src.errors"),
    "src.alarm": ("src.errors",),
    "src.ending": ("src.alarm", "src.errors", "src.gpus"),
    "src.gpus": ("src.errors",),
    "src.workers": ("src.config", "src.errors", "src.gpus"),
    "src.runtime": ("src.gpus",),
    "src.whole_file": (),
    "src.clock": (),
    "src.occupancy": (),
    "src.claims": ("src.clock", "src.errors"),
    "src.page": ("src.history", "src.analysis", "src.errors", "src.whole_file"),
}

#: Library: the one part of the program that speaks to it.
OWNERS = {
    "mlflow": "src.tracking",
    "optuna": "src.study",
    "matplotlib": "src.figures",
    "jinja2": "src.page",
    "cronsim": "src.scheduling",
}

#: Parts that go by the clock on the wall, which they ask one module for.
PUNCTUAL = ("src.scheduling", "src.sweep")

#: Entry points; each parses, calls one function and prints what came back.
ENTRY_POINTS = (
    "src.train",
    "src.report",
    "src.deliver",
    "src.predict",
    "src.reproduce",
    "src.schedule",
    "src.backup",
    "src.disk",
)

#: Module of the top: all that may import it. The parts below are tied together there and know nothing of it.
IMPORTERS = {
    **dict.fromkeys(ENTRY_POINTS, ()),
    "src.entry": ENTRY_POINTS,
    "src.application": ("src.train",),
    "src.experiment": ("src.train",),
    "src.continuation": ("src.experiment",),
    "src.recording": ("src.experiment", "src.continuation"),
    "src.prediction": ("src.predict", "src.prediction_table"),
    "src.prediction_table": ("src.predict",),
    "src.pruning": ("src.train", "src.application"),
    "src.pictures": ("src.experiment", "src.recording"),
    "src.closing": ("src.recording", "src.sweep"),
    "src.reproduction": ("src.reproduce", "src.reproduction"),
    "src.scheduling": ("src.schedule", "src.scheduling"),
    "src.safekeeping": ("src.backup", "src.safekeeping"),
    "src.housekeeping": ("src.disk", "src.housekeeping", "src.scheduling"),
    "src.console": (
        "src.experiment",
        "src.recording",
        "src.closing",
        "src.comparison",
        "src.sweep",
        "src.reproduction",
        *ENTRY_POINTS,
    ),
}

#: Modules that a command imports before it has looked at its arguments, and what must not come with them.
LIGHT = (*ENTRY_POINTS, "src.application")
HEAVY = ("tensorflow", "keras", "mlflow", "optuna", "matplotlib", "numpy")

#: Names that say nothing of what is in a module.
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}


def name_module(path: Path) -> str:
    """Returns the dotted name of a module of the checkout."""
    return ".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts).removesuffix(".__init__")


def find_imports(tree: ast.AST) -> set[str]:
    """Returns what a module imports anywhere in it, each with the names taken from it: `src.history.History`."""
    imports = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imports |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
    return imports


def belongs(name: str, part: str) -> bool:
    """Whether a dotted name is a part of the program or lies within it."""
    return name == part or name.startswith(f"{part}.")


MODULES = {name_module(path): path for path in sorted((PROJECT_ROOT / "src").rglob("*.py"))}
IMPORTS = {name: find_imports(ast.parse(path.read_text(encoding="utf-8"))) for name, path in MODULES.items()}


def test_imports_are_found_wherever_they_stand() -> None:
    source = "import a.b\nif True:\n  from c import d as e\ndef f():\n  from src import g\n  from . import h\n"
    assert find_imports(ast.parse(source)) == {"a.b", "c.d", "src.g", "..h"}


def test_every_part_that_has_a_rule_exists() -> None:
    for part in {*FORBIDDEN, *ALLOWED, *IMPORTERS, *LIGHT}:
        assert part in MODULES, part


@pytest.mark.parametrize("part", FORBIDDEN)
def test_a_part_imports_nothing_that_is_above_or_beside_it(part: str) -> None:
    for module in MODULES:
        if belongs(module, part):
            wrong = [name for name in sorted(IMPORTS[module]) for far in FORBIDDEN[part] if belongs(name, far)]
            assert wrong == [], f"{module} must not import {', '.join(wrong)}"


@pytest.mark.parametrize("part", ALLOWED)
def test_a_low_part_imports_nothing_of_ours_but_what_is_below_it(part: str) -> None:
    for module in MODULES:
        if belongs(module, part):
            ours = [name for name in sorted(IMPORTS[module]) if belongs(name, "src")]
            wrong = [name for name in ours if not any(belongs(name, near) for near in (part, *ALLOWED[part]))]
            assert wrong == [], f"{module} must not import {', '.join(wrong)}"


@pytest.mark.parametrize("top", IMPORTERS)
def test_the_top_is_imported_by_what_ties_it_together_alone(top: str) -> None:
    importers = [module for module, names in IMPORTS.items() if any(belongs(name, top) for name in names)]
    assert [module for module in importers if not any(belongs(module, near) for near in IMPORTERS[top])] == []


@pytest.mark.parametrize("library", OWNERS)
def test_one_part_alone_speaks_to_each_outside_world(library: str) -> None:
    speakers = [module for module, names in IMPORTS.items() if any(belongs(name, library) for name in names)]
    assert [module for module in speakers if not belongs(module, OWNERS[library])] == []


@pytest.mark.parametrize("part", PUNCTUAL)
def test_the_time_of_day_has_one_source(part: str) -> None:
    texts = {module: path.read_text(encoding="utf-8") for module, path in MODULES.items() if belongs(module, part)}
    assert [module for module, text in texts.items() if "datetime.now(" in text or "time.time()" in text] == []


@pytest.mark.parametrize("module", ENTRY_POINTS)
def test_an_entry_point_is_thin(module: str) -> None:
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) < 60


def test_every_module_has_a_name_that_says_what_is_in_it() -> None:
    assert [module for module in MODULES if NAMELESS & set(module.split("."))] == []


def test_no_import_is_relative() -> None:
    assert [module for module, names in IMPORTS.items() if any(name.startswith(".") for name in names)] == []


def test_entry_points_import_nothing_heavy_before_they_have_looked_at_their_arguments() -> None:
    code = f"import sys, {', '.join(LIGHT)}; print([name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.stderr == ""
    assert answer.stdout == "[]\n"
