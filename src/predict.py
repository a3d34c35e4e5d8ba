"""Say what the model of a run makes of images.

python -m src.predict RUN_ID cat.jpg holiday/       the class of each image; folders are searched for images
python -m src.predict RUN_ID cat.jpg --top 3        the three most probable ones
"""

from __future__ import annotations

import argparse
from pathlib import Path

from src.entry import run_program


def main() -> None:
    """Predicts, prints class and probability of each image, and says which images could not be read.

    Raises:
        DataError: Some could not; what is known of the others has been printed.
    """
    parser = argparse.ArgumentParser(prog="python -m src.predict", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "run_id", nargs="?", metavar="RUN_ID", help="a run, a sweep for its best run, or how one begins"
    )
    parser.add_argument("images", nargs="*", metavar="IMAGE", type=Path, help="an image, or a folder of images")
    parser.add_argument("--uri", help="tracking URI; MLflow's default place in the project's root if left out")
    parser.add_argument("--top", type=_positive, default=1, metavar="K", help="classes to print per image (default: 1)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="a table with the probabilities of all classes")
    parser.add_argument("--batch-size", type=_positive, default=32, metavar="N", help="images at a time (default: 32)")
    # Options may stand between the images.
    arguments = parser.parse_intermixed_args()

    from src.console import open_console
    from src.prediction import predict_images
    from src.prediction_table import print_predictions, write_csv

    predictions = predict_images(arguments.run_id, arguments.images, uri=arguments.uri, batch_size=arguments.batch_size)
    print_predictions(open_console(), predictions, arguments.top)
    if arguments.csv is not None:
        write_csv(predictions, arguments.csv)
    predictions.check_complete()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, but is {number}")
    return number


if __name__ == "__main__":
    run_program(main)
