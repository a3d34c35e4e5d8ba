"""Lets a search prune a training: after every epoch the trial is told what it would come to if it ended here."""

from __future__ import annotations

from src.alarm import check_alarm, defer_alarm
from src.analysis.overfitting import compute_metrics
from src.config.run import RunConfig
from src.history import EpochMetrics, History
from src.study.reporting import CurrentTrial
from src.training.progress import Step


class TrialObserver:
    """Reports a training's epochs to its trial, and ends it where the trial shall end; a `TrainingObserver`."""

    def __init__(self, trial: CurrentTrial, config: RunConfig) -> None:
        """Takes the trial and the training's configuration."""
        self.trial = trial
        self.epochs = config.trainer.epochs
        self.keep_models = config.tracking.keep_models
        defer_alarm()

    def on_resume(self, history: History) -> None:
        """Reports the epochs of an earlier attempt, of which Optuna's trial, a new one, knows nothing."""
        values: dict[int, float] = {}
        for count, epoch in enumerate(history.epochs, start=1):
            metrics = compute_metrics(History(history.epochs[:count]))
            objective = self.trial.ticket.objectives[0]
            if objective in metrics:
                values[epoch.epoch] = metrics[objective]
        self.trial.recall(values)

    def on_step(self, step: Step) -> None:
        """Ends a training whose time is up between two steps, where that does no harm.

        Raises:
            TrialTimeoutError: It is.
        """
        check_alarm()

    def on_epoch(self, epoch: EpochMetrics) -> None:
        """Reports nothing yet: what the epoch has broken is found out after this."""

    def should_stop(self, history: History) -> bool:
        """Reports the value that the trial would have now, and returns whether it shall end early.

        An objective that has no value yet, such as `overfit_epoch` before there is one, is not reported. After the last
        epoch there is nothing left to save: a training that was paid for in full is complete.
        """
        metrics = compute_metrics(history)
        for objective in self.trial.ticket.objectives:
            if objective in metrics:
                self.trial.report(metrics[objective], step=history.epochs[-1].epoch)
        return len(history) < self.epochs and self.trial.should_stop()

    def wants_model(self, metrics: dict[str, float]) -> bool:
        """Returns whether the trial, with these final metrics, may be one of those that keep their model.

        Saving a model takes longer than all else that happens between two short trainings.
        """
        value = metrics.get(self.trial.ticket.objectives[0])
        return value is None or not self.trial.is_beaten(value, self.keep_models)


def list_metrics() -> tuple[str, ...]:
    """Returns the names of all that a training is measured by, test images aside: what a search can optimize."""
    # An imagined training that overfits from its second epoch on has them all.
    epochs = [EpochMetrics(epoch, 1, 1, 1, 1, 1, float(epoch), 1, 1) for epoch in range(1, 7)]
    return tuple(compute_metrics(History(tuple(epochs))))


#: What a search can optimize, and set bounds to.
OBJECTIVE_METRICS = list_metrics()
