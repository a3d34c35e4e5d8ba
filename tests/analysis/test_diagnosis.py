"""One verdict per training: curves whose answer is known, and the bounds between verdicts."""

from __future__ import annotations

import math

import pytest

from src.analysis.diagnosis import Diagnosis, Verdict, diagnose
from src.history import History
from src.published.curves import list_recipes, load_published
from tests.analysis.histories import make_history

TURNED = [0.9, 0.7, 0.6, 0.5, 0.52, 0.58, 0.66, 0.75, 0.85, 0.95]
SETTLED = [0.9, 0.7, 0.6, 0.52, 0.5, 0.49, 0.49, 0.49, 0.49, 0.49, 0.49, 0.49]
NEVER = float("nan")


def test_a_loss_that_turned_is_overfitting_from_where_it_turned() -> None:
    diagnosis = diagnose(make_history(TURNED))
    assert diagnosis.verdict == Verdict.OVERFITTING
    assert diagnosis.onset == 4
    assert "turned for good at epoch 4 of 10" in diagnosis.reason


def test_a_loss_that_settles_with_a_small_gap_is_healthy() -> None:
    diagnosis = diagnose(make_history(SETTLED), chance=0.5)
    assert diagnosis.verdict == Verdict.HEALTHY
    assert diagnosis.onset is None
    assert "82.0 % on training images, 80.0 % on validation images" in diagnosis.reason


@pytest.mark.parametrize(
    ("val_accuracy", "train_accuracy", "verdict"),
    [(0.98, 1.0, Verdict.HEALTHY), (0.96, 0.98, Verdict.OVERFITTING), (0.975, 1.0, Verdict.HEALTHY)],
)
def test_a_loss_that_turned_where_the_network_is_nearly_always_right_costs_nothing(
    val_accuracy: float, train_accuracy: float, verdict: Verdict
) -> None:
    tiny = [loss / 20 for loss in TURNED]
    diagnosis = diagnose(make_history(tiny, val_accuracy=val_accuracy, train_accuracy=train_accuracy))
    assert (diagnosis.verdict, diagnosis.onset) == (verdict, 4)


def test_a_gap_that_is_most_of_the_validation_error_is_overfitting_without_a_turn() -> None:
    diagnosis = diagnose(make_history(SETTLED, train_accuracy=0.99, val_accuracy=0.8))
    assert diagnosis.verdict == Verdict.OVERFITTING
    assert diagnosis.onset is None


def test_a_gap_that_is_the_smaller_part_of_the_validation_error_is_not() -> None:
    assert diagnose(make_history(SETTLED, train_accuracy=0.89, val_accuracy=0.8)).verdict == Verdict.HEALTHY


def test_a_gap_below_three_points_is_nothing_to_act_on() -> None:
    assert diagnose(make_history(SETTLED, train_accuracy=1.0, val_accuracy=0.975)).verdict == Verdict.HEALTHY


@pytest.mark.parametrize(("images", "verdict"), [(40, Verdict.HEALTHY), (4000, Verdict.OVERFITTING)])
def test_a_gap_counts_only_where_it_is_more_than_the_images_measured_show_by_chance(
    images: int, verdict: Verdict
) -> None:
    history = make_history(SETTLED, train_accuracy=0.98, val_accuracy=0.9)
    assert diagnose(history, num_train_eval=images, num_val=images).verdict == verdict


@pytest.mark.parametrize(("accuracy", "verdict"), [(0.74, Verdict.UNDERFITTING), (0.76, Verdict.HEALTHY)])
def test_less_than_half_of_what_there_is_to_learn_is_underfitting(accuracy: float, verdict: Verdict) -> None:
    history = make_history(SETTLED, train_accuracy=accuracy, val_accuracy=0.73)
    assert diagnose(history, chance=0.5).verdict == verdict


def test_without_knowing_chance_nothing_is_said_of_how_much_there_was_to_learn() -> None:
    assert diagnose(make_history(SETTLED, train_accuracy=0.55, val_accuracy=0.54)).verdict == Verdict.HEALTHY


def test_a_training_that_was_ended_while_it_learned_is_underfitting() -> None:
    falling = [1.0 - 0.06 * epoch for epoch in range(12)]
    diagnosis = diagnose(make_history(falling))
    assert diagnosis.verdict == Verdict.UNDERFITTING
    assert "ended while it still learned" in diagnosis.reason


def test_a_high_epoch_that_low_ones_follow_is_no_fall() -> None:
    noisy = [0.9, 0.7, 0.6, 0.5, 0.4, 0.38, 0.36, 0.37, 0.36, 0.9, 0.36, 0.35, 0.36, 0.35, 0.36, 0.35]
    assert diagnose(make_history(noisy)).verdict == Verdict.HEALTHY


