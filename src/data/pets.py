"""The two published data sets of cats and dogs, found among a source's files."""

from __future__ import annotations

from pathlib import PurePosixPath

from src.data.layout import ImageFile, Layout, find_root, images_of_class, is_image, list_names
from src.data.source import FileSource
from src.errors import DataError

_JPEG = (".jpg", ".jpeg")
_PETS = ("cats", "dogs")


def find_cats_vs_dogs(source: FileSource) -> Layout:
    """Finds `train|validation/cats|dogs/*.jpg`.

    Raises:
        DataError: A folder is missing or holds no image.
    """
    root = find_root(
        source,
        lambda folder: {"train", "validation"} <= set(source.subfolders(folder)),
        "the folders train and validation, each with cats and dogs,",
    )
    files: list[ImageFile] = []
    for part in ("train", "validation"):
        for label, name in enumerate(_PETS):
            if f"{root}{part}/{name}/" not in source.folders:
                raise DataError(
                    f"{source.location} has no folder {root}{part}/{name}; {root}{part} holds "
                    f"{list_names(source.subfolders(f'{root}{part}/'))}. Use the whole data set, or "
                    "dataset=image_folder for other classes."
                )
            files += images_of_class(source, root, f"{part}/{name}/", label, part, _JPEG)
    return Layout(root, _PETS, tuple(files))


def find_dogs_vs_cats(source: FileSource) -> Layout:
    """Finds the flat folder of `cat.N.jpg` and `dog.N.jpg`: the label is what stands before the first dot.

    Raises:
        DataError: There is no such folder, a class has no image, or a file is of neither class.
    """
    class_names = ("cat", "dog")

    def first_part(name: str) -> str:
        return PurePosixPath(name).name.split(".")[0].lower()

    def images(folder: str) -> list[str]:
        return [name for name in source.files(folder, below=False) if is_image(name, _JPEG)]

    root = find_root(
        source,
        lambda folder: any(first_part(name) in class_names for name in images(folder)),
        "images cat.N.jpg, dog.N.jpg",
    )
    files = []
    for name in images(root):
        if first_part(name) not in class_names:
            raise DataError(
                f"{source.location} holds {name}, whose label, the part before the first dot, must be cat or dog. Move "
                "it elsewhere, or use dataset=image_folder for other classes."
            )
        files.append(ImageFile(name.removeprefix(root), class_names.index(first_part(name))))
    for label, class_name in enumerate(class_names):
        if all(file.label != label for file in files):
            raise DataError(
                f"{source.location} has no image {root}{class_name}.N.jpg: the class {class_name} is empty."
            )
    return Layout(root, class_names, tuple(files))
