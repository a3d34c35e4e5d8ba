"""Moves the program's clock in every process that finds this folder on its `PYTHONPATH`, workers included."""

import os
from datetime import datetime, timedelta

from src import clock

_OFFSET = timedelta(seconds=float(os.environ["MONTH_OFFSET_SECONDS"]))


def _local_now() -> datetime:
    zone = clock.local_zone()
    # Moments are moved, and not what the clock shows: a change of the clock may lie between.
    return (datetime.now().astimezone() + _OFFSET).astimezone(zone)


clock.local_now = _local_now
