"""Records runs in MLflow; the one package that imports it.

MLflow reads its settings from the environment, partly when it is imported and partly at every call. The defaults below
are set before anything here imports MLflow, never over a value that the user has set, and child processes inherit them:

- A request waits at most 60 seconds, which leaves a server time to store a model, and is retried once. MLflow's own
  defaults would hold a caller for minutes while a server is away; `src.tracking.courier` does the waiting instead, off
  the training thread and with the data on disk. What has to be known at once is asked with a shorter limit of its own.
- No telemetry, no progress bars for artifacts, no links printed at the end of a run, no informational log lines.
"""

from __future__ import annotations

import logging
import os

_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
for _name, _value in _DEFAULTS.items():
    os.environ.setdefault(_name, _value)

# Both log every failed attempt, the second with a traceback. Failures reach the user once, in fitgap's own words.
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
