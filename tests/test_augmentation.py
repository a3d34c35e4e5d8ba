"""The warp's geometry against SciPy and the old ImageDataGenerator, on pixels; its sampling by statistics."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from tensorflow.python.framework.config import disable_op_determinism

from src.augmentation import RandomWarp, compose_transform, resample, sample_transforms
from src.config.augmentation import AugmentationConfig

HEIGHT, WIDTH = 60, 80

#: One setting per kind of change, then all at once; shifts in pixels, negative zooms mirror.
GEOMETRIES = {
    "rotation": {"rotation_degrees": 25.0},
    "shift_x": {"shift_x": 7.3},
    "shift_y": {"shift_y": -5.6},
    "shear": {"shear_degrees": 18.0},
    "zoom_in": {"zoom_x": 0.7, "zoom_y": 0.85},
    "zoom_out": {"zoom_x": 1.3, "zoom_y": 1.15},
    "horizontal_flip": {"zoom_x": -1.0},
    "vertical_flip": {"zoom_y": -1.0},
    "everything": {
        "rotation_degrees": -37.0,
        "shift_x": 6.5,
        "shift_y": -4.25,
        "shear_degrees": 11.0,
        "zoom_x": -1.2,
        "zoom_y": 0.85,
    },
}

AFFINE = AugmentationConfig(
    name="affine",
    horizontal_flip=True,
    rotation_degrees=40,
    width_shift=0.2,
    height_shift=0.1,
    shear_degrees=10,
    zoom=0.2,
)


def draw_picture(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Draws smooth gradients, waves and hard-edged shapes without any symmetry; uint8 `[height, width, 3]`."""
    y, x = np.mgrid[:height, :width].astype(float)
    picture = np.stack(
        [255 * x / width, 128 + 90 * np.sin(x / 7) * np.cos(y / 5), 255 * y / height],
        axis=-1,
    )
    picture[(x - 0.3 * width) ** 2 + (y - 0.4 * height) ** 2 < (height / 6) ** 2] = (250, 20, 60)
    picture[(x > 0.6 * width) & (x < 0.9 * width) & (y > 0.55 * height) & (y < 0.7 * height)] = (10, 240, 200)
    return picture.round().astype(np.uint8)


def warp_by_fitgap(picture: np.ndarray, fill_mode: str = "nearest", **geometry: float) -> np.ndarray:
    """Resamples one picture by fixed values instead of random ones."""
    return resample(picture[None], compose_transform(*picture.shape[:2], **geometry), fill_mode)[0].numpy()


def reference_matrix(
    rotation_degrees: float = 0,
    shift_x: float = 0,
    shift_y: float = 0,
    shear_degrees: float = 0,
    zoom_x: float = 1,
    zoom_y: float = 1,
) -> np.ndarray:
    """Multiplies rotation, shift, shear and zoom out, for `(x, y, 1)` counted from the centre."""
    theta, shear = np.deg2rad([rotation_degrees, shear_degrees])
    rotation = np.array([[np.cos(theta), -np.sin(theta), 0], [np.sin(theta), np.cos(theta), 0], [0, 0, 1]])
    shift = np.array([[1, 0, shift_x], [0, 1, shift_y], [0, 0, 1]])
    lean = np.array([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]])
    return rotation @ shift @ lean @ np.diag([zoom_x, zoom_y, 1])


def warp_by_scipy(picture: np.ndarray, mode: str = "nearest", **geometry: float) -> np.ndarray:
    """Resamples one picture with `scipy.ndimage.affine_transform`, whose coordinates are (row, column)."""
    matrix = reference_matrix(**geometry)[[1, 0, 2]][:, [1, 0, 2]]
    centre = (np.array(picture.shape[:2]) - 1) / 2
    offset = centre + matrix[:2, 2] - matrix[:2, :2] @ centre
    channels = [
        scipy.ndimage.affine_transform(channel, matrix[:2, :2], offset, order=1, mode=mode, output=np.float64)
        for channel in np.moveaxis(picture.astype(float), -1, 0)
    ]
    return np.stack(channels, axis=-1)


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
@pytest.mark.parametrize(
    ("fill_mode", "scipy_mode"),
    [("nearest", "nearest"), ("reflect", "reflect"), ("wrap", "grid-wrap"), ("constant", "grid-constant")],
)
def test_warped_pixels_equal_scipys(fill_mode: str, scipy_mode: str, geometry: dict[str, float]) -> None:
    # SciPy's own wrap repeats a picture by one pixel too few, and its constant cuts off at the centre of the outermost
    # pixels; the modes named grid treat a pixel as an area, as reflect does.
    picture = draw_picture()
    expected = warp_by_scipy(picture, scipy_mode, **geometry)
    assert np.abs(expected - picture).mean() > 5, "the warp must change the picture, or the comparison is empty"
    np.testing.assert_allclose(warp_by_fitgap(picture, fill_mode, **geometry), expected, atol=0.05)


