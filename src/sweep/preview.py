"""The preview of a search: arms, distributions, budget and first points, without a training or anything that stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from src.console import print_facts, print_table
from src.errors import ConfigError
from src.study.address import resolve_storage, show_url
from src.study.preview import collect_known_points, sample_points
from src.study.spec import StudySpec
from src.sweep.arms import Arm, check_point
from src.sweep.clock import format_seconds
from src.sweep.plan import Search
from src.sweep.specification import build_spec
from src.sweep.values import describe_values

#: Points of each arm's sampler that are looked at.
_COUNT = 3


def preview_search(search: Search, count: int = _COUNT) -> None:
    """Prints what a search would do, and composes the first points of every arm.

    Args:
        search: The search.
        count: How many points of each arm's sampler are shown, besides those of its warm start.

    Raises:
        ConfigError: Something in it is not allowed; all such points are listed.
    """
    specs = [build_spec(search, arm, {}, {}) for arm in search.arms]
    _print_plan(search, specs[0])
    problems: list[str] = []
    for arm, spec in zip(search.arms, specs, strict=True):
        known = _collect(search, arm)
        points = sample_points(spec, known, count)
        if arm.space.dimensions:
            _print_points(search, arm, points, len(known))
        problems += _find_problems(search, arm, points)
    _refuse(problems)
    number = "1 arm" if len(specs) == 1 else f"{len(specs)} arms"
    search.console.print(f"The first points of {number} are sound. Nothing was trained: dry_run is set.", style="bold")


def check_first_points(search: Search, count: int = _COUNT) -> None:
    """Composes the first points of every arm before a search starts, and prints nothing.

    Raises:
        ConfigError: Some are not allowed; all such points are listed.
    """
    problems: list[str] = []
    for arm in search.arms:
        problems += _find_problems(
            search, arm, sample_points(build_spec(search, arm, {}, {}), _collect(search, arm), count)
        )
    _refuse(problems)


def _collect(search: Search, arm: Arm) -> list[dict[str, Any]]:
    url = resolve_storage(search.settings.storage, search.root)
    return collect_known_points(search.settings.warm_start, arm.space, arm.fixed, arm.defaults, url)


def _find_problems(search: Search, arm: Arm, points: Sequence[Mapping[str, Any]]) -> list[str]:
    problems = []
    for point in points:
        problem = check_point(arm, point, search.compose, search.application)
        if problem is not None:
            prefix = f"{arm.name}: " if len(search.arms) > 1 else ""
            problems.append(f"{prefix}{', '.join(arm.space.to_overrides(point)) or 'the configuration'}: {problem}")
    return problems


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise ConfigError("\n".join(dict.fromkeys(problems)))


def _print_plan(search: Search, spec: StudySpec) -> None:
    settings = search.settings
    arms = "; ".join(arm.name for arm in search.arms) if search.arms[0].cell.axes else "one"
    facts = [
        ("question", search.question),
        ("arms", arms),
        ("objective", search.objectives.describe()),
        ("sampler", _name(spec.sampler, spec.sampler_kwargs)),
        ("pruner", _name(spec.pruner, spec.pruner_kwargs)),
        ("budget", _describe_budget(search, spec)),
        ("slots", str(search.launching.slots)),
    ]
    if settings.seeds:
        facts.append(
            ("seeds", f"{', '.join(map(str, settings.seeds))}: each trial is trained {len(settings.seeds)} times")
        )
    studies = ", ".join(search.study_name(arm) for arm in search.arms)
    facts += [
        ("studies" if len(search.arms) > 1 else "study", studies),
        ("storage", show_url(resolve_storage(settings.storage, search.root))),
    ]
    print_facts(search.console, f"dry run of {search.name}", facts)
    rows = [
        [
            dimension.key,
            dimension.describe(),
            "=".join(dimension.condition or ()) or "-",
            _default(search.arms[0], dimension.key),
        ]
        for dimension in spec.space.dimensions
    ]
    if rows:
        print_table(search.console, "search space", ["key", "searched", "only where", "without a search"], rows)


def _describe_budget(search: Search, spec: StudySpec) -> str:
    settings, arms = search.settings, len(search.arms)
    number = spec.n_trials
    if spec.sampler == "grid":
        number = min(number, len(spec.space.points(spec.fixed)))
    parts = [f"{number} trials" if arms == 1 else f"{number} trials for each of {arms} arms, {number * arms} in all"]
    if settings.timeout is not None:
        parts.append(f"no trial started after {format_seconds(settings.timeout)}")
    if settings.until is not None:
        parts.append(f"none after {settings.until}")
    if settings.patience is not None:
        parts.append(f"an arm ends after {settings.patience} trials without improvement")
    if settings.trial_timeout is not None:
        parts.append(f"a training is stopped after {format_seconds(settings.trial_timeout)}")
    return "; ".join(parts)


def _print_points(search: Search, arm: Arm, points: Sequence[Mapping[str, Any]], num_known: int) -> None:
    keys = [dimension.key for dimension in arm.space.dimensions]
    rows = [
        ["warm start" if index < num_known else "sampled", *(_show(point, key) for key in keys)]
        for index, point in enumerate(points)
    ]
    title = f"first points of {arm.name}" if arm.cell.axes else "first points"
    print_table(search.console, title, ["", *(key.rpartition(".")[2] for key in keys)], rows)


def _show(point: Mapping[str, Any], key: str) -> str:
    return describe_values({key: point[key]}).partition("=")[2] if key in point else "-"


def _default(arm: Arm, key: str) -> str:
    value = arm.defaults.get(key)
    return "-" if value is None else str(value)


def _name(name: str, kwargs: Mapping[str, Any]) -> str:
    arguments = ", ".join(f"{key}={value}" for key, value in kwargs.items())
    return f"{name} ({arguments})" if arguments else name
