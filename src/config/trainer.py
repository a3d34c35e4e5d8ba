"""Schema of the `trainer` block: how long and how a network is trained."""

from __future__ import annotations

from dataclasses import dataclass

from src.config.bounds import bounded


@dataclass
class TrainerConfig:
    """How long and how a network is trained.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images per optimizer step.
        eval_batch_size: Images per step of an evaluation; has no influence on the result.
        precision: auto takes bfloat16 where the processor computes it in hardware, else float32. Weights, logits and
            the loss are always float32.
        patience_epochs: Early stopping: end after this many epochs without a better `monitor`; null for never.
        monitor: The metric that early stopping watches.
        keep_weights: Which epoch's weights the tracked model, the pictures and the test score use: those of the epoch
            with the best validation accuracy, or the last.
        deterministic: Whether TensorFlow must repeat a run to the last digit; can cost speed on a GPU.
    """

    epochs: int = bounded(10, minimum=1)
    batch_size: int = bounded(32, minimum=1)
    eval_batch_size: int = bounded(100, minimum=1)
    precision: str = bounded("auto", choices=("auto", "float32", "bfloat16", "float16"))
    patience_epochs: int | None = bounded(None, minimum=1)
    monitor: str = bounded("val_loss", choices=("val_loss", "val_accuracy"))
    keep_weights: str = bounded("best", choices=("best", "last"))
    deterministic: bool = True
