"""What a person asks to be reproduced."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.errors import ConfigError
from src.published.curves import list_recipes, load_published


@dataclass(frozen=True)
class Request:
    """Which recipes are to be trained, for how long, on what, and where the report goes.

    Attributes:
        recipes: Names of the recipes, in the order in which they are trained.
        seeds: Each recipe is trained once with each.
        max_epochs: No training is longer than this; None takes the recipes' own epochs.
        cats_vs_dogs: Address or path of `cats_and_dogs_filtered`; None downloads it.
        dogs_vs_cats: Address or path of Kaggle's flat folder; None leaves out the recipes that need it.
        mobilenet_weights: Path of MobileNetV2's weights, or `imagenet` for Keras's own; None leaves out its recipes.
        vgg16_weights: The same of VGG16.
        output: Folder of the report.
        uri: Tracking URI; None takes the project's own.
        train: Whether to train what is missing, or to report only on what the store has.
        notes: What else the reader of the report should know of the data or the machine.
    """

    recipes: tuple[str, ...]
    output: Path
    seeds: tuple[int, ...] = (0,)
    max_epochs: int | None = None
    cats_vs_dogs: str | None = None
    dogs_vs_cats: str | None = None
    mobilenet_weights: str | None = None
    vgg16_weights: str | None = None
    uri: str | None = None
    train: bool = True
    notes: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command that asks for it, with files by their names alone: where they lie differs between machines."""
        options = {
            "--seeds": ",".join(map(str, self.seeds)),
            "--max-epochs": self.max_epochs,
            "--cats-vs-dogs": shorten_place(self.cats_vs_dogs),
            "--dogs-vs-cats": shorten_place(self.dogs_vs_cats),
            "--mobilenet-weights": shorten_place(self.mobilenet_weights),
            "--vgg16-weights": shorten_place(self.vgg16_weights),
        }
        given = [word for name, value in options.items() if value is not None for word in (name, str(value))]
        return shlex.join(["python", "-m", "src.reproduce", *self.recipes, *given])


def parse_recipes(names: Sequence[str]) -> tuple[str, ...]:
    """Returns the recipes named, each once, or all where none is.

    Raises:
        ConfigError: There is no recipe of a name.
    """
    for name in names:
        load_published(name)
    return tuple(dict.fromkeys(names)) or list_recipes()


def parse_seeds(text: str) -> tuple[int, ...]:
    """Reads seeds such as `0,1,2`.

    Raises:
        ConfigError: They are no whole numbers from 0, or one is given twice.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words) or len(set(words)) < len(words):
        raise ConfigError(f"--seeds must be different whole numbers from 0, such as 0,1,2, but got {text!r}.")
    return tuple(map(int, words))


def shorten_place(place: str | None) -> str | None:
    """Returns an address as it is, and of a path the last part."""
    if place is None or "://" in place.removeprefix("file://"):
        return place
    return Path(place).name
