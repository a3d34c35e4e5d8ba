"""Random warps of training images: rotation, shift, shear, zoom and mirror as one matrix, resampled once per batch.

The geometry is that of Keras's old `ImageDataGenerator` (`apply_affine_transform` and `get_random_transform` in
`keras.src.legacy.preprocessing.image`). A pixel of the result at `(x, y)`, counted from the image's centre, is read at

    rotation · shift · shear · zoom · mirror · (x, y)

and interpolated bilinearly. Three things differ from the old generator, none of which shows on square images whose two
shifts have the same range and whose border is filled with the nearest pixel, as all published recipes have them:

- The old generator draws a vertical shift from `height_shift_range` and then applies it along the width, and the other
  way round. Here `height_shift` moves an image up and down.
- On an image that is not square, the old generator exchanges the centre's coordinates. Here an image turns about its
  own centre, `((width - 1) / 2, (height - 1) / 2)`.
- `wrap` and `constant` continue an image without a jump, as SciPy's `grid-wrap` and `grid-constant` do.
"""

from __future__ import annotations

import math

import tensorflow as tf

from src.config.augmentation import AugmentationConfig


class RandomWarp:
    """Applies an independent random warp to every image of a batch.

    It computes where its input lies, on a GPU too, and depends on nothing but the images and the seed. Without a GPU
    the resampling is one loop compiled by XLA: several times as fast as `ImageProjectiveTransformV3`, for a third of a
    second of compilation per batch size. With one, the caller decides whether to compile what this is a part of.

    Attributes:
        config: The ranges of the warp, before `strength` is applied.
    """

    def __init__(self, config: AugmentationConfig, *, compiled: bool = True) -> None:
        """Takes the ranges, which the configuration has found to make sense at their strength.

        Args:
            config: The ranges.
            compiled: Whether to compile the resampling, which is not worth it for a single batch.
        """
        self.config = config
        self._mirrors = config.strength > 0 and config.has_flip
        self._resamples = config.strength > 0 and config.has_range
        self._resample, self._mirror = resample, mirror
        if compiled:
            on_cpu = not tf.config.get_visible_devices("GPU")
            self._resample = tf.function(resample, jit_compile=on_cpu, autograph=False)
            self._mirror = tf.function(mirror, jit_compile=on_cpu, autograph=False)

    @property
    def is_identity(self) -> bool:
        """Whether images come back as they are: the strength or every range is zero."""
        return not (self._mirrors or self._resamples)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor, strength: float | tf.Tensor | None = None) -> tf.Tensor:
        """Returns the images, each warped on its own; without a range that needs resampling their pixels are exact.

        Args:
            images: Pixels in 0..255, any numeric type, shape `[batch, height, width, channels]`; the batch size may be
                unknown in a graph.
            seed: Integers of shape `[2]`; the same seed gives the same result, though another one in a function that is
                itself compiled by XLA, which draws other numbers.
            strength: Above 0, in place of that of the configuration; a tensor in a function that is compiled once for
                all.

        Returns:
            float32 images of the same shape. The range 0..255 is kept: interpolation does not overshoot.
        """
        if self.is_identity:
            return tf.cast(images, tf.float32)
        shape = tf.shape(images)
        strength = tf.cast(self.config.strength if strength is None else strength, tf.float32)
        # The draws stay outside of the compiled part, so that the same seed warps alike with and without compilation.
        if self._resamples:
            transforms = sample_transforms(self.config, shape[0], shape[1], shape[2], seed, strength)
            result = self._resample(images, transforms, self.config.fill_mode)
        else:
            result = self._mirror(images, *_sample_mirrors(self.config, strength, _draw(shape[0], seed)))
        return tf.ensure_shape(result, images.shape)


