"""What the adapters of torch models share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from art2mus.benchmark.models.base import Precision

if TYPE_CHECKING:
    import torch


def precision_of(wanted: Precision, device: str) -> torch.dtype:
    """Return what a model computes in; `auto` is bfloat16 on a GPU and float32 elsewhere."""
    import torch  # settings are checked and models listed without it

    if wanted == "auto":
        return torch.bfloat16 if device.startswith("cuda") else torch.float32
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32
