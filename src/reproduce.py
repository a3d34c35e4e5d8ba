"""Train published recipes anew and hold them against what their authors printed.

python -m src.reproduce A1 B4 --seeds 0,1 --max-epochs 20      what the store has of it already is not trained again
python -m src.reproduce --no-run                               the report alone, from the tracking store
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from src.entry import run_program
from src.reproduction.request import Request, parse_recipes, parse_seeds


def main() -> None:
    """Trains what is missing, writes the report and says where it is."""
    parser = argparse.ArgumentParser(prog="python -m src.reproduce", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipes", nargs="*", metavar="recipe", help="such as A1; all nineteen if left out")
    parser.add_argument("--seeds", default="0", help="each recipe is trained once with each: 0,1,2")
    parser.add_argument("--max-epochs", type=int, help="no training is longer; the recipe's own epochs if left out")
    parser.add_argument("--cats-vs-dogs", metavar="PLACE", default=os.environ.get("FITGAP_CATS_VS_DOGS"),
                        help="path or address of cats_and_dogs_filtered; downloaded if left out")  # fmt: skip
    parser.add_argument("--dogs-vs-cats", metavar="PLACE", default=os.environ.get("FITGAP_DOGS_VS_CATS"),
                        help="path or address of Kaggle's flat folder; without it C1 to C5 are left out")  # fmt: skip
    weights = "weights file, or imagenet for Keras's own; without it these recipes are left out"
    parser.add_argument("--mobilenet-weights", metavar="PATH", help=f"MobileNetV2's {weights}")
    parser.add_argument("--vgg16-weights", metavar="PATH", help=f"VGG16's {weights}")
    parser.add_argument("--output", type=Path, default=Path("docs/reproduction"), help="folder of the report")
    parser.add_argument("--uri", help="tracking URI; the project's own if left out")
    parser.add_argument("--no-run", dest="train", action="store_false", help="report on what the store has")
    parser.add_argument("--note", dest="notes", action="append", default=[], help="what else a reader should know")
    arguments = vars(parser.parse_args())

    arguments["recipes"] = parse_recipes(arguments["recipes"])
    arguments["seeds"] = parse_seeds(arguments["seeds"])
    arguments["notes"] = tuple(arguments["notes"])

    from src.console import open_console
    from src.reproduction.reproduction import reproduce

    reproduce(Request(**arguments), open_console())


if __name__ == "__main__":
    run_program(main)