def sample_transforms(
    config: AugmentationConfig,
    batch_size: int | tf.Tensor,
    height: int | tf.Tensor,
    width: int | tf.Tensor,
    seed: tf.Tensor,
    strength: float | tf.Tensor | None = None,
) -> tf.Tensor:
    """Draws one transform per image from the ranges of `config`, each scaled by its strength.

    Args:
        config: The ranges.
        batch_size: How many transforms to draw.
        height: Height of the images in pixels.
        width: Width of the images in pixels.
        seed: Integers of shape `[2]`.
        strength: In place of that of `config`.

    Returns:
        float32 `[batch_size, 8]`, as `compose_transform` describes them.
    """
    strength = tf.cast(config.strength if strength is None else strength, tf.float32)
    draws = _draw(batch_size, seed)
    rotation, shift_x, shift_y, shear, zoom_x, zoom_y = tf.unstack(draws[:, :6] * strength, axis=1)
    mirror_horizontal, mirror_vertical = _sample_mirrors(config, strength, draws)
    return compose_transform(
        height,
        width,
        rotation_degrees=rotation * config.rotation_degrees,
        shift_x=shift_x * config.width_shift * tf.cast(width, tf.float32),
        shift_y=shift_y * config.height_shift * tf.cast(height, tf.float32),
        shear_degrees=shear * config.shear_degrees,
        zoom_x=(1 + zoom_x * config.zoom) * tf.where(mirror_horizontal, -1.0, 1.0),
        zoom_y=(1 + zoom_y * config.zoom) * tf.where(mirror_vertical, -1.0, 1.0),
    )


def compose_transform(
    height: int | tf.Tensor,
    width: int | tf.Tensor,
    *,
    rotation_degrees: float | tf.Tensor = 0.0,
    shift_x: float | tf.Tensor = 0.0,
    shift_y: float | tf.Tensor = 0.0,
    shear_degrees: float | tf.Tensor = 0.0,
    zoom_x: float | tf.Tensor = 1.0,
    zoom_y: float | tf.Tensor = 1.0,
) -> tf.Tensor:
    """Composes rotation, shift, shear and zoom about the image's centre into one affine transform per image.

    Every argument after the image's size is a number or a tensor of shape `[batch]`. A transform says where a pixel of
    the result is read: `zoom_x=2` halves the picture, `shift_x=10` moves it ten pixels to the left.

    Args:
        height: Height of the images in pixels.
        width: Width of the images in pixels.
        rotation_degrees: Angle of rotation; above zero the picture turns counterclockwise.
        shift_x: Horizontal shift in pixels, before the rotation.
        shift_y: Vertical shift in pixels, before the rotation.
        shear_degrees: Angle of the shear along the horizontal axis.
        zoom_x: Horizontal factor; below zero the result is mirrored left to right.
        zoom_y: Vertical factor; below zero the result is mirrored top to bottom.

    Returns:
        float32 `[batch, 8]`, `[1, 8]` if only numbers were given: `(a0, a1, a2, b0, b1, b2, 0, 0)`, by which the result
        at `(x, y)` is read at `(a0 x + a1 y + a2, b0 x + b1 y + b2)`; the form that TensorFlow's
        `ImageProjectiveTransformV3` and Keras's `ops.image.affine_transform` take.
    """
    rotation, shift_x, shift_y, shear, zoom_x, zoom_y = (
        tf.reshape(tf.cast(value, tf.float32), [-1])
        for value in (rotation_degrees, shift_x, shift_y, shear_degrees, zoom_x, zoom_y)
    )
    theta = rotation * (math.pi / 180)
    leaning = (rotation + shear) * (math.pi / 180)
    # Rotation times shear, [[cos t, -sin t], [sin t, cos t]] · [[1, -sin s], [0, cos s]], turns each axis on its own:
    # x by t and y by t + s. Zoom, whose sign carries the mirror, then scales the two columns.
    a0, a1 = tf.cos(theta) * zoom_x, -tf.sin(leaning) * zoom_y
    b0, b1 = tf.sin(theta) * zoom_x, tf.cos(leaning) * zoom_y
    # The centre of the result is read at the input's centre plus the rotated shift.
    centre_x = (tf.cast(width, tf.float32) - 1) / 2
    centre_y = (tf.cast(height, tf.float32) - 1) / 2
    a2 = centre_x + tf.cos(theta) * shift_x - tf.sin(theta) * shift_y - a0 * centre_x - a1 * centre_y
    b2 = centre_y + tf.sin(theta) * shift_x + tf.cos(theta) * shift_y - b0 * centre_x - b1 * centre_y
    # a2 depends on every argument, so that its shape is what all of them broadcast to.
    affine = [tf.broadcast_to(value, tf.shape(a2)) for value in (a0, a1, a2, b0, b1, b2)]
    return tf.stack([*affine, tf.zeros_like(a2), tf.zeros_like(a2)], axis=1)


