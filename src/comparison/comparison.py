"""The comparison: what a sweep compares side by side, computed from the tracking store alone."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from src.comparison.evidence import Evidence, weigh_grid, weigh_search
from src.comparison.row import COLUMNS, Row, to_row
from src.comparison.selection import Selection, order_records
from src.ending import COMPLETE
from src.figures.comparison import Arm, plot_comparison
from src.figures.style import save_figure
from src.study.objective import Objective, Objectives
from src.tracking.records import RunRecord

#: What the runs of a grid are compared by.
GRID_OBJECTIVES = Objectives((Objective("best_val_accuracy", "maximize"),))

#: Columns of a search with several arms that say what became of each one's trials.
_TALLY_COLUMNS = {"complete": "complete_trials", "pruned": "pruned_trials", "failed": "failed_trials"}


@dataclass(frozen=True)
class Comparison:
    """What a sweep compares.

    Attributes:
        rows: The cells of a grid as they were planned; of a search the trials that stand for it, the best first.
        ranking: Those of them that have a result, the best first.
        objectives: What they are ranked by.
        columns: Heading for people, and key, of each figure that is shown.
        summary: The metrics that the parent run gets.
        title: What the table shows.
        runs: All runs of the sweep: those of a grid as they were planned, those of a search the best first.
        evidence: What can be said of the keys in which they differ.
        searched: Whether it is a search.
    """

    rows: tuple[Row, ...]
    ranking: tuple[Row, ...]
    objectives: Objectives
    columns: dict[str, str]
    summary: dict[str, float]
    title: str = "side by side"
    runs: tuple[Row, ...] = ()
    evidence: Evidence = field(default_factory=Evidence)
    searched: bool = False

    @property
    def best(self) -> Row | None:
        """The first of the ranking; None where nothing has a result."""
        return self.ranking[0] if self.ranking else None

    @property
    def header(self) -> list[str]:
        """The headings of all columns."""
        return ["", "state", *(["verdict"] if self.judged else []), *self.columns]

    @property
    def judged(self) -> bool:
        """Whether any row has a verdict: some applications record no epochs."""
        return any(row.verdict for row in self.rows)

    def cells(self) -> list[list[str]]:
        """Returns the rows as text."""
        rows = [row.cells(self.columns.values(), self.objectives.names) for row in self.rows]
        if not self.judged:
            return rows
        return [[*cells[:2], row.verdict or "-", *cells[2:]] for row, cells in zip(self.rows, rows, strict=True)]

    def describe(self) -> str:
        """Returns the comparison as a Markdown table, which MLflow shows as the parent run's description."""
        header = [*self.header, *(["with"] if self.searched else [])]
        rows = [
            [*cells, *([row.label or "-"] if self.searched else [])]
            for row, cells in zip(self.rows, self.cells(), strict=True)
        ]
        lines = [header, ["---"] * len(header), *rows]
        table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |" for cells in lines)
        caption = "" if self.title == Comparison.title else f"{self.title[0].upper()}{self.title[1:]}\n\n"
        if self.best is None:
            return f"{caption}{table}"
        return f"Best: **{self.describe_best()}**\n\n{caption}{table}"

    def describe_best(self) -> str:
        """Returns the best row's name, with its trial where it is one of several."""
        assert self.best is not None
        return _number(self.best) if "trial" in self.columns else self.best.name

    def write_csv(self, path: Path) -> None:
        """Writes one line per row, with unrounded values.

        Raises:
            OSError: The file cannot be written.
        """
        keys = [key for column in self.columns.values() for key in (column, *self._spreads(column))]
        searched = list(dict.fromkeys(key for row in self.rows for key in row.params))
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["run_id", "arm", "state", "verdict", "error", *keys, *searched])
            for row in self.rows:
                values = (row.values.get(key) for key in keys)
                cells = ("" if value is None else repr(value) for value in values)
                params = (row.params.get(key, "") for key in searched)
                writer.writerow([row.run_id, row.arm, row.state, row.verdict or "", row.error or "", *cells, *params])

    def draw(self, path: Path, title: str) -> None:
        """Draws the rows' train_eval and validation curves on shared axes."""
        arms = [
            Arm(
                name=name_panel(row, numbered="trial" in self.columns),
                history=row.history,
                overfit_epoch=int(row.values["overfit_epoch"]) if "overfit_epoch" in row.values else None,
                failed=row.failure,
            )
            for row in self.rows
        ]
        save_figure(plot_comparison(arms, title), path)

    @property
    def has_curves(self) -> bool:
        """Whether there is anything to draw: some applications record no epochs."""
        return any(row.history or row.failure for row in self.rows)

    def _spreads(self, key: str) -> list[str]:
        extras = [f"{key}_std"] if any(f"{key}_std" in row.values for row in self.rows) else []
        return [*extras, "num_seeds"] if extras and key == self.objectives.names[0] else extras


