"""Units of systemd for a sweep: a service that runs it once, and the timer that starts the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from src.scheduling.when import When

#: Time that a sweep gets, once it is told to end, to end its trials and close its books.
STOP_SECONDS = 600

#: First line of each unit; the second names the checkout that it belongs to.
HEAD = "# Written by `python -m src.schedule install`, and removed by `remove`: change the sweep's file instead."


def unit_name(name: str, ending: str) -> str:
    """Returns the name of a sweep's unit."""
    return f"fitgap-{name}.{ending}"


def owner_line(root: Path) -> str:
    """Returns the line that says which checkout a unit belongs to."""
    return f"# Checkout: {root}"


def write_service(name: str, root: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Returns the service of a sweep."""
    lines = [
        HEAD,
        owner_line(root),
        "[Unit]",
        f"Description=fitgap sweep {name}",
        "",
        "[Service]",
        "Type=exec",
        f"WorkingDirectory={_escape(str(root))}",
        *(f"Environment={_quote(f'{key}={value}')}" for key, value in environment.items()),
        f"ExecStart={_write_command(arguments)}",
        # The first to be told is who passes it on; what is left when the time is over is killed with all its children.
        "KillMode=mixed",
        f"TimeoutStopSec={STOP_SECONDS}",
        # It was told to end, and did.
        "SuccessExitStatus=130 143",
    ]
    return "\n".join(lines) + "\n"


def write_timer(name: str, root: Path, when: When) -> str:
    """Returns the timer of a sweep.

    Raises:
        ConfigError: Its moments cannot be told systemd.
    """
    lines = [
        HEAD,
        owner_line(root),
        "[Unit]",
        f"Description=Starts fitgap sweep {name}",
        "",
        "[Timer]",
        *(f"OnCalendar={calendar}" for calendar in when.to_calendars()),
        # A machine that was off starts it late; the sweep itself looks whether its time is over.
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join(lines) + "\n"


def _write_command(arguments: Sequence[str]) -> str:
    # In all words but the first, the program, `$` begins a variable of systemd's.
    program, *rest = map(_quote, arguments)
    return " ".join([program, *(word.replace("$", "$$") for word in rest)])


def _quote(text: str) -> str:
    escaped = _escape(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _escape(text: str) -> str:
    return text.replace("%", "%%")
