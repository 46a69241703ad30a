"""EfficientNet-Lite2, an ImageNet classifier for small machines, in torch and for inference only.

EfficientNet (Tan and Le 2019, arXiv 1905.11946) scaled by width 1.1 and depth 1.2, in the "Lite"
variant of Google's TPU repository: ReLU6 instead of swish, no squeeze-and-excitation, stem and head
not scaled. TensorFlow's conventions hold: 'SAME' padding (the odd pixel goes to the right and the
bottom), batch-norm epsilon 1e-3, pixels normalised as (x - 127) / 128.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from artsound.models.base import FloatArray
from artsound.models.lite.weights import efficientnet_checkpoint

INPUT_SIDE: Final = 260
CLASSES: Final = 1000
_EPSILON: Final = 1e-3

_CROPS_AT_ONCE: Final = 3
_KEPT: Final = 512
_SEEN: OrderedDict[bytes, FloatArray] = OrderedDict()

# (repeats, kernel, stride, expansion, channels out) of the seven stages, after scaling: channels by
# 1.1 to the nearest multiple of 8, repeats by 1.2 rounded up; the first and last keep one repeat.
_STEM: Final = 32
_HEAD: Final = 1280
_STAGES: Final = (
    (1, 3, 1, 1, 16),
    (3, 3, 2, 6, 24),
    (3, 5, 2, 6, 48),
    (4, 3, 2, 6, 88),
    (4, 5, 1, 6, 120),
    (5, 5, 2, 6, 208),
    (1, 3, 1, 6, 352),
)


class _SameConv(nn.Conv2d):
    """A convolution with TensorFlow's 'SAME' padding, which stride 2 makes asymmetric."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1):
        super().__init__(inputs, outputs, kernel, stride=stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        rows, columns = (
            max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:]
        )
        padding = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        return super().forward(functional.pad(x, padding))


class _Block(nn.Module):
    """An inverted residual block: expand, depthwise, project. Names are the checkpoint's."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = inputs * expansion
        self.expands = expansion != 1
        self.skips = stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv = _SameConv(inputs, wide, 1, 1)
            self._bn0 = nn.BatchNorm2d(wide, eps=_EPSILON)
        self._depthwise_conv = _SameConv(wide, wide, kernel, stride, groups=wide)
        self._bn1 = nn.BatchNorm2d(wide, eps=_EPSILON)
        self._project_conv = _SameConv(wide, outputs, 1, 1)
        self._bn2 = nn.BatchNorm2d(outputs, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        wide = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y: Tensor = functional.relu6(self._bn1(self._depthwise_conv(wide)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.skips else y


class EfficientNetLite2(nn.Module):
    """The network: normalised pixels (n, 3, 260, 260) to logits (n, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _SameConv(3, _STEM, 3, 2)
        self._bn0 = nn.BatchNorm2d(_STEM, eps=_EPSILON)
        blocks: list[nn.Module] = []
        inputs = _STEM
        for repeats, kernel, stride, expansion, outputs in _STAGES:
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                blocks.append(_Block(inputs, outputs, kernel, step, expansion))
                inputs = outputs
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = _SameConv(inputs, _HEAD, 1, 1)
        self._bn1 = nn.BatchNorm2d(_HEAD, eps=_EPSILON)
        self._fc = nn.Linear(_HEAD, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (n, 1000), of normalised pixels, shape (n, 3, 260, 260)."""
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        x = functional.relu6(self._bn1(self._conv_head(self._blocks(x))))
        return self._fc(x.mean(dim=(2, 3)))  # type: ignore[no-any-return]


@cache
def load() -> EfficientNetLite2:
    """Return the process's network with its ImageNet weights, in evaluation mode.

    Raises:
        MissingDependency: the package with the weights is not installed.
    """
    network = EfficientNetLite2()
    state = torch.load(efficientnet_checkpoint(), map_location="cpu", weights_only=True)
    network.load_state_dict(state)
    return network.eval()


def pixels(image: Image.Image) -> FloatArray:
    """Scale an RGB image to the input square and normalise it, shape (3, 260, 260)."""
    square = image.resize((INPUT_SIDE, INPUT_SIDE), Image.Resampling.BICUBIC)
    array = (np.asarray(square, dtype=np.float32) - 127.0) / 128.0
    return np.ascontiguousarray(array.transpose(2, 0, 1))


def crops(image: Image.Image) -> list[Image.Image]:
    """Cut the views whose class probabilities are averaged.

    Paintings differ from ImageNet's photographs: wide, tall, with many small subjects. So the
    network sees the whole picture squeezed to a square, the squares at the start, middle and end of
    the long side, and five squares of 60 % of the short side (the corners and the centre).

    Returns:
        Nine RGB images of various sizes.
    """
    width, height = image.size
    side = min(width, height)
    views = [image]
    views.extend(_squares(image, side, ((0.0, 0.0), (0.5, 0.5), (1.0, 1.0))))
    near = ((0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (0.0, 1.0), (1.0, 1.0))
    views.extend(_squares(image, max(1, round(0.6 * side)), near))
    return views


def _squares(
    image: Image.Image, side: int, places: Sequence[tuple[float, float]]
) -> Iterator[Image.Image]:
    width, height = image.size
    for across, down in places:
        left, top = round(across * (width - side)), round(down * (height - side))
        yield image.crop((left, top, left + side, top + side))


def class_probabilities(images: Sequence[Image.Image]) -> FloatArray:
    """Classify images.

    The captioner, the scorer and the embedder all ask about the same images, up to four times a
    caption, so the answers for the last few hundred images are kept, by the digest of their pixels.

    Args:
        images: RGB images of any size.

    Returns:
        ImageNet-1k class probabilities, float32, shape (n, 1000): the softmax of each crop,
        averaged over an image's crops.
    """
    means = np.zeros((len(images), CLASSES), dtype=np.float32)
    for row, image in enumerate(images):
        key = hashlib.blake2b(repr(image.size).encode() + image.tobytes()).digest()
        if key not in _SEEN:
            while len(_SEEN) >= _KEPT:
                _SEEN.popitem(last=False)
            _SEEN[key] = _classify(image)
        means[row] = _SEEN[key]
    return means


def _classify(image: Image.Image) -> FloatArray:
    views = torch.from_numpy(np.stack([pixels(view) for view in crops(image)]))
    views = views.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        # Three crops at a time stay in the processor's cache: twice as fast as nine at once.
        logits = torch.cat([load()(part) for part in torch.split(views, _CROPS_AT_ONCE)])
    mean: FloatArray = logits.softmax(dim=1).mean(dim=0).numpy()
    return mean