@pytest.mark.parametrize("fill_mode", ["nearest", "reflect", "wrap", "constant"])
def test_pixels_far_beyond_the_border_equal_scipys(fill_mode: str) -> None:
    picture = draw_picture()
    geometry = {
        "rotation_degrees": 30.0,
        "shift_x": 3.4 * WIDTH,
        "shift_y": -2.7 * HEIGHT,
        "zoom_x": 5.0,
        "zoom_y": 4.0,
    }
    scipy_mode = {"wrap": "grid-wrap", "constant": "grid-constant"}.get(fill_mode, fill_mode)
    expected = warp_by_scipy(picture, scipy_mode, **geometry)
    np.testing.assert_allclose(warp_by_fitgap(picture, fill_mode, **geometry), expected, atol=0.1)


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_transforms_are_those_of_tensorflows_own_kernel(geometry: dict[str, float]) -> None:
    picture = draw_picture()
    expected = tf.raw_ops.ImageProjectiveTransformV3(
        images=picture[None].astype(np.float32),
        transforms=compose_transform(HEIGHT, WIDTH, **geometry),
        output_shape=[HEIGHT, WIDTH],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )[0]
    np.testing.assert_allclose(warp_by_fitgap(picture, **geometry), expected, atol=0.05)


@pytest.mark.filterwarnings("ignore:Please import `affine_transform`:DeprecationWarning")  # Keras's own import.
@pytest.mark.parametrize("size", [64, 65])
@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_warped_pixels_equal_the_old_image_data_generators(geometry: dict[str, float], size: int) -> None:
    # Square pictures only: on others the old generator exchanges the coordinates of the centre.
    picture = draw_picture(size, size)
    values = {"zoom_x": 1.0, "zoom_y": 1.0, **geometry}
    expected = ImageDataGenerator(fill_mode="nearest").apply_transform(
        picture.astype(np.float32),
        {
            "theta": values.get("rotation_degrees", 0),
            "tx": values.get("shift_x", 0),
            "ty": values.get("shift_y", 0),
            "shear": values.get("shear_degrees", 0),
            "zx": abs(values["zoom_x"]),
            "zy": abs(values["zoom_y"]),
            "flip_horizontal": values["zoom_x"] < 0,
            "flip_vertical": values["zoom_y"] < 0,
        },
    )
    np.testing.assert_allclose(warp_by_fitgap(picture, **geometry), expected, atol=0.05)


def test_random_warp_resamples_each_image_by_its_own_sampled_transform() -> None:
    seed = tf.constant([3, 4])
    pictures = np.stack([draw_picture(), 255 - draw_picture(), draw_picture()[::-1]])
    warped = RandomWarp(AFFINE)(tf.constant(pictures), seed).numpy()
    transforms = sample_transforms(AFFINE, 3, HEIGHT, WIDTH, seed).numpy()
    for picture, result, (a0, a1, a2, b0, b1, b2, *_) in zip(pictures, warped, transforms, strict=True):
        for channel in range(3):
            expected = scipy.ndimage.affine_transform(
                picture[..., channel].astype(float), [[b1, b0], [a1, a0]], [b2, a2], order=1, mode="nearest"
            )
            np.testing.assert_allclose(result[..., channel], expected, atol=0.05)


def test_vertical_shift_moves_an_image_along_its_height_only() -> None:
    config = AugmentationConfig(name="up", height_shift=0.5)
    transforms = sample_transforms(config, 100, HEIGHT, WIDTH, tf.constant([0, 1])).numpy()
    assert np.ptp(transforms[:, 5]) > 0.8 * HEIGHT
    np.testing.assert_allclose(transforms[:, 2], 0, atol=1e-4)


@pytest.mark.parametrize(
    "config",
    [
        AugmentationConfig(name="none"),
        AugmentationConfig(name="off", strength=0, horizontal_flip=True, rotation_degrees=40, zoom=0.2),
        AugmentationConfig(name="full", strength=3, fill_mode="wrap"),
    ],
    ids=lambda config: config.name,
)
def test_images_come_back_as_they_are_when_there_is_nothing_to_do(config: AugmentationConfig) -> None:
    pictures = draw_picture()[None]
    warp = RandomWarp(config)
    result = warp(tf.constant(pictures), tf.constant([1, 2]))
    assert warp.is_identity
    assert result.dtype == tf.float32
    np.testing.assert_array_equal(result, pictures)


