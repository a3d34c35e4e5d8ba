"""From a comparison to the page that shows it."""

from __future__ import annotations

from collections.abc import Sequence

from src.analysis.diagnosis import diagnose
from src.analysis.effects import FINAL_GAP, GAP, VAL_ACCURACY, Effect
from src.analysis.influence import Influence
from src.analysis.intervals import Estimate
from src.comparison.comparison import Comparison, name_panel
from src.comparison.findings import pool_seeds, state_caveats, state_findings
from src.comparison.row import Row, format_value
from src.comparison.subject import Subject
from src.comparison.words import describe_change, judge_effect, judge_influence
from src.ending import COMPLETE
from src.page.content import EffectLine, InfluenceLine, Leaderboard, LeaderCell, Page, Panel, Point
from src.page.wording import change, percent

#: Runs whose curves are shown.
MAX_PANELS = 48


def build_page(
    comparison: Comparison, subject: Subject, *, facts: Sequence[tuple[str, str]], experiment_id: str
) -> Page:
    """Returns all that the page of a sweep shows.

    Args:
        comparison: The comparison.
        subject: What the sweep is about.
        facts: Where it is recorded, name and text.
        experiment_id: MLflow's id of its experiment, for the addresses of runs.
    """
    panels = [_build_panel(row, comparison, experiment_id) for row in _choose_panels(comparison)]
    shown = [panel for panel in panels if panel.history or panel.failed]
    return Page(
        title=subject.name,
        question=subject.question,
        findings=state_findings(comparison),
        facts=(*_describe_runs(comparison, subject), *facts),
        caveats=(*state_caveats(comparison), *subject.warnings),
        panels=tuple(shown),
        panels_note=_describe_panels(len(shown), comparison),
        points=_build_points(comparison.runs, experiment_id),
        effects=tuple(map(_build_effect, comparison.evidence.effects)),
        influences=build_influences(comparison),
        influences_note=describe_influences(comparison),
        leaderboard=_build_leaderboard(comparison, experiment_id),
        pictures={},
        footer="Built by fitgap from the tracking store.",
    )


def _choose_panels(comparison: Comparison) -> Sequence[Row]:
    """Returns the runs whose curves are shown: all, or where they are too many the best."""
    rows = comparison.rows
    return rows if len(rows) <= MAX_PANELS else comparison.ranking[:MAX_PANELS]


def find_front(rows: Sequence[Row]) -> set[str]:
    """Returns the ids of the complete runs to which no other is superior in gap and validation accuracy at once."""
    front: set[str] = set()
    least = float("inf")
    placed = [row for row in rows if has_place(row)]
    # From the most accurate down, a run is on the front if its gap is smaller than that of all before it.
    for row in sorted(placed, key=lambda row: (-row.values[VAL_ACCURACY], row.values[GAP])):
        if row.values[GAP] < least:
            front.add(row.run_id)
            least = row.values[GAP]
    return front


def has_place(row: Row) -> bool:
    """Returns whether a run is complete and has both gap and validation accuracy."""
    return row.state == COMPLETE and GAP in row.values and VAL_ACCURACY in row.values


def _build_points(rows: Sequence[Row], experiment_id: str) -> tuple[Point, ...]:
    front = find_front(rows)
    arms = {row.arm for row in rows}
    return tuple(
        Point(
            name=row.name,
            gap=row.values[GAP],
            val_accuracy=row.values[VAL_ACCURACY],
            # Where every run is an arm of its own, as in a grid, arms tell nothing apart.
            group=row.arm if 1 < len(arms) < len(rows) else "",
            on_front=row.run_id in front,
            link=_link(row, experiment_id),
        )
        for row in rows
        if has_place(row)
    )


def _build_panel(row: Row, comparison: Comparison, experiment_id: str) -> Panel:
    verdict, reason = row.verdict, row.reason
    if verdict is None and row.history:
        # A run of an earlier version, or one that still runs, has not said it itself.
        diagnosis = diagnose(row.history)
        verdict, reason = str(diagnosis.verdict), diagnosis.reason
    onset = row.values.get("overfit_epoch")
    return Panel(
        name=name_panel(row, numbered="trial" in comparison.columns),
        history=row.history,
        onset=None if onset is None else int(onset),
        verdict=verdict,
        reason=reason,
        failed=row.failure,
        link=_link(row, experiment_id),
    )


def _describe_panels(shown: int, comparison: Comparison) -> str:
    total = len(comparison.runs)
    if shown >= total:
        return ""
    if comparison.searched:
        return f"{shown} of {total}: {comparison.title}."
    return f"The best {shown} of {total} runs."


def _build_effect(effect: Effect) -> EffectLine:
    return EffectLine(
        change=describe_change(effect),
        gap=effect.differences[GAP],
        val_accuracy=effect.differences[VAL_ACCURACY],
        final_gap=effect.differences[FINAL_GAP],
        basis=effect.describe_basis(),
        verdict=judge_effect(effect),
    )


