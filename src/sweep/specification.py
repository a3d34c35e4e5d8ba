"""What the study of an arm is to be, and by what it is recognized when the command is run again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from src.study.pruners import choose_pruner
from src.study.spec import StudySpec
from src.sweep.arms import Arm
from src.sweep.plan import Search


def build_spec(search: Search, arm: Arm, facts: dict[str, str], place: dict[str, str]) -> StudySpec:
    """Returns what an arm's study is to be.

    Args:
        search: The search.
        arm: The arm.
        facts: What was found when its runs were prepared, such as the content of its data set.
        place: Where its runs are recorded.
    """
    settings = search.settings
    searched = {dimension.key for dimension in arm.space.dimensions}
    if settings.seeds:
        searched.add(settings.seed_key)
    configuration = {
        key: value
        for key, value in arm.checked.settings.items()
        # Below a group that is searched, such as `optimizer`, everything may differ between trials.
        if key not in searched and not any(key.startswith(f"{group}.") for group in searched)
    }
    objective = {item.name: item.direction for item in search.objectives.objectives}
    fingerprint = {
        "search space": arm.space.to_record(),
        "objective": {
            **objective,
            **{f"constraint {item.text}": "kept" for item in search.objectives.constraints},
            **({"seeds": ", ".join(map(str, settings.seeds))} if settings.seeds else {}),
        },
        "data": facts,
        "configuration": configuration,
        "tracking store": place,
    }
    pruner, pruner_kwargs = _read_pruner(search, arm)
    return StudySpec(
        name=search.study_name(arm),
        space=arm.space,
        fixed=arm.fixed,
        objectives=search.objectives,
        sampler=settings.sampler,
        sampler_kwargs=settings.sampler_kwargs,
        pruner=pruner,
        pruner_kwargs=pruner_kwargs,
        seed=_read_seed(arm),
        n_trials=search.n_trials,
        fingerprint=fingerprint,
    )


def _read_pruner(search: Search, arm: Arm) -> tuple[str, Mapping[str, Any]]:
    pruner = search.settings.pruner
    if pruner == "auto" and len(search.objectives.objectives) == 1:
        return choose_pruner(search.n_trials, arm.checked.steps)
    # `hydra.sweeper.pruner=none` switches off the pruner of a sweep's file, whose arguments are still there.
    return ("none", {}) if pruner in ("auto", "none") else (pruner, search.settings.pruner_kwargs)


def _read_seed(arm: Arm) -> int:
    text = arm.checked.settings.get("seed", "0")
    return int(text) if text.isdigit() else 0
