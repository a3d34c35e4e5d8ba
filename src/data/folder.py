"""The user's own folder of images, whose classes are told by the names of its folders."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from src.data.layout import ImageFile, Layout, images_of_class, list_names
from src.data.source import FileSource, natural_order
from src.errors import DataError

_logger = logging.getLogger(__name__)

# The names under which the parts of a divided data set are found.
_PART_FOLDERS = {"train": ("train",), "validation": ("validation", "val", "valid"), "test": ("test",)}


def find_image_folder(source: FileSource, extensions: Sequence[str]) -> Layout:
    """Finds `class/…` or `train|validation|test/class/…`; what lies deeper in a class's folder belongs to the class.

    Raises:
        DataError: There are no class folders, fewer than two, an empty one, or not the same in all parts.
    """
    endings = tuple("." + extension.lower().removeprefix(".") for extension in extensions)
    root = _descend(source)
    parts = _find_parts(source, root)
    classes = {part: source.subfolders(f"{root}{folder}") for part, folder in parts.items()}
    class_names = natural_order({name for names in classes.values() for name in names})
    for part, folder in parts.items():
        missing = [name for name in class_names if name not in classes[part]]
        if missing:
            having = next(other for other, names in classes.items() if missing[0] in names)
            raise DataError(
                f"The classes must be the same in all parts of {source.location}, but {root}{folder} has no folder "
                f"{list_names(missing)} as {root}{parts[having]} does. Add or remove it."
            )
    if len(class_names) < 2:
        raise DataError(
            f"{source.location} must hold a folder of images for each of at least two classes, but {root or 'it'} "
            f"holds {list_names(class_names, 'no folder')}. "
            "Expected: FOLDER/class/… or FOLDER/train|validation|test/class/…"
        )
    files: list[ImageFile] = []
    for part, folder in parts.items():
        for label, name in enumerate(class_names):
            files += images_of_class(source, root, f"{folder}{name}/", label, part, endings)
    return Layout(root, class_names, tuple(files))


def _find_parts(source: FileSource, root: str) -> dict[str, str]:
    """Returns the folder of each part, ending with `/`; `{"": ""}` where the classes lie in the root itself."""
    present = source.subfolders(root)
    # A folder `train` without folders in it is a class, of trains.
    if "train" not in present or not source.subfolders(f"{root}train/"):
        return {"": ""}
    parts: dict[str, str] = {}
    for part, names in _PART_FOLDERS.items():
        found = [name for name in names if name in present]
        if len(found) > 1:
            raise DataError(f"{source.location} holds {list_names(found)}, which mean the same. Keep one of them.")
        if found:
            parts[part] = f"{found[0]}/"
    ignored = [name for name in present if f"{name}/" not in parts.values()]
    if ignored:
        _logger.warning("%s: next to train, %s is not used.", source.location, list_names(ignored))
    return parts


def _descend(source: FileSource) -> str:
    """Returns the data set's folder: the source itself, or the only folder in it, as archives often have one."""
    root = ""
    for _ in range(2):
        inside = source.subfolders(root)
        if len(inside) != 1 or inside[0] == "train" or not source.subfolders(f"{root}{inside[0]}/"):
            break
        root = f"{root}{inside[0]}/"
    return root
