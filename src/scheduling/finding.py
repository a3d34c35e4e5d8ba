"""What the doctor finds: something is good, has to be mended, or cannot be told."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, MEND, UNKNOWN = "good", "mend", "unknown"


@dataclass(frozen=True)
class Finding:
    """What was found of one thing.

    Attributes:
        what: The thing.
        state: `good`, `mend` or `unknown`.
        told: What was found, and for `mend` what to do.
    """

    what: str
    state: str
    told: str
