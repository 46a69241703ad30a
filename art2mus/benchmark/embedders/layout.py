"""The memory layout, and the form, that convolutions are fastest in on a CPU."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


def channels_last(network: Module) -> Module:
    """Store the kernels of a network's 2-d convolutions channels last; returns it."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = as_channels_last(parameter.data)
    return network


def as_channels_last(x: Tensor) -> Tensor:
    """Return a tensor of shape (n, channels, height, width), stored channels last.

    With one channel both orders are the same memory, and torch takes it for channels first unless
    its strides say otherwise: then so is what a convolution makes of it, and pooling that is slow.
    """
    _, channels, height, width = x.shape
    if channels > 1:
        return x.contiguous(memory_format=torch.channels_last)
    return x.contiguous().as_strided(x.shape, (height * width, 1, width, 1))


def as_product(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Return what a convolution by 3 x 3, padded by one, makes of x, as one product of matrices.

    A convolution brings its kernels into an order of its own whenever it is called, and works along
    the width. Where kernels are many and x is narrow, the product takes half as long.

    Args:
        x: shape (n, channels, height, width), channels last.
        convolution: its kernels channels last too.
    """
    n, channels, height, width = x.shape
    padded = nn.functional.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    patches = padded.unfold(1, 3, 1).unfold(2, 3, 1).permute(0, 1, 2, 4, 5, 3)
    kernels = convolution.weight.permute(0, 2, 3, 1).reshape(-1, 9 * channels)
    found = nn.functional.linear(patches.reshape(-1, 9 * channels), kernels, convolution.bias)
    return found.view(n, height, width, len(kernels)).permute(0, 3, 1, 2)
