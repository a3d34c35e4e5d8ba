"""What the recipes' authors printed and wrote, one line each, against which configurations and data are held."""

from __future__ import annotations

from typing import NamedTuple

from src.config.paths import PROJECT_ROOT

RECIPES = sorted(path.stem for path in (PROJECT_ROOT / "conf" / "recipe").glob("*.yaml"))


class Printed(NamedTuple):
    image_size: int
    scaling: str
    optimizer: str
    learning_rate: float
    batch_size: int
    epochs: int
    final_accuracy: float
    final_train_accuracy: float
    best_accuracy: float
    best_epoch: int


PRINTED = {
    "A1": Printed(150, "unit", "adam", 1e-3, 100, 100, 0.7650, 1.0000, 0.7720, 23),
    "A2": Printed(150, "unit", "adam", 1e-3, 100, 100, 0.8200, 0.8755, 0.8480, 98),
    "B1": Printed(160, "raw", "adam", 1e-3, 32, 20, 0.6002, 0.8980, 0.6139, 13),
    "B2": Printed(160, "raw", "adam", 1e-3, 32, 20, 0.6498, 0.6550, 0.6498, 20),
    "B3": Printed(160, "sym", "adam", 1e-3, 32, 20, 0.7686, 0.7820, 0.7710, 19),
    "B4": Printed(160, "sym", "adam", 1e-3, 32, 20, 0.9827, 0.9275, 0.9864, 8),
    "C1": Printed(150, "unit", "rmsprop", 1e-3, 30, 30, 0.7133, 0.9910, 0.7246, 7),
    "C2": Printed(150, "unit", "rmsprop", 1e-3, 30, 30, 0.7582, 0.9800, 0.7674, 23),
    "C3": Printed(150, "unit", "rmsprop", 1e-4, 30, 100, 0.8380, 0.8217, 0.8380, 100),
    "C4": Printed(150, "unit", "rmsprop", 1e-4, 30, 30, 0.8860, 0.9990, 0.8923, 5),
    "C5": Printed(150, "unit", "rmsprop", 2e-5, 30, 100, 0.9030, 0.8773, 0.9040, 88),
    "D1": Printed(160, "raw", "adam", 1e-3, 32, 20, 0.5804, 0.9745, 0.6002, 15),
    "D2": Printed(160, "raw", "adam", 1e-3, 32, 20, 0.6002, 0.5925, 0.6139, 17),
    "D3": Printed(160, "sym", "adam", 1e-3, 32, 20, 0.7426, 0.7270, 0.7426, 20),
    "D4": Printed(160, "sym", "adam", 1e-3, 32, 20, 0.9777, 0.9170, 0.9777, 20),
    "E1": Printed(160, "raw", "adam", 1e-3, 32, 20, 0.5322, 0.9485, 0.5681, 9),
    "E2": Printed(160, "raw", "adam", 1e-3, 32, 20, 0.6114, 0.6395, 0.6151, 16),
    "E3": Printed(160, "sym", "adam", 1e-3, 32, 20, 0.7364, 0.7450, 0.7401, 11),
    "E4": Printed(160, "sym", "adam", 1e-3, 32, 20, 0.9740, 0.9080, 0.9777, 16),
}
