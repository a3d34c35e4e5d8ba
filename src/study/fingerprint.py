"""What a study is recognized by: what it was begun with, compared to what is asked of it now."""

from __future__ import annotations

from collections.abc import Mapping

from src.errors import ConfigError

#: Sections of a fingerprint, each with its keys and what they are, in words.
Fingerprint = Mapping[str, Mapping[str, str]]

#: Sections whose keys are searched, not set.
_SEARCHED = "search space"

#: Sections that are a mass, and no thing that there could be another of.
_MASSES = ("data",)


def check_fingerprint(name: str, begun: Fingerprint, asked: Fingerprint) -> None:
    """Makes sure that a study is asked to go on with what it was begun with.

    Sections that only one of the two has, because another version of fitgap has written it, are not compared.

    Args:
        name: The study's name.
        begun: What it was begun with.
        asked: What is asked now.

    Raises:
        ConfigError: Something differs; the message shows all of it, and says how to go on.
    """
    parts = []
    for section in asked:
        differences = compare_section(section, begun.get(section, asked[section]), asked[section])
        if differences:
            heading = f"other {section}" if section in _MASSES else f"another {section}"
            parts.append("\n".join([f"{heading}:", *(f"  {line}" for line in differences)]))
    if parts:
        raise ConfigError(
            f"Study '{name}' was begun with "
            + "\nand with ".join(parts)
            + "\nGive the old values to go on with it, or begin a new one with hydra.sweeper.study_name=NAME."
        )


def compare_section(section: str, begun: Mapping[str, str], asked: Mapping[str, str]) -> list[str]:
    """Returns a line for each key of a section that differs, in the order in which they were begun with."""
    verb = "searched" if section == _SEARCHED else "set"
    lines = []
    for key, old in begun.items():
        if key not in asked:
            lines.append(f"{key}: is not {verb} any more (was {old})")
        elif asked[key] != old:
            lines.append(f"{key}: was {old}; is {asked[key]}")
    lines += [f"{key}: is {verb} now ({text}), was not before" for key, text in asked.items() if key not in begun]
    return lines
