"""The notice of how a shift ended, to one program or one address; whatever becomes of it never harms a sweep."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from src.config.schedule import ScheduleConfig
from src.scheduling.shift import Shift

_COMMAND_SECONDS = 120.0
_WEBHOOK_SECONDS = 10.0
#: Seconds before each further attempt to reach an address.
_PAUSES = (1.0, 5.0)


def send_notice(schedule: ScheduleConfig, shift: Shift, *, pauses: tuple[float, ...] = _PAUSES) -> list[str]:
    """Tells the configured program and address of a shift that has ended.

    Args:
        schedule: The block.
        shift: The shift.
        pauses: Seconds before each further attempt to reach the address.

    Returns:
        What could not be told, in a sentence each.
    """
    problems = []
    # Chat services show `text`; the rest is for programs.
    content = json.dumps({"text": shift.describe(), "trouble": shift.is_trouble, **asdict(shift)}).encode()
    if schedule.command is not None:
        problems.append(_run(schedule.command, content, shift))
    if schedule.webhook is not None:
        problems.append(_post(schedule.webhook, content, pauses))
    return [problem for problem in problems if problem is not None]


def _run(command: str, content: bytes, shift: Shift) -> str | None:
    values = {
        "SWEEP": shift.sweep,
        "STATE": shift.state,
        "TROUBLE": "1" if shift.is_trouble else "0",
        "SUMMARY": shift.describe(),
        "BEST": "" if shift.best is None else repr(shift.best),
        "PARENT_RUN_ID": shift.parent_run_id or "",
        "LOG": shift.log or "",
    }
    # No variable can hold a zero, which what a search has printed last may.
    environment = {**os.environ, **{f"FITGAP_{key}": value.replace("\0", "") for key, value in values.items()}}
    try:
        program, *arguments = shlex.split(command)
        answer = subprocess.run(
            [str(Path(program).expanduser()), *arguments],
            input=content,
            env=environment,
            capture_output=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"schedule.command could not be run: {error}."
    except Exception as error:
        # Whatever it is, the sweep has run: its kind is told, and not its words, which may be a secret.
        return f"schedule.command could not be run: {type(error).__name__}."
    if answer.returncode != 0:
        said = answer.stderr.decode(errors="replace").strip()[-500:]
        return f"schedule.command ended with {answer.returncode}: {said or 'it said nothing'}."
    return None


def _post(address: str, content: bytes, pauses: tuple[float, ...]) -> str | None:
    reason = ""
    for pause in (0.0, *pauses):
        time.sleep(pause)
        try:
            request = urllib.request.Request(address, content, {"Content-Type": "application/json"}, method="POST")
            with urllib.request.urlopen(request, timeout=_WEBHOOK_SECONDS):
                return None
        except urllib.error.HTTPError as error:
            reason = f"it answers {error.code} {error.reason}"
            if error.code < 500 and error.code != 429:
                break
        except OSError as error:
            reason = str(error)
        except Exception as error:
            # Its words may quote the address.
            reason = type(error).__name__
    # The address itself may be a secret: its host says enough.
    return f"schedule.webhook at {urlsplit(address).hostname} was not told: {reason}."
