"""Which of a source's files are a data set's images, and of which class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from src.data.source import FileSource, natural_order
from src.errors import DataError


@dataclass(frozen=True)
class ImageFile:
    """One file that is taken for an image.

    Attributes:
        name: Name below the data set's folder, such as `train/cats/cat.0.jpg`.
        label: Class number.
        part: `train`, `validation` or `test` where the folders tell it, else empty.
    """

    name: str
    label: int
    part: str = ""


@dataclass(frozen=True)
class Layout:
    """The images of a data set that lies in folders.

    Attributes:
        root: Name of the data set's folder within the source, ending with `/` unless it is the source itself.
        class_names: Names by class number.
        files: The images, in an order that no file system changes.
    """

    root: str
    class_names: tuple[str, ...]
    files: tuple[ImageFile, ...]


def find_root(source: FileSource, fits: Callable[[str], bool], wanted: str) -> str:
    """Returns the first folder that fits, at most two levels down: archives often hold a folder in a folder.

    Raises:
        DataError: No folder fits; the message says what was `wanted` and what is there.
    """
    folders = sorted(natural_order(name for name in source.folders if name.count("/") <= 2), key=lambda n: n.count("/"))
    for folder in folders:
        if fits(folder):
            return folder
    holds = [*(f"{name}/" for name in source.subfolders("")), *source.files("", below=False)]
    raise DataError(f"{source.location} must hold {wanted} at most two folders down, but holds {list_names(holds)}.")


def images_of_class(
    source: FileSource, root: str, folder: str, label: int, part: str, endings: tuple[str, ...]
) -> list[ImageFile]:
    """Returns all images below a class's folder.

    Raises:
        DataError: There are none.
    """
    files = source.files(root + folder, below=True)
    images = [ImageFile(name.removeprefix(root), label, part) for name in files if is_image(name, endings)]
    if not images:
        others = f" It holds {list_names([PurePosixPath(name).name for name in files])}." if files else ""
        raise DataError(
            f"The class folder {root}{folder} in {source.location} has no image ({', '.join(endings)}).{others} Add "
            "images to it, or remove it."
        )
    return images


def is_image(name: str, endings: tuple[str, ...]) -> bool:
    """Tells by its ending whether a file counts as an image."""
    return name.lower().endswith(endings)


def list_names(names: Sequence[str], none: str = "nothing") -> str:
    """Returns names for a message, the first ten of many."""
    more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more if names else none
