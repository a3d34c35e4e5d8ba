from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from src.page.document import FOLDER
from src.page.palette import DARK, LIGHT, render_schemes

GROUNDS = ("paper", "raised", "sunken")


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read_on_every_ground(scheme: Mapping[str, str]) -> None:
    for ink in ("ink", "soft", "train-text", "val-text", "good-text"):
        for ground in GROUNDS:
            assert contrast(scheme[ink], scheme[ground]) >= 4.5, (ink, ground)
    for ink, ground in (("good-text", "good-tint"), ("val-text", "bad-tint"), ("train-text", "calm-tint")):
        assert contrast(scheme[ink], scheme[ground]) >= 4.5, (ink, ground)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_curves_and_marks_stand_out_from_the_page(scheme: Mapping[str, str]) -> None:
    for name in ("train", "val", "good", "focus"):
        assert contrast(scheme[name], scheme["paper"]) >= 3, name


def test_both_schemes_name_the_same_colours_and_the_style_uses_no_other() -> None:
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    own = set(re.findall(r"--([a-z0-9-]+)\s*:", style))
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", style))
    assert set(LIGHT) == set(DARK)
    assert used - own == set(LIGHT)
    assert re.findall(r"#[0-9A-Fa-f]{3,8}\b(?=[;\s])", style) == []


def test_the_system_chooses_a_scheme_and_the_reader_may_overrule_it() -> None:
    schemes = render_schemes()
    assert "@media (prefers-color-scheme: dark)" in schemes
    assert ":root:not([data-theme=light])" in schemes
    assert ":root[data-theme=dark]" in schemes


def test_the_style_serves_print_small_screens_and_readers_who_want_no_motion() -> None:
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    assert "@media print" in style
    assert "@media (max-width: 36rem)" in style
    assert "prefers-reduced-motion" in style
    assert ":focus-visible" in style
