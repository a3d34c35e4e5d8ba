"""What the runs of a sweep are evidence for."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest

from src.analysis.effects import GAP, VAL_ACCURACY
from src.comparison.evidence import Evidence, find_logarithmic, weigh_grid, weigh_search
from src.comparison.row import Row
from src.comparison.tables import write_evidence
from tests.comparison.rows import make_row


def make_grid() -> list[Row]:
    """Makes up two dropouts with three seeds each: dropout .5 takes .1 of the gap."""
    return [
        make_row(number, {"model.dropout": dropout, "seed": seed}, gap=0.2 - (0.1 if dropout == "0.5" else 0))
        for number, (dropout, seed) in enumerate(itertools.product(("0", "0.5"), ("0", "1", "2")))
    ]


def make_search(count: int = 30) -> list[Row]:
    """Makes up a search in which dropout decides the gap and the model decides accuracy."""
    generator = np.random.default_rng(0)
    rows = []
    for number in range(count):
        dropout, model = float(generator.uniform(0, 0.7)), str(generator.choice(["vgg16", "mobilenet"]))
        accuracy = (0.9 if model == "vgg16" else 0.8) + float(generator.normal(0, 0.005))
        gap = 0.3 - 0.3 * dropout + float(generator.normal(0, 0.005))
        rows.append(make_row(number, {"model": model, "model.dropout": repr(dropout)}, val_accuracy=accuracy, gap=gap))
    return rows


def test_the_first_value_of_the_command_line_is_what_the_others_are_compared_with() -> None:
    (effect,) = weigh_grid(make_grid()).effects
    assert (effect.key, effect.level, effect.baseline) == ("model.dropout", "0.5", "0")
    assert effect.differences[GAP].mean == pytest.approx(-0.1)
    assert weigh_grid(make_grid()).num_seeds == 3


def test_runs_that_failed_are_no_evidence() -> None:
    grid = make_grid()
    grid[0] = make_row(0, grid[0].params, state="diverged")
    (effect,) = weigh_grid(grid).effects
    assert effect.count == 2


def test_a_grid_in_which_nothing_differs_has_no_effects() -> None:
    assert weigh_grid([make_row(0), make_row(1)]) == Evidence()


def test_a_search_tells_what_matters_for_the_gap_from_what_matters_for_accuracy() -> None:
    evidence = weigh_search(make_search(), {"model.dropout": "0 to 0.7"})
    assert evidence.gap is not None
    assert evidence.accuracy is not None
    assert max(evidence.gap.keys, key=lambda each: each.share).key == "model.dropout"
    assert max(evidence.accuracy.keys, key=lambda each: each.share).key == "model"


def test_both_measures_are_compared_between_the_same_two_categories() -> None:
    evidence = weigh_search(make_search(), {"model.dropout": "0 to 0.7"})
    assert evidence.gap is not None
    assert evidence.accuracy is not None
    between = [
        next(each.between for each in part.keys if each.key == "model") for part in (evidence.gap, evidence.accuracy)
    ]
    assert between == [("mobilenet", "vgg16")] * 2


def test_a_short_search_is_no_evidence() -> None:
    evidence = weigh_search(make_search(5), {"model.dropout": "0 to 0.7"})
    assert (evidence.gap, evidence.accuracy) == (None, None)


def test_keys_that_are_searched_by_orders_of_magnitude_are_found_in_their_description() -> None:
    space = {"optimizer.learning_rate": "1e-05 to 0.01, log", "model.dropout": "0 to 0.7", "+x": "1 to 9, log"}
    assert find_logarithmic(space) == {"optimizer.learning_rate", "x"}


def test_the_tables_hold_every_digit(tmp_path: Path) -> None:
    evidence = weigh_grid(make_grid())
    assert write_evidence(evidence, tmp_path) == [tmp_path / "effects.csv"]
    with (tmp_path / "effects.csv").open(newline="", encoding="utf-8") as file:
        (line,) = csv.DictReader(file)
    gap = evidence.effects[0].differences[GAP]
    assert (float(line[f"{GAP}_change"]), float(line[f"{GAP}_low"])) == (gap.mean, gap.low)
    assert (line["value"], line["instead_of"], line["pairs"], line["seeds"]) == ("0.5", "0", "3", "3")


def test_a_search_has_a_line_for_each_measure_and_key(tmp_path: Path) -> None:
    evidence = weigh_search(make_search(), {"model.dropout": "0 to 0.7"})
    assert write_evidence(evidence, tmp_path) == [tmp_path / "influences.csv"]
    with (tmp_path / "influences.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [(line["measure"], line["key"]) for line in lines] == [
        (GAP, "model"),
        (GAP, "model.dropout"),
        (VAL_ACCURACY, "model"),
        (VAL_ACCURACY, "model.dropout"),
    ]


def test_without_evidence_there_is_no_table(tmp_path: Path) -> None:
    assert write_evidence(Evidence(), tmp_path) == []
    assert list(tmp_path.iterdir()) == []