@pytest.mark.parametrize(
    "field", ["rotation_degrees", "width_shift", "height_shift", "shear_degrees", "zoom", "horizontal_flip"]
)
def test_any_single_range_makes_a_warp_that_changes_images(field: str) -> None:
    values = {"rotation_degrees": 30, "shear_degrees": 30, "horizontal_flip": True}
    warp = RandomWarp(AugmentationConfig(name="one", **{field: values.get(field, 0.3)}))
    pictures = np.stack([draw_picture()] * 8)
    assert not warp.is_identity
    assert np.abs(warp(tf.constant(pictures), tf.constant([0, 0])).numpy() - pictures).mean() > 1


@pytest.mark.parametrize("strength", [1.0, 0.5, 2.0])
def test_strength_scales_every_range(strength: float) -> None:
    config = AugmentationConfig(
        name="each",
        strength=strength,
        rotation_degrees=30,
        width_shift=0.2,
        height_shift=0.1,
        shear_degrees=20,
        zoom=0.3,
    )
    transforms = sample_transforms(config, 4000, HEIGHT, WIDTH, tf.constant([5, 6])).numpy().astype(float)
    a0, a1, a2, b0, b1, b2 = transforms[:, :6].T
    theta = np.arctan2(b0, a0)
    leaning = np.arctan2(-a1, b1)
    centre_x, centre_y = (WIDTH - 1) / 2, (HEIGHT - 1) / 2
    # The centre is read at the centre plus the rotated shift; turning that back gives the shift.
    moved_x = a0 * centre_x + a1 * centre_y + a2 - centre_x
    moved_y = b0 * centre_x + b1 * centre_y + b2 - centre_y
    sampled = {
        "rotation": (np.rad2deg(theta), 30.0, 0.0),
        "shear": (np.rad2deg(leaning - theta), 20.0, 0.0),
        "zoom_x": (np.hypot(a0, b0), 0.3, 1.0),
        "zoom_y": (np.hypot(a1, b1), 0.3, 1.0),
        "shift_x": (np.cos(theta) * moved_x + np.sin(theta) * moved_y, 0.2 * WIDTH, 0.0),
        "shift_y": (np.cos(theta) * moved_y - np.sin(theta) * moved_x, 0.1 * HEIGHT, 0.0),
    }
    for name, (values, full_range, middle) in sampled.items():
        reach = strength * full_range
        assert np.abs(values - middle).max() <= reach * 1.0001 + 1e-4, name
        # Uniform: the ends are reached, the mean is the middle, the deviation is the half-width over root three.
        assert values.min() < middle - 0.98 * reach, name
        assert values.max() > middle + 0.98 * reach, name
        assert abs(values.mean() - middle) < 0.05 * reach, name
        assert values.std() == pytest.approx(reach / np.sqrt(3), rel=0.05), name


@pytest.mark.parametrize(("strength", "chance"), [(0.5, 0.25), (1.0, 0.5), (3.0, 0.5)])
@pytest.mark.parametrize("axis", [1, 2])
def test_flips_happen_to_up_to_half_of_the_images(axis: int, strength: float, chance: float) -> None:
    config = AugmentationConfig(name="flip", strength=strength, horizontal_flip=axis == 2, vertical_flip=axis == 1)
    pictures = np.stack([draw_picture(6, 8)] * 2000)
    result = RandomWarp(config)(tf.constant(pictures), tf.constant([7, 8])).numpy()
    as_is = (result == pictures).all(axis=(1, 2, 3))
    mirrored = (result == np.flip(pictures, axis)).all(axis=(1, 2, 3))
    assert (as_is ^ mirrored).all(), "every image is exactly itself or exactly its mirror image"
    assert mirrored.mean() == pytest.approx(chance, abs=0.04)


def test_flips_within_a_warp_happen_to_half_of_the_images_and_independently_of_each_other() -> None:
    config = AugmentationConfig(name="all", horizontal_flip=True, vertical_flip=True, rotation_degrees=10)
    transforms = sample_transforms(config, 2000, HEIGHT, WIDTH, tf.constant([9, 9])).numpy()
    mirrored_x, mirrored_y = transforms[:, 0] < 0, transforms[:, 4] < 0
    assert mirrored_x.mean() == pytest.approx(0.5, abs=0.04)
    assert mirrored_y.mean() == pytest.approx(0.5, abs=0.04)
    assert (mirrored_x & mirrored_y).mean() == pytest.approx(0.25, abs=0.04)


