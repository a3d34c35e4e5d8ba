"""Where overfitting starts: curves whose answer is known, and the published ones."""

from __future__ import annotations

import numpy as np
import pytest

from src.analysis.overfitting import compute_noise, compute_overfit_epoch, compute_summary, smooth_median
from src.history import EpochMetrics, History
from src.published.curves import list_recipes, load_published
from tests.analysis import histories

FALLING = [1.0, 0.8, 0.65, 0.55, 0.48, 0.43]

NO_TURN = {
    "a loss that falls to the end": FALLING,
    "a loss that never changes": [0.5] * 8,
    "one noisy epoch": [*FALLING, 0.9, 0.41, 0.4, 0.39],
    "one noisy epoch at the end": [*FALLING, 0.42, 0.41, 0.4, 0.9],
    "a late plateau": [*FALLING, 0.44, 0.44, 0.44, 0.44, 0.44],
    "a rise of less than five percent": [*FALLING, 0.4, 0.41, 0.415, 0.418, 0.415],
    "a turn that recovers": [*FALLING, 0.6, 0.7, 0.75, 0.7, 0.5, 0.42, 0.4],
    "a turn in the last epoch": [*FALLING, 0.4, 0.38, 0.8],
    "one epoch": [0.5],
    "two epochs": [0.5, 2.0],
    "no epoch": [],
}


def make_turn(turn: int, *, fall: float = 0.1, rise: float = 0.05) -> list[float]:
    """Makes up twelve losses that fall by the same amount per epoch until `turn`, and rise from there."""
    return [0.4 + max(fall * (turn - epoch), rise * (epoch - turn)) for epoch in range(1, 13)]


def read_val_losses(recipe: str) -> list[float]:
    """Returns the validation loss that a published recipe printed after every epoch."""
    return load_published(recipe).series("val_loss")


def make_history(val_losses: list[float], first_epoch: int = 1) -> History:
    """Makes up a history with the given losses, in which accuracy is best where the loss is lowest."""
    accuracies = [1 - loss / 2 for loss in val_losses]
    return histories.make_history(
        val_losses, val_accuracy=accuracies, train_loss=0.25, train_accuracy=0.96875, first_epoch=first_epoch
    )


@pytest.mark.parametrize("val_loss", NO_TURN.values(), ids=NO_TURN.keys())
def test_these_curves_never_turn(val_loss: list[float]) -> None:
    assert compute_overfit_epoch(val_loss) is None


@pytest.mark.parametrize("turn", [3, 5, 9])
def test_a_clean_turn_is_found_where_it_is(turn: int) -> None:
    assert compute_overfit_epoch(make_turn(turn)) == turn


@pytest.mark.parametrize(("turn", "fall"), [(5, 0.05), (5, 0.02), (2, 0.1), (2, 0.02)])
def test_a_clean_turn_is_found_where_it_is_however_slowly_the_loss_fell(turn: int, fall: float) -> None:
    assert compute_overfit_epoch(make_turn(turn, fall=fall)) == turn


def test_a_loss_that_only_rises_turned_in_its_first_epoch() -> None:
    assert compute_overfit_epoch([0.4 + 0.1 * epoch for epoch in range(8)]) == 1


def test_one_lucky_epoch_after_the_turn_does_not_move_it() -> None:
    val_loss = make_turn(5)
    val_loss[9] = 0.3
    assert compute_overfit_epoch(val_loss) == 5


def test_a_dip_below_the_threshold_that_does_not_last_is_no_recovery() -> None:
    assert compute_overfit_epoch([*FALLING, 0.4, 0.5, 0.6, 0.41, 0.41, 0.41, 0.5, 0.6, 0.7]) is not None


def test_a_turn_must_last_two_epochs() -> None:
    turned = [*FALLING, 0.4, 0.4, 0.6, 0.6]
    assert compute_overfit_epoch(turned) == 7
    assert compute_overfit_epoch(turned[:-1]) is None


def test_the_threshold_is_five_percent_of_the_lowest_loss() -> None:
    assert compute_overfit_epoch([2.0, 1.0, 1.0, 1.04, 1.04, 1.04]) is None
    assert compute_overfit_epoch([2.0, 1.0, 1.0, 1.06, 1.06, 1.06]) == 2


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_answer_does_not_depend_on_the_size_of_the_loss(scale: float) -> None:
    assert compute_overfit_epoch([scale * loss for loss in make_turn(5)]) == 5
    assert compute_overfit_epoch([scale * loss for loss in FALLING]) is None


