"""Images as the vision transformers of CLIP and BLIP take them.

The steps are those that their authors compose from torchvision, which cannot be imported beside
every torch: a bicubic resize by Pillow, a centre crop, scaling to [0, 1] and normalisation with
CLIP's mean and deviation. The results are equal to theirs to the bit.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image

from artsound.models.base import FloatArray

_MEAN: Final = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_DEVIATION: Final = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
# Beyond this, the resized image before the crop would take gigabytes.
_MAX_ELONGATION: Final = 200


def cropped(image: Image.Image, side: int) -> FloatArray:
    """Return CLIP's view of an image: the short side resized to `side`, the centre cropped.

    Args:
        image: any mode; it becomes RGB after the resize, as in `clip/clip.py` and `clipscore.py`.
        side: in pixels; 224 for ViT-B/32.

    Returns:
        float32, shape (3, side, side).

    Raises:
        ValueError: one side of the image is more than 200 times the other.
    """
    width, height = image.size
    short, long = sorted((width, height))
    if long > _MAX_ELONGATION * short:
        raise ValueError(f"an image of {width} x {height} pixels is too elongated to be embedded")
    longer = int(side * long / short)
    width, height = (side, longer) if width <= height else (longer, side)
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - side) / 2.0), round((height - side) / 2.0)
    return _normalised(resized.crop((left, top, left + side, top + side)))


def squashed(image: Image.Image, side: int) -> FloatArray:
    """Return BLIP's view of an image: resized to a square without regard to its proportions.

    As LAVIS' `blip_image_eval` does, which is given RGB images.

    Args:
        image: any mode; it becomes RGB.
        side: in pixels; 384 for the captioner.

    Returns:
        float32, shape (3, side, side).
    """
    return _normalised(image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC))


def _normalised(image: Image.Image) -> FloatArray:
    scaled = np.asarray(image.convert("RGB"), np.float32) / np.float32(255)
    pixels: FloatArray = np.ascontiguousarray(((scaled - _MEAN) / _DEVIATION).transpose(2, 0, 1))
    return pixels