def test_the_same_seed_repeats_a_result_and_another_one_does_not() -> None:
    pictures = tf.constant(draw_picture()[None])
    warp = RandomWarp(AFFINE)
    first, same, other = (warp(pictures, tf.constant(seed)).numpy() for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).mean() > 1


def test_the_images_of_a_batch_are_warped_differently() -> None:
    result = RandomWarp(AFFINE)(tf.constant(np.stack([draw_picture()] * 4)), tf.constant([1, 2])).numpy()
    for i in range(4):
        for j in range(i):
            assert np.abs(result[i] - result[j]).mean() > 1


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32])
def test_every_pixel_type_gives_the_same_float32_result(dtype: type) -> None:
    picture = draw_picture()[None]
    seed = tf.constant([1, 2])
    result = RandomWarp(AFFINE)(tf.constant(picture.astype(dtype)), seed)
    assert result.dtype == tf.float32
    np.testing.assert_array_equal(result, RandomWarp(AFFINE)(tf.constant(picture), seed))
    assert (result.numpy() % 1 != 0).any(), "interpolated pixels must not be rounded"


@pytest.mark.parametrize("fill_mode", ["nearest", "reflect", "wrap", "constant"])
def test_pixels_stay_within_their_range(fill_mode: str) -> None:
    config = AugmentationConfig(name="far", strength=3, rotation_degrees=180, width_shift=1, fill_mode=fill_mode)
    result = RandomWarp(config)(tf.constant(np.stack([draw_picture()] * 8)), tf.constant([1, 2])).numpy()
    assert result.min() >= 0
    assert result.max() <= 255.001


@pytest.mark.parametrize(
    "config", [AFFINE, AugmentationConfig(name="flip", horizontal_flip=True)], ids=["warp", "flip"]
)
def test_a_graph_takes_any_batch_size_and_keeps_the_known_shape(config: AugmentationConfig) -> None:
    warp = RandomWarp(config)
    spec = [tf.TensorSpec([None, HEIGHT, WIDTH, 3], tf.uint8), tf.TensorSpec([2], tf.int32)]
    graph = tf.function(warp, input_signature=spec)
    assert graph.get_concrete_function().output_shapes.as_list() == [None, HEIGHT, WIDTH, 3]
    for batch_size in (1, 5):
        pictures, seed = tf.constant(np.stack([draw_picture()] * batch_size)), tf.constant([3, 4])
        np.testing.assert_allclose(graph(pictures, seed), warp(pictures, seed), atol=0.02)


def test_the_warp_can_be_part_of_a_training_step_that_xla_compiles() -> None:
    # Keras compiles training steps on GPUs, where TensorFlow's own resampling kernel would be refused. XLA draws other
    # numbers from the same seed, so the transforms have to come out of the compiled step too.
    warp = RandomWarp(AFFINE)
    pictures, seed = tf.constant(np.stack([draw_picture()] * 4)), tf.constant([3, 4])
    step = tf.function(
        lambda: (warp(pictures, seed), sample_transforms(AFFINE, 4, HEIGHT, WIDTH, seed)), jit_compile=True
    )
    warped, transforms = step()
    np.testing.assert_allclose(warped, resample(pictures, transforms, "nearest"), atol=0.05)
    np.testing.assert_array_equal(warped, step()[0])


def test_flips_can_be_part_of_a_training_step_that_xla_compiles() -> None:
    warp = RandomWarp(AugmentationConfig(name="flip", horizontal_flip=True))
    pictures = np.stack([draw_picture()] * 16)
    result = tf.function(warp, jit_compile=True)(tf.constant(pictures), tf.constant([3, 4])).numpy()
    as_is = (result == pictures).all(axis=(1, 2, 3))
    mirrored = (result == pictures[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (as_is ^ mirrored).all()
    assert as_is.any()
    assert mirrored.any()


def test_a_result_repeats_to_the_last_bit_in_deterministic_mode() -> None:
    pictures, seed = tf.constant(np.stack([draw_picture()] * 16)), tf.constant([3, 4])
    graph = tf.function(RandomWarp(AFFINE))
    tf.config.experimental.enable_op_determinism()
    try:
        np.testing.assert_array_equal(graph(pictures, seed), graph(pictures, seed))
    finally:
        # The public interface can only switch it on, and the tests after this one share the process.
        disable_op_determinism()