def test_a_loss_that_reaches_zero_and_stays_there_never_turns() -> None:
    assert compute_overfit_epoch([1.0, 0.1, 0.0, 0.0, 0.0, 0.0]) is None


def test_a_loss_that_explodes_has_turned_where_it_was_lowest() -> None:
    assert compute_overfit_epoch([1.0, 0.6, 0.5, 0.55, float("inf"), float("inf"), float("inf")]) == 3


def test_the_running_median_takes_out_single_peaks_and_keeps_steps() -> None:
    assert smooth_median([1.0, 1.0, 9.0, 1.0, 1.0, 4.0, 4.0]) == [1.0, 1.0, 1.0, 1.0, 1.0, 4.0, 4.0]


#: Where validation loss turned in the published trainings, of which A1's author wrote that it overfits after about ten
#: epochs, and C4's that it does from the fifth on: there accuracy is best, two epochs after the loss is lowest.
PUBLISHED_ONSETS = {"A1": 9, "B1": 1, "C1": 5, "C2": 10, "C4": 3, "D1": 2, "E1": 1}


@pytest.mark.parametrize("recipe", list_recipes())
def test_the_published_overfitting_starts_where_its_curves_show_it(recipe: str) -> None:
    assert compute_overfit_epoch(read_val_losses(recipe)) == PUBLISHED_ONSETS.get(recipe)


def test_dropout_delays_the_published_overfitting_without_removing_it() -> None:
    without, with_dropout = (compute_overfit_epoch(read_val_losses(recipe)) for recipe in ("C1", "C2"))
    assert without is not None
    assert with_dropout is not None
    assert without < with_dropout


def test_a_summary_holds_what_is_tracked_once_per_run() -> None:
    losses = [1.0, 0.625, 0.25, 0.5, 0.75, 1.0]
    assert compute_summary(make_history(losses)) == {
        "best_val_accuracy": 0.875,
        "best_val_loss": 0.25,
        "best_epoch": 3.0,
        "best_gap_accuracy": 0.09375,
        "overfit_epoch": 3.0,
        "final_gap_accuracy": 0.46875,
        "final_gap_loss": 0.75,
        "epochs_run": 6.0,
    }


def test_a_summary_without_a_turn_has_no_onset() -> None:
    summary = compute_summary(make_history([0.75, 0.5, 0.25]))
    assert "overfit_epoch" not in summary
    assert summary["epochs_run"] == 3.0


def test_the_lowest_loss_need_not_be_that_of_the_most_accurate_epoch() -> None:
    history = make_history([0.5, 0.25, 0.75])
    accurate = EpochMetrics(**{**vars(history.epochs[2]), "val_accuracy": 0.9375})
    summary = compute_summary(History((*history.epochs[:2], accurate)))
    assert summary["best_val_accuracy"] == 0.9375
    assert summary["best_epoch"] == 3.0
    assert summary["best_val_loss"] == 0.25


def test_epochs_are_named_by_their_numbers_and_not_by_their_places() -> None:
    summary = compute_summary(make_history([1.0, 0.625, 0.25, 0.5, 0.75, 1.0], first_epoch=11))
    assert summary["best_epoch"] == 13.0
    assert summary["overfit_epoch"] == 13.0


def test_a_summary_needs_an_epoch() -> None:
    with pytest.raises(ValueError, match="no best epoch"):
        compute_summary(History())


def test_a_rise_within_the_noise_of_the_curve_is_no_turn() -> None:
    noisy = [0.10, 0.07, 0.11, 0.06, 0.12, 0.07, 0.10, 0.05, 0.11, 0.08, 0.12, 0.07, 0.11, 0.08]
    assert compute_noise(noisy) > 0.2
    assert compute_overfit_epoch(noisy) is None


def test_the_noise_of_a_smooth_curve_is_nothing_whatever_it_does() -> None:
    assert compute_noise([0.9**epoch for epoch in range(12)]) == pytest.approx(0, abs=1e-12)
    assert compute_noise(make_turn(5)) < 0.05


@pytest.mark.parametrize("deviation", [0.02, 0.2])
def test_noise_is_measured_as_the_deviation_of_the_logarithm(deviation: float) -> None:
    noise = np.random.default_rng(0).normal(0, deviation, 400)
    assert compute_noise(np.exp(noise - 0.01 * np.arange(400)).tolist()) == pytest.approx(deviation, rel=0.15)


def test_a_short_curve_has_no_noise_that_could_be_known() -> None:
    assert compute_noise([1.0, 2.0, 1.0, 2.0, 1.0]) == 0
