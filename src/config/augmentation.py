"""Schema of the `augmentation` group: one random warp, whose ranges the options of the group set."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import MISSING

from src.config.bounds import bounded


@dataclass
class AugmentationConfig:
    """Ranges of one random affine warp per training image.

    Attributes:
        name: Label under which runs with this augmentation are tracked.
        strength: Factor on every range below, and on the chance of a flip up to one half: 0 switches augmentation off,
            1 takes the ranges as written.
        horizontal_flip: Whether half of the images are mirrored left to right.
        vertical_flip: Whether half of the images are mirrored top to bottom.
        rotation_degrees: Rotation, uniform in plus or minus this many degrees.
        width_shift: Horizontal shift, uniform in plus or minus this fraction of the width.
        height_shift: Vertical shift, uniform in plus or minus this fraction of the height.
        shear_degrees: Shear angle, uniform in plus or minus this many degrees.
        zoom: Zoom factor per axis, uniform in 1 plus or minus this.
        fill_mode: What is drawn beyond the image's border.
    """

    name: str = MISSING
    strength: float = bounded(1.0, minimum=0, maximum=3)
    horizontal_flip: bool = False
    vertical_flip: bool = False
    rotation_degrees: float = bounded(0.0, minimum=0, maximum=180)
    width_shift: float = bounded(0.0, minimum=0, maximum=1)
    height_shift: float = bounded(0.0, minimum=0, maximum=1)
    shear_degrees: float = bounded(0.0, minimum=0, below=90)
    zoom: float = bounded(0.0, minimum=0, below=1)
    fill_mode: str = bounded("nearest", choices=("nearest", "reflect", "wrap", "constant"))

    @property
    def has_flip(self) -> bool:
        """Whether images can be mirrored, at a strength above 0."""
        return self.horizontal_flip or self.vertical_flip

    @property
    def has_range(self) -> bool:
        """Whether images can be turned, shifted, sheared or zoomed, at a strength above 0."""
        return any((self.rotation_degrees, self.width_shift, self.height_shift, self.shear_degrees, self.zoom))
