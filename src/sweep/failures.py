"""The failure policy: what is run again, and when failures end a search."""

from __future__ import annotations

from src.config.sweeper import SweeperConfig
from src.ending import DIVERGED, FAILED, INTERRUPTED, LOST, OOM, TIMEOUT
from src.study.outcome import Outcome

#: How often a trial whose process died is begun before it counts as failed.
MAX_DEATHS = 6
#: How often one is begun that somebody ends again and again: a long one, every night for two months. One that ends its
#: own sweep must not be begun for ever.
MAX_ATTEMPTS = 60


class FailurePolicy:
    """Decides which trials are run again, and whether too many have failed.

    Attributes:
        planned: Trials of all arms together.
        failed: Trials of all arms that have failed for good.
        consecutive: How many of them ended one after another, without one that succeeded in between.
    """

    def __init__(self, settings: SweeperConfig, planned: int, failed: int) -> None:
        """Takes what an earlier process has counted; a row of failures is broken by the restart."""
        self.retries = settings.retries
        self.max_consecutive = settings.max_consecutive_failures
        self.max_rate = settings.max_failure_rate
        self.planned = planned
        self.failed = failed
        self.consecutive = 0
        self.reasons: list[str] = []

    def wants_retry(self, outcome: Outcome, attempt: int, failures: int) -> bool:
        """Returns whether a trial shall be run again with the same parameters.

        What failed because of its own configuration would fail again, and so would what diverged: runs repeat exactly.
        What ran out of memory with a whole GPU, having done so with a share of it, has been run again already.
        That somebody ended it says nothing of the trial.

        Args:
            outcome: How it ended.
            attempt: Which attempt this was, from 1.
            failures: How many of its earlier attempts failed, or died.
        """
        if outcome.state == INTERRUPTED:
            return attempt < MAX_ATTEMPTS
        if outcome.state == LOST:
            return failures + 1 < MAX_DEATHS
        if outcome.state not in (FAILED, OOM, TIMEOUT) or (outcome.error or "").startswith("ConfigError"):
            return False
        if outcome.hopeless:
            return False
        return failures < self.retries

    def count(self, outcome: Outcome, name: str) -> None:
        """Counts a trial that ended and is not run again."""
        if outcome.state in (FAILED, OOM, TIMEOUT, DIVERGED, LOST):
            self.failed += 1
            self.consecutive += 1
            self.reasons.append(f"{name}: {outcome.state}: {outcome.error or 'no reason recorded'}")
        else:
            self.consecutive = 0

    def find_end(self) -> str | None:
        """Returns why the search shall end; None as long as failures are within their limits."""
        if self.max_consecutive is not None and self.consecutive >= self.max_consecutive:
            return (
                f"{self.consecutive} trials failed one after another (hydra.sweeper.max_consecutive_failures="
                f"{self.max_consecutive})"
            )
        if self._exceeds_rate:
            return (
                f"{self.failed} of {self.planned} planned trials failed (hydra.sweeper.max_failure_rate="
                f"{self.max_rate:g})"
            )
        return None

    def describe_remedy(self) -> str:
        """Returns what to do once the search has ended: of what has failed, a rate is not forgotten by a restart."""
        if self._exceeds_rate:
            return (
                "Mend the cause, and since what has failed stays counted, run the command again with a higher "
                "hydra.sweeper.max_failure_rate or n_trials; or begin anew with hydra.sweeper.study_name=NAME."
            )
        return "Mend the cause and run the command again: it goes on with what is there."

    @property
    def _exceeds_rate(self) -> bool:
        return self.max_rate is not None and self.failed > self.max_rate * self.planned
