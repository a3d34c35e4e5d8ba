"""The page as one text: the template filled in, with its style, its script and its drawings inside."""

from __future__ import annotations

import base64
import functools
import hashlib
import math
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from src.analysis.intervals import CONFIDENCE
from src.page import wording
from src.page.content import Leaderboard, Page
from src.page.curves import Curves, describe
from src.page.forest import Forest, draw_shares, judge
from src.page.links import find_run_id, leads_into_mlflow
from src.page.palette import render_schemes
from src.page.scatter import Scatter
from src.page.svg import drawing, element

FOLDER = Path(__file__).parent
TEMPLATE = "page.html.jinja"

#: A leaderboard with more rows than this can be filtered.
FILTERED_ROWS = 20

#: The marks of runs by their look, so many pixels around their place; the last one is that of all further arms.
MARKS = (
    "M-5,0a5,5 0 1 0 10,0a5,5 0 1 0 -10,0Z",
    "M-4.5,-4.5H4.5V4.5H-4.5Z",
    "M0,-5.8L5.6,4.4H-5.6Z",
    "M0,-6.2L6.2,0L0,6.2L-6.2,0Z",
    "M0,5.8L5.6,-4.4H-5.6Z",
    "M-1.9,-5.5H1.9V-1.9H5.5V1.9H1.9V5.5H-1.9V1.9H-5.5V-1.9H-1.9Z",
    "M-5.5,-2.6H5.5V2.6H-5.5Z",
)
#: Further marks: the end of an interval, and what lies beyond an axis.
ENDS = {
    "end": "M0,-5V5",
    "out-left": "M-1,0L7,-5V5Z",
    "out-right": "M1,0L-7,-5V5Z",
    "out-up": "M0,-1L5,7H-5Z",
    "out-down": "M0,1L5,-7H-5Z",
}

#: What tells verdicts apart beside their colour.
SYMBOLS = {"overfitting": "▲", "healthy": "●", "underfitting": "▽", "diverged": "✕", "failed": "✕"}


def render_page(page: Page) -> str:
    """Returns a page as HTML that needs nothing beside it; the same content gives the same text."""
    style, script = render_schemes() + "\n" + _read("style.css"), _read("script.js")
    differences = [estimate for line in page.effects for estimate in (line.gap, line.val_accuracy)]
    changes = [estimate for line in page.influences for estimate in (line.gap_effect, line.accuracy_effect)]
    return (
        _open_environment()
        .get_template(TEMPLATE)
        .render(
            page=page,
            style=Markup(style),
            script=Markup(script),
            policy=_write_policy(style, script),
            marks=_define_marks(),
            curves=Curves(page.panels),
            scatter=Scatter(page.points),
            effects=Forest(differences),
            influences=Forest(changes),
            numeric=_find_numeric_columns(page.leaderboard),
            filtered=len(page.leaderboard.rows) > FILTERED_ROWS,
            confidence=f"{100 * CONFIDENCE:.0f}{wording.NO_BREAK}%",
        )
    )


@functools.cache
def _open_environment() -> Environment:
    """Returns the templates' environment: everything is escaped, and a name that is not known is an error."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        change=wording.change,
        interval=wording.interval,
        count=wording.count,
        run_id=find_run_id,
        leads=leads_into_mlflow,
        symbol=lambda verdict: SYMBOLS.get(verdict, "○"),
    )
    environment.globals.update(
        describe=describe, judge=judge, draw_shares=draw_shares, draw_mark=_draw_mark, is_finite=_is_finite
    )
    return environment


@functools.cache
def _read(name: str) -> str:
    """Returns a file from beside this module."""
    return (FOLDER / name).read_text(encoding="utf-8")


def _write_policy(style: str, script: str) -> Markup:
    """Returns the rule by which a browser loads nothing at all, and runs this style and this script alone."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return Markup(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'"
    ).format(*hashes)


def _define_marks() -> Markup:
    """Returns what the page's drawings use by name: marks, and the light in the good corner."""
    paths = {**{f"mark-{look}": path for look, path in enumerate(MARKS)}, **ENDS}
    marks = (element("path", id=name, d=path) for name, path in paths.items())
    stops = (element("stop", offset=offset, class_=name) for offset, name in ((0, "near"), (1, "far")))
    light = element("radialGradient", *stops, id="good-light", cx=0, cy=0, r=0.6)
    return drawing("Marks", element("defs", *marks, light), class_="marks", width=0, height=0, aria_hidden="true")


def _draw_mark(look: int, name: str) -> Markup:
    """Returns the mark of an arm for the key beside the picture."""
    mark = element("use", href=f"#mark-{look}", x=8, y=8, class_=f"point look-{look}")
    return drawing(f"Mark of {name}", mark, width=16, height=16, class_="glyph")


def _find_numeric_columns(leaderboard: Leaderboard) -> set[int]:
    """Returns the columns that are read as numbers, counted from 0."""
    return {column for row in leaderboard.rows for column, cell in enumerate(row) if _is_finite(cell.value)}


def _is_finite(value: float | None) -> bool:
    """Whether there is a number to sort by."""
    return value is not None and math.isfinite(value)
