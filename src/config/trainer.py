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
        features: auto computes what a frozen, pretrained backbone makes of the images once, keeps it on disk and trains
            the head on that, wherever images are not augmented; in_the_loop runs the backbone for every batch. Has no
            influence on the result but rounding.
        feature_views: Trains the head on so many augmented views of each training image, computed once, of which each
            epoch draws one per image; 0 augments anew in every epoch, with the backbone in the loop.
        checkpoint_epochs: A trial of a search that was interrupted goes on from its last checkpoint, which is written
            after every so many epochs; auto writes one after the first epoch that ends a minute after the last one, so
            that short trials have none, and null writes none. Has no influence on the result.
        deterministic: Whether TensorFlow must repeat a run to the last digit; can cost speed on a GPU.
    """

    epochs: int = bounded(10, minimum=1)
    batch_size: int = bounded(32, minimum=1)
    eval_batch_size: int = bounded(100, minimum=1)
    precision: str = bounded("auto", choices=("auto", "float32", "bfloat16", "float16"))
    patience_epochs: int | None = bounded(None, minimum=1)
    monitor: str = bounded("val_loss", choices=("val_loss", "val_accuracy"))
    keep_weights: str = bounded("best", choices=("best", "last"))
    features: str = bounded("auto", choices=("auto", "in_the_loop"))
    feature_views: int = bounded(0, minimum=0, maximum=1000)
    checkpoint_epochs: int | str | None = bounded("auto", minimum=1, words=("auto",))
    deterministic: bool = True