def test_there_is_nothing_left_to_learn_for_a_training_that_is_nearly_always_right() -> None:
    falling = [0.3 * 0.8**epoch for epoch in range(12)]
    assert diagnose(make_history(falling, val_accuracy=0.98, train_accuracy=0.99)).verdict == Verdict.HEALTHY


def test_few_epochs_do_not_say_whether_a_training_still_learned() -> None:
    assert diagnose(make_history([0.9, 0.7, 0.5])).verdict == Verdict.HEALTHY


@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_a_loss_that_ends_without_a_finite_value_has_diverged(lost: float) -> None:
    diagnosis = diagnose(make_history([0.7, 0.6, lost]))
    assert diagnosis.verdict == Verdict.DIVERGED
    assert "no finite value any more at epoch 3" in diagnosis.reason
    assert diagnosis.lost_loss == math.inf or diagnosis.lost_loss >= 0


def test_a_loss_on_the_training_images_that_grows_has_diverged_and_not_overfitted() -> None:
    growing = [0.7, 0.6, 0.9, 1.4, 2.0, 2.6, 3.0, 3.3, 3.5, 3.6]
    assert diagnose(make_history(growing, train_loss=growing)).verdict == Verdict.DIVERGED


def test_what_training_on_has_cost_is_measured_at_the_end() -> None:
    accuracy = [0.6, 0.7, 0.8, 0.85, 0.84, 0.82, 0.8, 0.79, 0.78, 0.78]
    diagnosis = diagnose(make_history(TURNED, val_accuracy=accuracy))
    assert (diagnosis.best.epoch, diagnosis.last.epoch) == (4, 10)
    assert diagnosis.lost_accuracy == pytest.approx(0.07)
    # The lowest of the curve's running median is .52, the median of its last two epochs .9.
    assert diagnosis.lost_loss == pytest.approx(0.38)


def test_nothing_is_lost_where_the_last_epochs_are_the_best() -> None:
    diagnosis = diagnose(make_history([0.9, 0.7, 0.5, 0.4], val_accuracy=[0.5, 0.6, 0.8, 0.8]))
    assert (diagnosis.lost_accuracy, diagnosis.lost_loss) == (0.0, pytest.approx(0.0, abs=0.051))


def test_the_gap_is_that_of_the_best_and_of_the_last_epoch() -> None:
    history = make_history(TURNED, val_accuracy=[*[0.8] * 3, 0.9, *[0.7] * 6], train_accuracy=0.95)
    diagnosis = diagnose(history)
    assert diagnosis.best.gap_accuracy == pytest.approx(0.05)
    assert diagnosis.last.gap_accuracy == pytest.approx(0.25)


def test_one_epoch_can_be_judged_by_its_gap() -> None:
    assert diagnose(make_history([0.5], train_accuracy=0.99, val_accuracy=0.7)).verdict == Verdict.OVERFITTING


def test_there_is_no_diagnosis_without_an_epoch() -> None:
    with pytest.raises(ValueError, match="no best epoch"):
        diagnose(History())


#: The verdict on each published training. Their training accuracies are running averages, below the clean ones: a gap
#: that they show is there, and one that they do not show may be there all the same.
PUBLISHED = {
    Verdict.OVERFITTING: ["A1", "B1", "C1", "C2", "C4", "D1", "E1"],
    Verdict.UNDERFITTING: ["B2", "D2", "D3", "E2", "E3"],
    Verdict.HEALTHY: ["A2", "B3", "B4", "C3", "C5", "D4", "E4"],
}


def diagnose_published(recipe: str) -> Diagnosis:
    """Returns the diagnosis of a published training, its running averages taken for the clean figures."""
    epochs = load_published(recipe).epochs
    history = make_history(
        [each.val_loss for each in epochs],
        val_accuracy=[each.val_accuracy for each in epochs],
        train_loss=[each.train_loss for each in epochs],
        train_accuracy=[each.train_accuracy for each in epochs],
    )
    return diagnose(history, chance=0.5)


def test_every_published_training_has_the_verdict_that_its_curves_bear_out() -> None:
    verdicts = {recipe: diagnose_published(recipe).verdict for recipe in list_recipes()}
    assert verdicts == {recipe: verdict for verdict, recipes in PUBLISHED.items() for recipe in recipes}


def test_the_published_trainings_from_scratch_without_augmentation_lose_most_by_going_on() -> None:
    lost = {recipe: diagnose_published(recipe).lost_loss for recipe in list_recipes()}
    without = {"A1", "B1", "C1", "C2", "C4", "D1", "E1"}
    assert min(lost[recipe] for recipe in without) > 10 * max(lost[recipe] for recipe in lost if recipe not in without)