def resample(images: tf.Tensor, transforms: tf.Tensor, fill_mode: str) -> tf.Tensor:
    """Reads every pixel of the result where its image's transform says, between pixels by bilinear interpolation.

    Args:
        images: Any numeric type, shape `[batch, height, width, channels]`.
        transforms: float32 `[batch, 8]`, as `compose_transform` describes them.
        fill_mode: What lies beyond the border: `nearest`, `reflect`, `wrap` or `constant` (black).

    Returns:
        float32 images of the same shape.
    """
    shape = tf.shape(images)
    height, width = shape[1], shape[2]
    a0, a1, a2, b0, b1, b2, _, _ = (value[:, None, None] for value in tf.unstack(transforms, axis=1))
    x = tf.range(width)[None, None, :]
    y = tf.range(height)[None, :, None]
    x, y = tf.cast(x, tf.float32), tf.cast(y, tf.float32)
    x, y = a0 * x + a1 * y + a2, b0 * x + b1 * y + b2
    left, top = tf.floor(x), tf.floor(y)
    right_share, bottom_share = (x - left)[..., None], (y - top)[..., None]
    left, top = tf.cast(left, tf.int32), tf.cast(top, tf.int32)
    pixels = tf.reshape(images, [shape[0], height * width, shape[3]])

    def read(row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        inside_row, inside_column = _fold(row, height, fill_mode), _fold(column, width, fill_mode)
        values = tf.gather(pixels, inside_row * width + inside_column, batch_dims=1)
        values = tf.cast(values, tf.float32)
        if fill_mode == "constant":
            inside = tf.logical_and(tf.equal(inside_row, row), tf.equal(inside_column, column))
            values *= tf.cast(inside, tf.float32)[..., None]
        return values

    upper = (1 - right_share) * read(top, left) + right_share * read(top, left + 1)
    lower = (1 - right_share) * read(top + 1, left) + right_share * read(top + 1, left + 1)
    return (1 - bottom_share) * upper + bottom_share * lower


def mirror(images: tf.Tensor, horizontal: tf.Tensor, vertical: tf.Tensor) -> tf.Tensor:
    """Returns the images as exact float32, mirrored where the vectors `horizontal` and `vertical` are true."""
    images = tf.where(horizontal[:, None, None, None], tf.reverse(images, [2]), images)
    images = tf.where(vertical[:, None, None, None], tf.reverse(images, [1]), images)
    return tf.cast(images, tf.float32)


def _fold(index: tf.Tensor, length: tf.Tensor, fill_mode: str) -> tf.Tensor:
    """Returns which of `length` pixels in a row stands for the one at `index`, which may lie beyond either end."""
    if fill_mode == "wrap":
        return tf.math.floormod(index, length)
    if fill_mode == "reflect":
        folded = tf.math.floormod(index, 2 * length)
        return tf.minimum(folded, 2 * length - 1 - folded)
    return tf.clip_by_value(index, 0, length - 1)


def _draw(batch_size: int | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns `[batch_size, 8]` numbers in [-1, 1): rotation, shifts x and y, shear, zooms x and y, mirrors x and y."""
    return tf.random.stateless_uniform([batch_size, 8], seed, minval=-1.0, maxval=1.0)


def _sample_mirrors(config: AugmentationConfig, strength: tf.Tensor, draws: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns for each image whether it is mirrored left to right, and whether top to bottom; both `[batch]`."""
    # A draw lies below this with a chance of one half at full strength.
    threshold = tf.minimum(strength, 1.0) - 1.0
    horizontal, vertical = draws[:, 6] < threshold, draws[:, 7] < threshold
    return tf.logical_and(horizontal, config.horizontal_flip), tf.logical_and(vertical, config.vertical_flip)
