"""Predictions as a table: on a terminal, in lines for other programs, and as CSV."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from src.errors import StorageError
from src.prediction import Predictions, escape
from src.whole_file import write_whole


def print_predictions(console: Console, predictions: Predictions, top: int) -> None:
    r"""Prints the most probable classes of each image.

    On a terminal this is a table. Elsewhere it is a line per image, for other programs: path, class, probability, and
    these two again for each further class, with tabs between them. What would break a line or upset a terminal in a
    name is printed as Python writes it, such as `\n`.
    """
    if not console.is_terminal:
        for image in predictions.images:
            ranked = [cell for name, share in predictions.rank(image, top) for cell in (escape(name), f"{share:.6f}")]
            # Not by the console, which would break the line to its width and turn tabs into spaces.
            print(escape(str(image.path)), *ranked, sep="\t", file=console.file)
        return
    if not predictions.images:
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("image", overflow="fold")
    table.add_column("class", overflow="fold")
    table.add_column("probability", justify="right")
    for image in predictions.images:
        for place, (name, share) in enumerate(predictions.rank(image, top)):
            table.add_row("" if place else escape(str(image.path)), escape(name), f"{share:.4f}")
    console.print(f"{predictions.model.run_name}, run {predictions.model.run_id}", style="bold", soft_wrap=True)
    console.print(table)


def write_csv(predictions: Predictions, path: Path) -> None:
    """Writes a line per image: its path, its class, and a column with the probability of each class, not rounded.

    The file appears under its name only once it is complete.

    Raises:
        StorageError: The file cannot be written.
    """
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["path", "class", *(f"probability.{name}" for name in predictions.model.class_names)])
    for image in predictions.images:
        [(best, _)] = predictions.rank(image, top=1)
        writer.writerow([str(image.path), best, *map(str, image.probabilities)])
    try:
        # A name that is not UTF-8 on disk must not make the whole table unreadable.
        write_whole(path, table.getvalue().encode("utf-8", errors="backslashreplace"))
    except OSError as error:
        raise StorageError(
            f"The table {path} cannot be written: {error.strerror or error}. Give another --csv."
        ) from error
