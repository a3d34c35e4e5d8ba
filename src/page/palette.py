"""The colours of the page, by the names under which its style sheet knows them, for paper and for a dark room.

After M. Okabe and K. Ito, "Color Universal Design", 2008: told apart with every kind of colour vision. Their colours
are meant for lines and areas; the names that end in `-text` are darker or lighter ones that letters can be read in.
"""

from __future__ import annotations

from collections.abc import Mapping

LIGHT: Mapping[str, str] = {
    "paper": "#FDFCFA",
    "raised": "#FFFFFF",
    "sunken": "#F4F2EC",
    "ink": "#1C1B19",
    "soft": "#5B5851",
    "rule": "#D9D5CB",
    "grid": "#E9E6DE",
    "train": "#0072B2",
    "train-text": "#00639B",
    "val": "#D55E00",
    "val-text": "#A84600",
    "good": "#009E73",
    "good-text": "#006B4E",
    "good-tint": "#E2F2EC",
    "bad-tint": "#FBE9DD",
    "calm-tint": "#E3EEF6",
    "focus": "#0072B2",
    "group-0": "#0072B2",
    "group-1": "#D55E00",
    "group-2": "#009E73",
    "group-3": "#CC79A7",
    "group-4": "#E69F00",
    "group-5": "#56B4E9",
    "group-6": "#77736B",
}

DARK: Mapping[str, str] = {
    "paper": "#15161A",
    "raised": "#1C1D22",
    "sunken": "#212329",
    "ink": "#ECEAE4",
    "soft": "#ABA89F",
    "rule": "#3B3D44",
    "grid": "#2B2D33",
    "train": "#56B4E9",
    "train-text": "#7CC5EF",
    "val": "#E69F00",
    "val-text": "#F0B133",
    "good": "#1FBF92",
    "good-text": "#4BD3AC",
    "good-tint": "#12322A",
    "bad-tint": "#3A2A0E",
    "calm-tint": "#15303F",
    "focus": "#7CC5EF",
    "group-0": "#56B4E9",
    "group-1": "#E69F00",
    "group-2": "#1FBF92",
    "group-3": "#CC79A7",
    "group-4": "#F0E442",
    "group-5": "#E8743B",
    "group-6": "#A09C93",
}


def render_schemes() -> str:
    """Returns both schemes as a style sheet: the reader's system chooses, unless the root says `data-theme`."""
    light, dark = (" ".join(f"--{name}: {value};" for name, value in scheme.items()) for scheme in (LIGHT, DARK))
    return "\n".join(
        (
            f":root {{ color-scheme: light; {light} }}",
            "@media (prefers-color-scheme: dark) {",
            f"  :root:not([data-theme=light]) {{ color-scheme: dark; {dark} }}",
            "}",
            f":root[data-theme=dark] {{ color-scheme: dark; {dark} }}",
            # Paper is white whatever the screen was.
            f"@media print {{ :root:root:root {{ color-scheme: light; {light} }} }}",
        )
    )
