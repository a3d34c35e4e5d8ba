"""The errors that fitgap raises on purpose, each with a message written for the person who reads it.

A message says what is wrong, where, what was received and what to do. Entry points print the message alone, without
a traceback, and exit with the class's exit code; any other exception is a defect and keeps its traceback.

    FitgapError
    ├── ConfigError      a key, value or combination in the configuration is not allowed
    ├── DataError        a data set cannot be had, or holds something that it must not
    ├── WeightsError     pretrained weights cannot be had, or do not fit the backbone
    ├── TrackingError    the tracking store cannot be used, or did not take what was logged
    ├── StorageError     a file cannot be written where it has to be
    ├── StudyError       Optuna's storage or a study in it cannot be used
    ├── ScheduleError    a scheduled sweep cannot be installed, did not start, or failed
    └── TrainingError    a training could not go on
        ├── DivergedError       the loss became NaN or infinite
        └── TrialTimeoutError   a trial took longer than it may
"""

from __future__ import annotations


class FitgapError(Exception):
    """An error whose message is meant for the user and complete without a traceback."""

    exit_code = 1


class ConfigError(FitgapError):
    """A key, a value or a combination of values in the configuration is not allowed."""

    exit_code = 2


class DataError(FitgapError):
    """A data set cannot be had, or holds something that it must not."""


class WeightsError(FitgapError):
    """Pretrained weights cannot be had, or do not fit the backbone."""


class TrackingError(FitgapError):
    """The tracking store cannot be used, or did not take what was logged."""


class StorageError(FitgapError):
    """A file cannot be written where it has to be."""


class StudyError(FitgapError):
    """Optuna's storage, or a study in it, cannot be used."""


class ScheduleError(FitgapError):
    """A scheduled sweep cannot be installed, did not start, or failed."""


class TrainingError(FitgapError):
    """A training could not go on."""


class DivergedError(TrainingError):
    """The loss became NaN or infinite."""


class TrialTimeoutError(TrainingError):
    """A trial took longer than it may."""
