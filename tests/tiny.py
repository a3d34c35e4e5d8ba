"""The shipped configuration, shrunk: trainings of a second. Loads nothing, so that any test can have it."""

from __future__ import annotations

#: A network of a few hundred weights on a hundred images.
TINY = (
    "dataset.num_train=120",
    "dataset.num_val=60",
    "dataset.num_test=40",
    "dataset.num_train_eval=60",
    "dataset.image_size=16",
    "model.conv_filters=[4]",
    "model.dense_units=[8]",
    "trainer.epochs=2",
    "trainer.precision=float32",
)