def build_influences(comparison: Comparison) -> tuple[InfluenceLine, ...]:
    """Returns how much each searched key matters, for the gap beside validation accuracy, the strongest first."""
    gap, accuracy = comparison.evidence.gap, comparison.evidence.accuracy
    of_gap = {each.key: each for each in gap.keys} if gap else {}
    of_accuracy = {each.key: each for each in accuracy.keys} if accuracy else {}
    nothing = Estimate(0.0, None, None, 0)

    def measure(influence: Influence | None) -> tuple[float, Estimate]:
        return (influence.share, influence.effect) if influence else (0.0, nothing)

    lines = []
    for key in dict.fromkeys([*of_gap, *of_accuracy]):
        gap_share, gap_effect = measure(of_gap.get(key))
        accuracy_share, accuracy_effect = measure(of_accuracy.get(key))
        either = of_accuracy.get(key) or of_gap[key]
        lines.append(
            InfluenceLine(
                key=key,
                gap_share=gap_share,
                accuracy_share=accuracy_share,
                gap_effect=gap_effect,
                accuracy_effect=accuracy_effect,
                between=" → ".join(either.between),
                verdict=judge_influence(of_gap.get(key), of_accuracy.get(key)),
            )
        )
    return tuple(sorted(lines, key=lambda line: -max(line.gap_share, line.accuracy_share)))


def describe_influences(comparison: Comparison) -> str:
    """Returns what the influences rest on; empty where there are none."""
    gap, accuracy = comparison.evidence.gap, comparison.evidence.accuracy
    parts = [
        f"{100 * each.explained:.0f} % of {name}"
        for each, name in ((gap, "the gap's variation"), (accuracy, "that of validation accuracy"))
        if each is not None
    ]
    if not parts:
        return ""
    count = max(each.count for each in (gap, accuracy) if each is not None)
    return f"From {count} complete trials; together the keys predict {' and '.join(parts)} in trials left out."


def _build_leaderboard(comparison: Comparison, experiment_id: str) -> Leaderboard:
    rows = comparison.runs if comparison.searched else _rank(comparison)
    keys = list(dict.fromkeys(key for row in rows for key in row.params))
    known = {key for row in rows for key in row.values}
    columns = {heading: key for heading, key in comparison.columns.items() if key in known and key != "trial_number"}
    if "test_accuracy" in known:
        columns.setdefault("test", "test_accuracy")
    header = ("run", "state", "verdict", *columns, *(key.rpartition(".")[2] for key in keys))
    body = tuple(
        (
            LeaderCell(row.name, link=_link(row, experiment_id)),
            LeaderCell(row.state),
            LeaderCell(row.verdict or "-"),
            *(LeaderCell(format_cell(key, row.values.get(key)), row.values.get(key)) for key in columns.values()),
            *(_param_cell(row.params.get(key)) for key in keys),
        )
        for row in rows
    )
    return Leaderboard(header, body, _describe_leaderboard(comparison))


def _rank(comparison: Comparison) -> Sequence[Row]:
    ranked = {row.run_id for row in comparison.ranking}
    return [*comparison.ranking, *(row for row in comparison.runs if row.run_id not in ranked)]


def _describe_leaderboard(comparison: Comparison) -> str:
    if comparison.searched:
        return f"All {len(comparison.runs)} trials, the best first; gaps are in points."
    groups = pool_seeds(comparison.runs)
    seeds = max(map(len, groups), default=1)
    repeated = f", {len(groups)} configurations with up to {seeds} seeds each" if seeds > 1 else ""
    return f"All {len(comparison.runs)} runs{repeated}, the best first; gaps are in points."


def format_cell(key: str, value: float | None) -> str:
    """Returns a figure of the leaderboard: accuracies in percent, gaps in points with their sign."""
    if value is None:
        return "-"
    if "gap" in key and "loss" not in key:
        return change(value)
    return percent(value) if "accuracy" in key else format_value(key, value)


def _param_cell(text: str | None) -> LeaderCell:
    if text is None:
        return LeaderCell("-")
    try:
        number = float(text)
    except ValueError:
        return LeaderCell(text)
    return LeaderCell(text if len(text) <= 8 else f"{number:.3g}", number)


def _describe_runs(comparison: Comparison, subject: Subject) -> list[tuple[str, str]]:
    facts = []
    if subject.objectives is not None:
        facts.append(("objective", subject.objectives.describe()))
        facts += [(key, text) for key, text in subject.space.items()]
    counts: dict[str, int] = {}
    for row in comparison.runs:
        counts[row.state] = counts.get(row.state, 0) + 1
    facts.append(
        ("trials" if comparison.searched else "runs", ", ".join(f"{n} {state}" for state, n in counts.items()))
    )
    seconds = sum(row.values.get("seconds", 0.0) for row in comparison.runs)
    if seconds:
        facts.append(("training time", f"{seconds:,.0f} s in all"))
    return facts


def _link(row: Row, experiment_id: str) -> str:
    return f"#/experiments/{experiment_id}/runs/{row.run_id}" if row.run_id else ""
