"""Linear layers of frozen networks on a CPU whose matrix products torch computes at half speed.

torch multiplies float32 matrices by MKL, which keeps to AVX2 on AMD's processors, and convolves by
oneDNN, which takes AVX-512 wherever there is any. A linear layer is a convolution by 1 x 1 of as
many pixels as it has rows, so that oneDNN can compute it: on an EPYC of Zen 5 in half the time.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import torch
from torch import Tensor, nn

from artsound.cpuinfo import cpuinfo

Network = TypeVar("Network", bound=nn.Module)

# A call takes 50 us more, and brings the weights into oneDNN's order, in memory that is mapped anew
# if it is large: that has to be made up for.
_FEWEST_ROWS: Final = 128
_LEAST_WORK: Final = 2**24  # multiplications
_LARGE: Final = 2**23  # weights
_ROWS_IF_LARGE: Final = 512
_NARROWEST: Final = 8  # inputs or outputs
# On one thread torch gives oneDNN kernels of 1 x 1 from this many images on.
_IMAGES: Final = 16
# Zen 5, of which an EPYC was measured. The AVX-512 units of Zen 4 are no wider than those of AVX2.
_FIRST_FAMILY: Final = 26


def speed_up(network: Network) -> Network:
    """Let a frozen network compute as `as_convolutions` has it, where it gains by that; returns it.

    That is on the CPU of some machines; on others, and on a GPU, it computes as before. A network
    whose weights could learn is frozen in this sense under `no_grad` and `inference_mode`.
    """
    on_cpu = all(weight.device.type == "cpu" for weight in network.parameters())
    return as_convolutions(network) if on_cpu and mkl_is_slow() else network


@functools.cache
def mkl_is_slow() -> bool:
    """Return whether this is an AMD processor whose AVX-512 oneDNN uses and MKL does not.

    Linux says what the processor is; elsewhere it is not asked.
    """
    cpu = cpuinfo()
    family = re.search(r"^cpu family\s*:\s*(\d+)$", cpu, re.MULTILINE)
    amd = "AuthenticAMD" in cpu and family is not None and int(family[1]) >= _FIRST_FAMILY
    backends: Any = torch.backends  # not typed
    libraries = backends.mkl.is_available() and backends.mkldnn.is_available()
    return bool(amd and libraries and backends.cpu.get_cpu_capability() == "AVX512")


def as_convolutions(network: Network) -> Network:
    """Let oneDNN compute a network's linear layers and 1 x 1 convolutions, in place; returns it.

    The weights, their names and the results stay as they are, but for rounding. A layer computes as
    before where it learns, has little to do, or is not in float32 on a CPU, and a convolution where
    what it reads is not stored channels last. It can be differentiated backwards only, and not
    under `torch.func`, or be traced by `torch.fx` or `torch.export`.
    """
    for layer in network.modules():
        if type(layer) is nn.Linear:
            layer.__class__ = _Linear
        elif type(layer) is nn.Conv2d and _is_pointwise(layer):
            layer.__class__ = _PointwiseConv2d
    return network


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return `torch.nn.functional.linear` of the same, by oneDNN where this machine gains by it."""
    if mkl_is_slow() and _pays(x, weight, bias):
        return _product(x, weight, bias)
    return nn.functional.linear(x, weight, bias)


def _is_pointwise(layer: nn.Conv2d) -> bool:
    shape = (layer.kernel_size, layer.stride, layer.padding, layer.groups)
    return shape == ((1, 1), (1, 1), (0, 0), 1)


class _Linear(nn.Linear):
    """A linear layer by `_Product`."""

    def forward(self, input: Tensor) -> Tensor:
        if _pays(input, self.weight, self.bias):
            return _product(input, self.weight, self.bias)
        return super().forward(input)


class _PointwiseConv2d(nn.Conv2d):
    """A 1 x 1 convolution by `_Product`."""

    def forward(self, input: Tensor) -> Tensor:
        last = input.ndim == 4 and input.is_contiguous(memory_format=torch.channels_last)
        # Of one channel both orders are the same memory, and torch's result is channels first.
        if last and not input.is_contiguous():
            pixels = input.permute(0, 2, 3, 1)
            if _pays(pixels, self.weight, self.bias):
                return _product(pixels, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)
        return super().forward(input)


def _pays(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether `_Product` can compute a layer, and gains by it."""
    if not (x.dtype == weight.dtype == torch.float32 and x.device.type == "cpu"):
        return False
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        return False  # refused by torch, in its own words
    learns = weight.requires_grad or (bias is not None and bias.requires_grad)
    rows = x.numel() // max(x.shape[-1], 1)
    size = weight.numel()
    return (
        rows >= (_ROWS_IF_LARGE if size > _LARGE else _FEWEST_ROWS)
        and rows * size >= _LEAST_WORK
        and min(weight.shape[:2]) >= _NARROWEST
        and not (learns and torch.is_grad_enabled())
        and not torch.is_autocast_enabled("cpu")
    )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = _Product.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return product


class _Product(torch.autograd.Function):
    """x @ weight.T + bias, with a gradient to x alone, for which nothing is kept but the weight.

    torch's own convolution would keep x for the gradient of a weight that has none.
    """

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        kernel = weight[:, :, None, None]
        product = _by_pixel(x, lambda images: nn.functional.conv2d(images, kernel, bias))
        return product.data  # no view in torch's eyes, which could not be changed in place

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        kernel = weight[:, :, None, None]
        backwards = functools.partial(nn.functional.conv_transpose2d, weight=kernel)
        return _by_pixel(gradient, backwards), None, None


def _by_pixel(x: Tensor, convolve: Callable[[Tensor], Tensor]) -> Tensor:
    """Give the R rows of x [..., C] to a convolution as pixels of images [16, C, R / 16, 1]."""
    rows = x.reshape(-1, x.shape[-1])
    short = -len(rows) % _IMAGES
    padded = nn.functional.pad(rows, (0, 0, 0, short)) if short else rows
    images = padded.view(_IMAGES, -1, 1, rows.shape[1]).permute(0, 3, 1, 2)  # channels last
    found = convolve(images).permute(0, 2, 3, 1)
    return found.reshape(-1, found.shape[-1])[: len(rows)].view(*x.shape[:-1], found.shape[-1])
