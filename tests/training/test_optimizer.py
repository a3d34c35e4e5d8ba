from __future__ import annotations

import keras
import pytest

from src.config.optimizer import AdamConfig, AdamWConfig, OptimizerConfig, RMSpropConfig, SGDConfig
from src.training.optimizer import build_learning_rate, build_optimizer


def rates(config: OptimizerConfig, steps: list[int]) -> list[float]:
    schedule = build_learning_rate(config, epochs=10, steps_per_epoch=10)
    assert isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule)
    return [float(schedule(step)) for step in steps]


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (AdamConfig(name="adam"), keras.optimizers.Adam),
        (AdamWConfig(name="adamw"), keras.optimizers.AdamW),
        (RMSpropConfig(name="rmsprop"), keras.optimizers.RMSprop),
        (SGDConfig(name="sgd"), keras.optimizers.SGD),
    ],
)
def test_each_configuration_builds_its_optimizer(config: OptimizerConfig, kind: type) -> None:
    optimizer = build_optimizer(config, learning_rate=0.25, precision="float32")
    assert type(optimizer) is kind
    assert float(optimizer.learning_rate) == pytest.approx(0.25)


def test_the_arguments_arrive_under_keras_names() -> None:
    config = SGDConfig(name="sgd", learning_rate=0.1, momentum=0.9, nesterov=True, global_clipnorm=2.0)
    optimizer = build_optimizer(config, learning_rate=0.25, precision="float32")
    assert (optimizer.momentum, optimizer.nesterov, optimizer.global_clipnorm) == (0.9, True, 2.0)


def test_a_constant_schedule_is_a_number() -> None:
    assert build_learning_rate(AdamConfig(name="adam"), epochs=10, steps_per_epoch=10) == 1e-3


def test_a_warm_up_climbs_from_zero_to_the_learning_rate_and_stays() -> None:
    config = AdamConfig(name="adam", learning_rate=0.1, warmup_epochs=2)
    assert rates(config, [0, 10, 20, 50, 100]) == pytest.approx([0.0, 0.05, 0.1, 0.1, 0.1])


def test_a_cosine_falls_from_the_peak_to_its_floor_at_the_last_step() -> None:
    config = AdamConfig(name="adam", learning_rate=0.1, schedule="cosine", alpha=0.1)
    assert rates(config, [0, 50, 100]) == pytest.approx([0.1, 0.055, 0.01])


def test_a_cosine_after_a_warm_up_starts_at_the_peak() -> None:
    config = AdamConfig(name="adam", learning_rate=0.1, schedule="cosine", warmup_epochs=0.5)
    assert rates(config, [0, 5, 100]) == pytest.approx([0.0, 0.1, 0.0], abs=1e-8)