def compare_runs(records: Sequence[RunRecord], keys: Collection[str] = ()) -> Comparison:
    """Puts the runs of a grid side by side, in the order in which they were planned.

    Args:
        records: The runs, with their histories.
        keys: The keys of the grid.
    """
    rows = sorted((to_row(record, keys) for record in records), key=lambda row: row.values.get("trial_number", 0))
    complete = [row for row in rows if row.state == COMPLETE and row.history]
    # Of equally accurate runs the one with the smaller gap is the better one.
    ranking = sorted(complete, key=lambda row: (-row.values["best_val_accuracy"], row.values["best_gap_accuracy"]))
    failed = [row for row in rows if row.state not in (COMPLETE, "running")]
    summary = {"num_runs": float(len(rows)), "num_failed": float(len(failed))}
    comparison = Comparison(tuple(rows), tuple(ranking), GRID_OBJECTIVES, COLUMNS, summary)
    return _finish(replace(comparison, runs=tuple(rows), evidence=weigh_grid(rows)))


def compare_trials(
    selection: Selection,
    objectives: Objectives,
    space: Mapping[str, str],
    *,
    records: Sequence[RunRecord] = (),
    arm_keys: Collection[str] = (),
) -> Comparison:
    """Puts the trials that stand for a search side by side.

    Args:
        selection: The trials, with their histories.
        objectives: What was optimized.
        space: What was searched, by key, in words.
        records: All trials.
        arm_keys: The keys in which the arms differ.
    """
    keys = list(space)
    single = selection.single
    rows = [_name_trial(to_row(record, keys), single) for record in selection.records]
    ranking = tuple(rows)
    rows += [replace(to_row(record), run_id="", values={}) for record in selection.reasons.values()]
    rows = [replace(row, values={**row.values, **_tally_values(selection, row.arm)}) for row in rows]
    total = selection.total
    summary = {
        "num_trials": float(total.complete + total.pruned + total.failed),
        "num_complete": float(total.complete),
        "num_pruned": float(total.pruned),
        "num_failed": float(total.failed),
    }
    what = "the front" if len(objectives.objectives) > 1 else "the best" if single else "the best of each arm"
    columns = _choose_columns(rows, objectives)
    ordered = [to_row(record, [*arm_keys, *keys]) for record in order_records(records, objectives)]
    runs = [_name_trial(row, single) if single else replace(row, name=_number(row)) for row in ordered]
    return _finish(
        Comparison(
            rows=tuple(rows),
            ranking=ranking,
            objectives=objectives,
            columns=columns if single else {"trial": "trial_number", **columns, **_TALLY_COLUMNS},
            summary=summary,
            title=f"{what} of {sum(total.counts().values())} trials: {total.describe()}",
            runs=tuple(runs),
            evidence=weigh_search(runs, space),
            searched=True,
        )
    )


def _finish(comparison: Comparison) -> Comparison:
    """Adds the best row's figures to what the parent run gets."""
    if comparison.best is None:
        return comparison
    # A metric cannot be taken back: `overfit_epoch`, which the next best may not have, is none of the parent's.
    wanted = dict.fromkeys(
        [*comparison.objectives.names, "best_val_accuracy", "best_gap_accuracy", "final_gap_accuracy"]
    )
    values = comparison.best.values
    return replace(comparison, summary={**comparison.summary, **{key: values[key] for key in wanted if key in values}})


def _choose_columns(rows: Sequence[Row], objectives: Objectives) -> dict[str, str]:
    """Returns the objectives first, then what is known of any row besides."""
    headings = {key: heading for heading, key in COLUMNS.items()}
    columns = {headings.get(name, name.replace("_", " ")): name for name in objectives.names}
    known = {key for row in rows for key in row.values}
    # Only the winners of a search are measured on the test images, at its end.
    wanted = {**COLUMNS, "test": "test_accuracy"}
    return columns | {heading: key for heading, key in wanted.items() if key in known and key not in columns.values()}


def _tally_values(selection: Selection, arm: str) -> dict[str, float]:
    counts = selection.tallies[arm].counts()
    return {key: float(counts[word]) for word, key in _TALLY_COLUMNS.items()}


def _name_trial(row: Row, single: bool) -> Row:
    """Names the trials of a search with one arm by their numbers, which are all that tells them apart."""
    return replace(row, name=f"#{row.values.get('trial_number', 0):.0f}") if single else row


def _number(row: Row) -> str:
    """Returns a row's name with the number of its trial, where it has one."""
    number = row.values.get("trial_number")
    return row.name if number is None else f"{row.name} #{number:.0f}"


def name_panel(row: Row, *, numbered: bool) -> str:
    """Returns what a picture calls a run: with the number of its trial, or with what was searched."""
    name = _number(row) if numbered else row.name
    if not numbered and row.label and row.name.startswith("#"):
        name = f"{name}: {row.label}"
    return name if row.state != "running" else f"{name} (running)"
