"""The user's own folder of images, whose classes are told by the names of its folders."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from src.data.layout import ImageFile, Layout, images_of_class, list_names
from src.data.source import FileSource, natural_order
from src.errors import DataError

_logger = logging.getLogger(__name__)

# The names under which the parts of a divided data set are found, in small letters.
_PART_FOLDERS = {"train": ("train",), "validation": ("validation", "val", "valid"), "test": ("test",)}

# Names that hardly any class has: whoever has folders in a folder of such a name has divided the data set.
_PART_LIKE = {"training", *(name for names in _PART_FOLDERS.values() for name in names)}

_LAYOUTS = "FOLDER/class/… or FOLDER/train|validation|test/class/…"


def find_image_folder(source: FileSource, extensions: Sequence[str]) -> Layout:
    """Finds `class/…` or `train|validation|test/class/…`; what lies deeper in a class's folder belongs to the class.

    Raises:
        DataError: There are no class folders, fewer than two, an empty one, or not the same in all parts; or folders
            are divided into parts, but not as understood.
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
            f"holds {list_names(class_names, 'no folder')}. Expected: {_LAYOUTS}"
        )
    files: list[ImageFile] = []
    for part, folder in parts.items():
        for label, name in enumerate(class_names):
            files += images_of_class(source, root, f"{folder}{name}/", label, part, endings)
    return Layout(root, class_names, tuple(files))


def _find_parts(source: FileSource, root: str) -> dict[str, str]:
    """Returns the folder of each part, ending with `/`; `{"": ""}` where the classes lie in the root itself.

    Raises:
        DataError: Two folders mean the same part, or there are parts but none to train on.
    """
    present = source.subfolders(root)
    # A folder `train` without folders in it is a class, of trains.
    divided = [name for name in present if name.lower() in _PART_LIKE and source.subfolders(f"{root}{name}/")]
    if not any(name.lower() in _PART_FOLDERS["train"] for name in divided):
        if divided:
            raise DataError(
                f"{source.location} holds {list_names(divided)} with folders in {'it' if len(divided) == 1 else 'them'}"
                ", as parts of a divided data set have them, but no folder train with the classes to train on. "
                f"Understood are {_LAYOUTS}, in small or capital letters, also val or valid for validation. Rename or "
                "move the folders."
            )
        return {"": ""}
    parts: dict[str, str] = {}
    for part, names in _PART_FOLDERS.items():
        found = [name for name in present if name.lower() in names]
        if len(found) > 1:
            raise DataError(f"{source.location} holds {list_names(found)}, which mean the same. Keep one of them.")
        if found:
            parts[part] = f"{found[0]}/"
    ignored = [name for name in present if f"{name}/" not in parts.values()]
    if ignored:
        used = parts["train"].removesuffix("/")
        _logger.warning("%s: next to %s, %s is not used.", source.location, used, list_names(ignored))
    return parts


def _descend(source: FileSource) -> str:
    """Returns the data set's folder: the source itself, or the only folder in it, as archives often have one."""
    root = ""
    for _ in range(2):
        inside = source.subfolders(root)
        if len(inside) != 1 or inside[0].lower() == "train" or not source.subfolders(f"{root}{inside[0]}/"):
            break
        root = f"{root}{inside[0]}/"
    return root
