"""The charts that MLflow's pages of an experiment show of its runs, in the form in which those pages keep them.

MLflow documents neither; both are read from the pages of its version 3.17.2. What its pages do not know they leave out,
and what is missing they fill in, so that another version costs at most the charts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: A chart or a section as MLflow's pages keep it.
Item = dict[str, Any]

#: The section of what is worth to be seen first.
_FIRST = "Overfitting"

#: Where MLflow's pages put the charts that they make themselves, of every metric that has none yet.
_OTHERS = ("Model metrics", "System metrics")

#: The columns that come first, and their widths in pixels.
_FIXED_COLUMNS = {"attributes.`Run Name`": 260, "runDateAndNestInfo": 130, "duration": 80}

#: Wide enough for `final_gap_accuracy`.
_COLUMN_WIDTH = 140


def draw_lines(*metrics: str, scale: str = "linear") -> Item:
    """Returns a chart of metrics over the epochs, the first solid and the second dashed, in the colour of each run."""
    return {
        **_make_card("LINE", *metrics),
        "metricKey": metrics[0],
        "selectedMetricKeys": list(metrics),
        "scaleType": scale,
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "xAxisScaleType": "linear",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "range": {},
        "lineSmoothness": 0,
        "ignoreOutliers": False,
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }


def draw_bars(metric: str) -> Item:
    """Returns a chart of one number of each run."""
    return {**_make_card("BAR", metric), "metricKey": metric}


def draw_scatter(x: str, y: str) -> Item:
    """Returns a chart of one number of each run over another."""
    axes = {name: {"key": key, "type": "METRIC"} for name, key in (("xaxis", x), ("yaxis", y))}
    return {**_make_card("SCATTER", x, y), **axes, "runsCountToCompare": 100}


def draw_parallel(params: Sequence[str], metrics: Sequence[str]) -> Item:
    """Returns a chart with an axis for each param and metric, and a line across them for each run that has them all."""
    selection = {"selectedParams": list(params), "selectedMetrics": list(metrics), "showAllRuns": False}
    return {**_make_card("PARALLEL"), **selection}


def draw_overfitting() -> list[Item]:
    """Returns the charts that say whether runs overfit: both curves in one chart, the gap, and what came of it."""
    return [
        draw_lines("train_eval_accuracy", "val_accuracy"),
        draw_lines("train_eval_loss", "val_loss"),
        draw_lines("gap_accuracy"),
        draw_lines("gap_loss"),
        draw_scatter("final_gap_accuracy", "best_val_accuracy"),
        draw_bars("best_val_accuracy"),
        draw_bars("final_gap_accuracy"),
        draw_lines("learning_rate", scale="log"),
    ]


def arrange_page(
    charts: Sequence[Item],
    *,
    columns: Mapping[str, Sequence[str]],
    search: str,
    order_by: str,
    ascending: bool = False,
) -> Item:
    """Returns the page of an experiment's runs: its charts, the columns of its table, which runs and in which order.

    Args:
        charts: What is shown first; the charts that MLflow makes itself follow in folded sections.
        columns: Names of `metrics`, `params` and `tags` that the table shows, from left to right.
        search: Which runs, in MLflow's search language; an empty one is all.
        order_by: What the runs are sorted by: a metric as `name_column` spells it, or `attributes.start_time`. Only the
            latter puts the runs of a sweep under their parent run; folded, and then without a line in any chart.
        ascending: Whether the smallest comes first.
    """
    chosen = [name_column(kind, name) for kind, names in columns.items() for name in names]
    sections = [{"name": _FIRST, "display": True, "columns": 2}]
    sections += [{"name": name, "display": False, "isGenerated": True} for name in _OTHERS]
    return {
        "searchFilter": search,
        "orderByKey": order_by,
        "orderByAsc": ascending,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [name_column("attributes", "Duration"), *chosen],
        "columnOrder": [*_FIXED_COLUMNS, *chosen],
        "columnWidths": {**_FIXED_COLUMNS, **dict.fromkeys(chosen, _COLUMN_WIDTH)},
        "compareRunCharts": list(charts),
        "compareRunSections": [
            {**section, "uuid": _make_id(str(section["name"])), "isReordered": True, "deleted": False}
            for section in sections
        ],
        # MLflow would put its own sections, and only those, into an order of its own.
        "isAccordionReordered": True,
    }


def name_column(kind: str, name: str) -> str:
    """Returns what MLflow's pages call a column, and an order by it: metrics.`val_loss`."""
    return f"{kind}.`{name}`"


def _make_card(kind: str, *names: str) -> Item:
    return {
        "uuid": _make_id(kind, *names),
        "type": kind,
        "metricSectionId": _make_id(_FIRST),
        "deleted": False,
        "isGenerated": False,
        "runsCountToCompare": 10,
    }


def _make_id(*names: str) -> str:
    """Returns an id that is the same every time: what has not changed need not be written again."""
    return "-".join(["fitgap", *names])
