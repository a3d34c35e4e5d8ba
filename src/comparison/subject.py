"""What a sweep is about, as its parent run says it: what a report needs to know besides the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from src.study.objective import Objectives, parse_objectives
from src.tracking.records import RunRecord

#: Beginnings of the params of a parent run that describe a searched key, and one of the grid.
_SEARCHED, _GRID = "search.", "grid."


@dataclass(frozen=True)
class Subject:
    """What a sweep is about.

    Attributes:
        name: The parent run's name.
        question: What the sweep shall answer.
        objectives: What a search optimizes; None for a grid.
        num_arms: How many studies a search has.
        space: What is searched, by key, in words.
        axes: The keys of the grid, in the order of the command line; of a search those in which its arms differ.
        warnings: What the reader should know.
    """

    name: str
    question: str
    objectives: Objectives | None = None
    num_arms: int = 1
    space: Mapping[str, str] = field(default_factory=dict)
    axes: Sequence[str] = ()
    warnings: Sequence[str] = ()

    def describe(self, table: str, link: str) -> str:
        """Returns the parent run's description in Markdown: the question, the answer, and what belongs to it."""
        # MLflow's page folds all but the first lines.
        parts = [self.question, link, table]
        if self.objectives is not None:
            aims = [f"{objective.direction} `{objective.name}`" for objective in self.objectives.objectives]
            kept = [f"keep `{constraint.text}`" for constraint in self.objectives.constraints]
            parts.append(f"Objective: {', '.join([*aims, *kept])}")
        if self.space:
            rows = [f"| `{key}` | {text.replace('|', chr(92) + '|')} |" for key, text in self.space.items()]
            parts.append("\n".join(["| searched | |", "| --- | --- |", *rows]))
        if self.warnings:
            parts.append("\n".join(["Warnings:", "", *(f"- {warning}" for warning in self.warnings)]))
        return "\n\n".join(filter(None, parts))


def read_subject(parent: RunRecord) -> Subject:
    """Returns what a sweep is about from its parent run in the store."""
    tags, params = parent.tags, parent.params
    objectives = None
    if "fitgap.objective" in tags:
        constraints = params["constraints"].split(", ") if "constraints" in params else []
        names, directions = (tags[key].split(",") for key in ("fitgap.objective", "fitgap.direction"))
        objectives = parse_objectives(names, directions, constraints)
    return Subject(
        name=parent.name,
        question=tags.get("fitgap.question", ""),
        objectives=objectives,
        num_arms=int(params.get("num_arms", 1)),
        space={key.removeprefix(_SEARCHED): text for key, text in params.items() if key.startswith(_SEARCHED)},
        axes=[key.removeprefix(_GRID) for key in params if key.startswith(_GRID)],
        warnings=tags["fitgap.warnings"].splitlines() if tags.get("fitgap.warnings") else (),
    )
