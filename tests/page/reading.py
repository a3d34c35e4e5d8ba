"""A page as a browser's parser sees it: its elements, each with what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "input", "br", "link", "img", "hr"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    def walk(self) -> Iterator[Element]:
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def find(self, tag: str, **wanted: str) -> list[Element]:
        """Returns the elements of a tag whose attributes hold these words; `class_` is `class`."""
        return [
            element
            for element in self.walk()
            if element.tag == tag
            and all(word in element.attributes.get(key.rstrip("_"), "").split() for key, word in wanted.items())
        ]

    @property
    def text(self) -> str:
        """All text in it, with single spaces."""
        return " ".join(" ".join(_texts(self)).split())


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("root", {})
        self.open = [self.root]
        self.mismatches: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1].tag == tag:
            self.open.pop()
        else:
            self.mismatches.append(f"</{tag}> closes <{self.open[-1].tag}>")

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read_page(text: str) -> Element:
    """Returns a page's root; each element in it is closed where it should be."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.mismatches == []
    assert len(reader.open) == 1
    return reader.root


def _texts(element: Element) -> Iterator[str]:
    for child in element.children:
        if isinstance(child, str):
            yield child
        else:
            yield from _texts(child)
