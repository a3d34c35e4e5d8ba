"""Drawings inside the page, as SVG elements whose texts and attributes are escaped."""

from __future__ import annotations

from markupsafe import Markup, escape

#: What is written of a coordinate: hundredths of a unit are far below a pixel.
DECIMALS = 2


def element(tag: str, *children: str, **attributes: object) -> Markup:
    """Returns one element.

    Args:
        tag: Its name.
        children: What is in it; what is no `Markup` is escaped.
        attributes: Underscores stand for hyphens, and a last one for nothing (`class_`); None leaves an attribute out.
    """
    start = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_write(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    inside = "".join(escape(child) for child in children)
    return Markup(f"<{tag}{start}>{inside}</{tag}>" if inside else f"<{tag}{start}/>")


def drawing(title: str, *children: str, description: str = "", identity: str = "", **attributes: object) -> Markup:
    """Returns a drawing that says what it shows to those who do not see it.

    Args:
        title: What it is.
        children: Its elements.
        description: What can be seen in it; needs an identity.
        identity: What the ids of title and description start with; unique on the page.
        attributes: Of the `svg` element.
    """
    named = element("title", title, id=f"{identity}-title" if identity else None)
    described = element("desc", description, id=f"{identity}-desc") if description else Markup("")
    return element(
        "svg",
        named,
        described,
        *children,
        role="img",
        aria_labelledby=f"{identity}-title" if identity else None,
        aria_describedby=f"{identity}-desc" if description else None,
        **attributes,
    )


def share(value: float) -> str:
    """Returns a share of one as a length in percent: `34.5%`."""
    return f"{_write(100 * value)}%"


def number(value: float) -> str:
    """Returns a coordinate without digits that nobody sees."""
    text = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _write(value: object) -> str:
    """Returns the text of an attribute."""
    return number(value) if isinstance(value, float) else str(value)
