"""The files of `sweeps/` that have a `schedule` block, composed and checked."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from src.config.bounds import find_violations
from src.config.composition import find_missing, find_unknown_keys, register_schemas, to_run_config
from src.config.messages import COMPOSITION_ERRORS, explain
from src.config.paths import PROJECT_ROOT
from src.config.schedule import ScheduleConfig
from src.config.sweeper import SweeperConfig
from src.errors import ConfigError, FitgapError
from src.naming import shorten
from src.scheduling.duration import parse_duration
from src.scheduling.places import check_name
from src.scheduling.when import When, parse_when
from src.scheduling.window import parse_clock
from src.study.address import resolve_storage
from src.study.objective import Objectives, parse_objectives
from src.study.space import is_searched
from src.sweep.request import read_request
from src.sweep.settings import to_sweeper_config
from src.workers.gpus import find_gpus, name_gpus
from src.workers.layout import count_slots, plan_layout

SWEEPS = PROJECT_ROOT / "sweeps"


@dataclass(frozen=True)
class ScheduledSweep:
    """A sweep that starts by itself.

    Attributes:
        name: Name of its file, without the ending.
        schedule: Its block.
        when: The moments at which it starts.
        study: Name of its study, as it is by hand.
        n_trials: Trials of each arm; one where nothing is searched.
        storage: URL of the storage of its studies.
        objectives: What its trials are ranked by.
        tracking_uri: Where its runs are recorded, as configured.
        cache_dir: Folder of the caches, as configured.
        layout: What fitgap's launcher is asked for besides the GPUs; None for any other launcher.
    """

    name: str
    schedule: ScheduleConfig
    when: When
    study: str
    n_trials: int
    storage: str
    objectives: Objectives
    tracking_uri: str | None
    cache_dir: Path
    layout: Mapping[str, Any] | None


def list_names() -> list[str]:
    """Returns the names of the sweeps whose own file has a `schedule` block.

    One that a file takes over from another by its defaults does not count: the sweep would start twice.
    """
    return [path.stem for path in sorted(SWEEPS.glob("*.yaml")) if _has_block(path)]


def load_sweep(name: str, overrides: Sequence[str] = ()) -> ScheduledSweep:
    """Composes a sweep and checks that it can be scheduled.

    Args:
        name: Name of its file, without the ending.
        overrides: What is changed on the command line; lists of arms are left to the search.

    Raises:
        ConfigError: There is no such sweep, it has no block, or something in it is not allowed.
    """
    names = [path.stem for path in sorted(SWEEPS.glob("*.yaml"))]
    if name not in names:
        raise ConfigError(f"There is no sweeps/{name}.yaml. There are: {', '.join(names)}.")
    try:
        return _load(check_name(name), overrides)
    except (FitgapError, *COMPOSITION_ERRORS) as error:
        reason = str(error) if isinstance(error, FitgapError) else explain(error)
        raise ConfigError(f"sweeps/{name}.yaml cannot be scheduled:\n{reason}") from error


def read_block(name: str) -> ScheduleConfig | None:
    """Returns the `schedule` block of a file that may be refused otherwise; None where the block is wrong too."""
    try:
        node = OmegaConf.load(SWEEPS / f"{name}.yaml").schedule
        schedule = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(ScheduleConfig), node))
        assert isinstance(schedule, ScheduleConfig)
        return None if _find_problems(schedule) else schedule
    except Exception:
        # Whatever it is, the whole file has been refused for a reason, and that is told.
        return None


def _load(name: str, overrides: Sequence[str]) -> ScheduledSweep:
    register_schemas()
    with initialize_config_dir(str(PROJECT_ROOT / "conf"), version_base="1.3"):
        parser = OverridesParser.create()
        parsed = dict(zip(overrides, parser.parse_overrides(list(overrides)), strict=True))
        single = [text for text, override in parsed.items() if not override.is_sweep_override()]
        config = compose("train", overrides=[f"sweeps={name}", *single], return_hydra_config=True)
        sweeper: dict[str, Any] = OmegaConf.to_container(config.hydra.sweeper, resolve=True)  # type: ignore[assignment]
    sweeper.pop("_target_", None)
    settings = to_sweeper_config(sweeper)
    schedule = _to_schedule(config)
    # What lists of arms hold may be known to the search alone: glob(*).
    request = read_request([text for text in overrides if is_searched(parsed[text])], settings, parser)
    problems = [*_find_problems(schedule), *_find_conflicts(schedule, settings, is_grid=not request.searched)]
    layout = _read_layout(config.hydra.launcher, settings)
    if layout is not None and not problems:
        problems += _complaints(lambda gpus: _check_places(gpus, layout), schedule.gpus)
    elif layout is None and schedule.gpus != "auto":
        problems.append(
            f"schedule.gpus={_write_gpus(schedule.gpus)} cannot be handed on: hydra/launcher="
            f"{config.hydra.runtime.choices['hydra/launcher']} does not say which GPUs a trial gets. Choose "
            "hydra/launcher=fitgap, or write gpus: auto."
        )
    if not request.searched and not settings.seeds and len(request.cells) < 2 and len(single) == len(parsed):
        problems.append(
            "It compares nothing. Give a key an interval or a list in hydra.sweeper.params, or hydra.sweeper.seeds."
        )
    if problems:
        raise ConfigError("\n".join(problems))
    # `hydra` is no part of a run.
    run = to_run_config(_without_hydra(config))
    return ScheduledSweep(
        name=name,
        schedule=schedule,
        when=parse_when(str(schedule.when)),
        study=settings.study_name or f"{run.tracking.experiment}/{shorten(name)}",
        n_trials=settings.n_trials if request.searched else 1,
        storage=resolve_storage(settings.storage, PROJECT_ROOT),
        objectives=parse_objectives(settings.objective, settings.direction, settings.constraints),
        tracking_uri=run.tracking.uri,
        cache_dir=Path(run.dataset.cache_dir),
        layout=layout,
    )


def _read_layout(launcher: DictConfig, settings: SweeperConfig) -> dict[str, Any] | None:
    """Returns what the launcher of a search is asked for besides its GPUs; None where it does not give them out."""
    if "gpus" not in launcher:
        return None
    asked: dict[str, Any] = OmegaConf.to_container(launcher, resolve=True)  # type: ignore[assignment]
    for key in ("_target_", "gpus"):
        asked.pop(key, None)
    return asked if settings.n_jobs == "auto" else asked | {"n_jobs": settings.n_jobs}


def _check_places(gpus: Any, layout: Mapping[str, Any]) -> None:
    """Checks that the jobs have a place on the GPUs; how many `auto` is, and which there are, the machine knows.

    Raises:
        ConfigError: They do not fit, or something else in the layout is not allowed.
    """
    plan_layout(**layout, gpus=0)
    if gpus != "auto":
        count_slots(layout["n_jobs"], len(gpus) if isinstance(gpus, list) else gpus, layout["trials_per_gpu"])


def _write_gpus(gpus: Any) -> str:
    return f"[{','.join(map(str, gpus))}]" if isinstance(gpus, list) else str(gpus)


def _to_schedule(config: DictConfig) -> ScheduleConfig:
    node = config._get_node("schedule")
    if not isinstance(node, DictConfig) or node._is_none():
        raise ConfigError("It has no schedule block. docs/gpu-box.md says what to write.")
    problems = [*find_unknown_keys(node, prefix="schedule."), *find_missing(node)]
    if problems:
        raise ConfigError("\n".join(problems))
    schedule = OmegaConf.to_object(node)
    assert isinstance(schedule, ScheduleConfig)
    return schedule


def _find_problems(schedule: ScheduleConfig) -> list[str]:
    problems = [*find_violations(schedule, prefix="schedule.")]
    if schedule.when is None:
        problems.append("schedule.when has no default and must be given, such as '30 22 * * 1-5'.")
    if schedule.until is not None and schedule.time_limit is not None:
        problems.append("schedule.until and schedule.time_limit both say when it ends. Leave one of them out.")
    checks = [
        (schedule.when, parse_when),
        (schedule.until, parse_clock),
        (schedule.time_limit, lambda text: parse_duration(text, "schedule.time_limit")),
        (schedule.webhook, _check_webhook),
        (schedule.command, _check_command),
    ]
    for value, check in checks:
        if value is not None:
            problems += _complaints(check, value)
    if not isinstance(schedule.gpus, int) or isinstance(schedule.gpus, bool):
        # Whether there are such GPUs, or as many as a number says, shows on the machine where it starts.
        problems += [text.replace("hydra.launcher.", "schedule.") for text in _complaints(_check_gpus, schedule.gpus)]
    elif schedule.gpus < 0:
        problems.append(f"schedule.gpus must be auto, a number, or a list such as [0,1], but got {schedule.gpus}.")
    return problems


def _find_conflicts(schedule: ScheduleConfig, settings: SweeperConfig, *, is_grid: bool) -> list[str]:
    if schedule.study == "grow" and is_grid:
        return ["schedule.study=grow and a grid do not go together: each of its cells is one trial. Write study: new."]
    if schedule.study == "grow" and settings.timeout is not None:
        return [
            "schedule.study=grow and hydra.sweeper.timeout do not go together: that time is a total of the study, used "
            "up once and for all. Limit each night with schedule.until or schedule.time_limit."
        ]
    return []


def _complaints(check: Any, value: Any) -> list[str]:
    try:
        check(value)
    except ConfigError as error:
        return [str(error)]
    return []


def _check_gpus(asked: Any) -> None:
    if isinstance(asked, list):
        name_gpus(asked)
    elif asked != "auto":
        find_gpus(asked)


def _check_webhook(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("schedule.webhook must be an address that begins with https:// or http:// and names a host.")


def _check_command(command: str) -> None:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"schedule.command cannot be divided into words: {command!r} ({error}).") from error
    if not words:
        raise ConfigError("schedule.command is empty. Name a program, or leave it out.")


def _without_hydra(config: DictConfig) -> DictConfig:
    copy = OmegaConf.create(config)
    OmegaConf.set_struct(copy, False)
    copy.pop("hydra", None)
    return copy


def _has_block(path: Path) -> bool:
    try:
        content = OmegaConf.load(path)
    except Exception:
        # Whoever names it is told what is wrong with it.
        return False
    return isinstance(content, DictConfig) and "schedule" in content
