"""What fitgap keeps at studies and trials in Optuna's storage: the keys, which all begin with `fitgap.`."""

from __future__ import annotations

# At a study.
FINGERPRINT = "fitgap.fingerprint"
POINTS = "fitgap.points"
OPENINGS = "fitgap.openings"
#: Followed by a trial's number: its run, where that became known after the trial's end.
LATE_RUN_ID = "fitgap.run_id."

# At a trial.
OWNER = "fitgap.owner"
ATTEMPT = "fitgap.attempt"
RETRY_OF = "fitgap.retry_of"
FOLDER = "fitgap.folder"
#: Where the checkpoints lie that its earlier attempts have left: the folder of the first.
CHECKPOINTS = "fitgap.checkpoints"
#: How many of its earlier attempts failed, or died; those that somebody ended do not count.
FAILURES = "fitgap.failures"
#: What the trial came to, as `Outcome.to_dict` has it.
OUTCOME = "fitgap.outcome"
#: Why it was run again alone on its GPU: the error with which it ran out of memory beside others.
OUT_OF_MEMORY = "fitgap.out_of_memory"
#: Its run, known while it runs.
RUN_ID = "fitgap.run_id"

#: Where Optuna keeps the values that a trial that was enqueued has to take.
FIXED_PARAMS = "fixed_params"
