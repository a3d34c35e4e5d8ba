"""From a comparison to what its page shows."""

from __future__ import annotations

import pytest

from src.comparison.page import MAX_PANELS, build_page, find_front, format_cell
from src.comparison.row import Row
from src.comparison.subject import Subject
from src.page.content import Page
from tests.analysis.histories import make_history
from tests.comparison.rows import make_row
from tests.comparison.test_evidence import make_grid, make_search
from tests.comparison.test_findings import compare

SUBJECT = Subject("some sweep", "Which one?", warnings=["Mind this."])


def build(rows: list[Row], *, searched: bool = False) -> Page:
    """Builds the page of some runs."""
    comparison = compare(rows, searched=searched)
    return build_page(comparison, SUBJECT, facts=[("experiment", "digits")], experiment_id="7")


def test_the_front_holds_the_runs_to_which_none_is_superior_in_both() -> None:
    rows = [
        make_row(0, val_accuracy=0.9, gap=0.2),
        make_row(1, val_accuracy=0.85, gap=0.1),
        make_row(2, val_accuracy=0.84, gap=0.15),
        make_row(3, val_accuracy=0.8, gap=-0.1),
        make_row(4, val_accuracy=0.9, gap=0.25),
        make_row(5, state="diverged"),
    ]
    assert find_front(rows) == {"id0", "id1", "id3"}


def test_every_complete_run_is_a_point_that_leads_to_its_page() -> None:
    page = build([make_row(0, gap=0.2), make_row(1, state="failed"), make_row(2, gap=0.1)])
    assert [(point.name, point.gap, point.on_front) for point in page.points] == [
        ("run0", 0.2, False),
        ("run2", 0.1, True),
    ]
    assert page.points[0].link == "#/experiments/7/runs/id0"


def test_a_failed_run_has_a_panel_that_says_why() -> None:
    (panel,) = build([make_row(0, state="failed")]).panels
    assert panel.failed == "failed: OSError: gone"


def test_a_run_that_has_not_judged_itself_is_judged_by_its_curves() -> None:
    turned = make_history([0.9, 0.7, 0.6, 0.5, 0.52, 0.58, 0.66, 0.75, 0.85, 0.95])
    row = make_row(0, verdict=None)
    row = Row(**{**vars(row), "history": turned})
    (panel,) = build([row]).panels
    assert panel.verdict == "overfitting"
    assert "turned for good" in panel.reason


def test_of_too_many_runs_the_best_have_panels() -> None:
    history = make_history([0.5, 0.4])
    rows = [
        Row(**{**vars(make_row(number, val_accuracy=0.5 + number / 200)), "history": history})
        for number in range(MAX_PANELS + 10)
    ]
    page = build(rows)
    assert [panel.name for panel in page.panels] == [f"run{number}" for number in range(MAX_PANELS + 9, 9, -1)]
    assert page.panels_note == f"The best {MAX_PANELS} of {MAX_PANELS + 10} runs."


def test_a_grid_has_effects_and_a_search_has_influences() -> None:
    grid, search = build(make_grid()), build(make_search(), searched=True)
    assert [line.change for line in grid.effects] == ["dropout 0.5 instead of 0"]
    assert grid.effects[0].verdict == "less overfitting, no clear change of validation accuracy"
    assert grid.influences == ()
    assert search.effects == ()
    assert {line.key for line in search.influences} == {"model", "model.dropout"}
    by_key = {line.key: line for line in search.influences}
    assert by_key["model.dropout"].verdict == "less overfitting, no clear effect on accuracy"
    assert by_key["model"].between == "mobilenet → vgg16"
    assert "30 complete trials" in search.influences_note


def test_the_leaderboard_holds_all_runs_the_best_first() -> None:
    rows = [make_row(0, {"model": "cnn"}, val_accuracy=0.7), make_row(1, {"model": "x"}, state="failed")]
    rows.append(make_row(2, {"model": "vgg16"}, val_accuracy=0.8, test_accuracy=0.79))
    board = build(rows).leaderboard
    assert board.header[:3] == ("run", "state", "verdict")
    assert board.header[-2:] == ("test", "model")
    assert [row[0].text for row in board.rows] == ["model=vgg16", "model=cnn", "model=x"]
    assert (board.rows[0][-2].text, board.rows[0][-2].value) == ("79.0\N{NO-BREAK SPACE}%", 0.79)
    assert board.rows[2][3].text == "-"


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("best_val_accuracy", 0.8484, "84.8\N{NO-BREAK SPACE}%"),
        ("best_gap_accuracy", -0.0123, "\N{MINUS SIGN}1.2"),
        ("final_gap_accuracy", -0.0001, "0.0"),
        ("final_gap_loss", 0.1234567, "+0.123"),
        ("best_epoch", 12.0, "12"),
        ("best_val_accuracy", None, "-"),
    ],
)
def test_figures_have_as_many_digits_as_people_can_use(key: str, value: float | None, text: str) -> None:
    assert format_cell(key, value) == text


def test_warnings_of_the_sweep_are_caveats_of_its_page() -> None:
    page = build([make_row(0)])
    assert page.caveats[-1] == "Mind this."
    assert ("experiment", "digits") in page.facts
    assert ("runs", "1 complete") in page.facts
