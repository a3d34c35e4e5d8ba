"""Input scaling: from raw pixels to what a network expects, as layers that travel with the saved model."""

from __future__ import annotations

import keras

#: ImageNet statistics in `keras.applications.imagenet_utils.preprocess_input`: BGR means on the scale 0..255 for
#: mode caffe; RGB means and standard deviations on the scale 0..1 for mode torch.
CAFFE_MEANS_BGR = (103.939, 116.779, 123.68)
TORCH_MEANS = (0.485, 0.456, 0.406)
TORCH_DEVIATIONS = (0.229, 0.224, 0.225)


def scale_pixels(pixels: keras.KerasTensor, scaling: str) -> keras.KerasTensor:
    """Returns float32 pixels `[batch, height, width, 3]`, RGB in 0..255, on the scale that `scaling` names.

    The layers compute in float32 under any precision policy: bfloat16 has eight bits and would round pixels.

    Raises:
        ValueError: There is no such scaling.
    """
    match scaling:
        case "raw":
            return pixels
        case "unit":
            return keras.layers.Rescaling(1 / 255, dtype="float32", name="scaling")(pixels)
        case "sym":
            return keras.layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32", name="scaling")(pixels)
        case "caffe":
            offset = [-mean for mean in CAFFE_MEANS_BGR]
            bgr = keras.ops.flip(pixels, axis=-1)
            return keras.layers.Rescaling(1.0, offset=offset, dtype="float32", name="scaling")(bgr)
        case "torch":
            scale = [1 / (255 * deviation) for deviation in TORCH_DEVIATIONS]
            offset = [-mean / deviation for mean, deviation in zip(TORCH_MEANS, TORCH_DEVIATIONS, strict=True)]
            return keras.layers.Rescaling(scale, offset=offset, dtype="float32", name="scaling")(pixels)
    raise ValueError(f"There is no scaling {scaling!r}.")
