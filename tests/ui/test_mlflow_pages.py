"""What a person meets in MLflow's pages, seen with a browser."""

from __future__ import annotations

import warnings

from tests.ui.chromium import Chromium
from tests.ui.conftest import QUESTION, Site, make_history

with warnings.catch_warnings():
    # MLflow's own models use what SQLAlchemy is about to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    from src.comparison.report import link_artifact
    from src.tracking.sweeps import find_view
    from src.tracking.views import OVERVIEW, TABLE, link_view

#: The curves of every chart on the page: for each its metric, its run and its values.
CURVES = """[...document.querySelectorAll('.js-plotly-plot')].map(plot =>
    plot.data.filter(curve => curve.metricKey).map(curve => [curve.metricKey, curve.name, Array.from(curve.y)]))"""

#: Titles of the table's columns from left to right, and names of its rows from top to bottom.
COLUMNS = """[...document.querySelectorAll('.ag-center-cols-container, .ag-header-viewport .ag-header-cell')]
    .filter(cell => cell.getAttribute('col-id')).sort((one, other) => one.offsetLeft - other.offsetLeft)
    .map(cell => cell.getAttribute('col-id'))"""
ROWS = """[...document.querySelectorAll('.ag-row')].sort((one, other) => one.offsetTop - other.offsetTop)
    .flatMap(row => [...row.querySelectorAll('a')].map(link => link.innerText))"""


def test_a_sweeps_charts_show_training_and_validation_of_its_own_runs_in_one_chart(
    site: Site, browser: Chromium
) -> None:
    page = browser.open(site.start + find_view(site.store, site.parent_run_id))
    page.wait(f"{CURVES}.filter(chart => chart.length).length >= 5")
    charts = [{(metric, run): values for metric, run, values in chart} for chart in page.read(CURVES)]
    runs = {"model=vgg16": 0.9, "model=mobilenet": 0.8}
    for chart, metrics in zip(
        charts,
        [("train_eval_accuracy", "val_accuracy"), ("train_eval_loss", "val_loss"), ("gap_accuracy",)],
        strict=False,
    ):
        assert chart == {
            (metric, run): [epoch.metrics()[metric] for epoch in make_history(8, best).epochs]
            for run, best in runs.items()
            for metric in metrics
        }
    for title in ("Overfitting", "gap_loss", "final_gap_accuracy vs. best_val_accuracy", "Parallel Coordinates"):
        assert title in page.text()


def test_the_page_of_a_sweep_shows_its_question_and_leads_to_its_charts(site: Site, browser: Chromium) -> None:
    page = browser.open(f"{site.start}{site.page}?workflowType=machine_learning")
    page.wait(f"document.body.innerText.includes({QUESTION!r})")
    links = page.read("[...document.querySelectorAll('a')].map(link => link.getAttribute('href'))")
    assert find_view(site.store, site.parent_run_id) in links
    assert link_artifact(site.store.experiment_id, site.parent_run_id, "report.html") in links


def test_a_report_opens_among_a_sweeps_artifacts(site: Site, browser: Chromium) -> None:
    browser.open(site.start + link_artifact(site.store.experiment_id, site.parent_run_id, "report.html"))
    # MLflow shows foreign pages in a frame that has nothing to do with its own.
    frame = browser.find_frame("blob:")
    said = frame.wait("document.body.innerText")
    assert QUESTION in said
    assert "model=vgg16 is best" in said
    assert "What each change does" in said
    # Its curves are drawn, although nothing may be loaded there and nothing may run but its own script.
    assert frame.read("document.querySelectorAll('.panel svg').length") >= 2


def test_the_table_of_sweeps_has_their_runs_folded_beneath_them_and_the_figures_that_matter(
    site: Site, browser: Chromium
) -> None:
    page = browser.open(site.start + link_view(site.store.experiment_id, TABLE, charts=False))
    page.wait(f"{ROWS}.length > 1")
    assert page.read(ROWS) == ["model=cnn", "grid of model"]
    assert page.read(COLUMNS)[:4] == [
        "duration",
        "metrics.`best_val_accuracy`",
        "metrics.`final_gap_accuracy`",
        "metrics.`best_epoch`",
    ]


def test_an_experiment_leads_to_its_views_wherever_its_pages_begin(site: Site, browser: Chromium) -> None:
    experiment = site.store.experiment_id
    # Without being asked for trainings, MLflow shows its pages for language models.
    page = browser.open(f"{site.start}#/experiments/{experiment}")
    page.wait("document.body.innerText.includes('Do they overfit?')")
    links = page.read("[...document.querySelectorAll('a')].map(link => link.getAttribute('href'))")
    assert link_view(experiment, OVERVIEW) in links
