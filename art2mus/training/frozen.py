"""Only the aligner learns: checked before the first step, and watched while it trains."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

import torch
from torch import nn
from torch.optim import Optimizer

from artsound.errors import ArtsoundError

_TENSORS: Final = 6  # of a part
_BYTES: Final = 2**20  # of a tensor


def check_only_learns(
    aligner: nn.Module, optimizer: Optimizer, frozen: Mapping[str, nn.Module]
) -> None:
    """Check that exactly the aligner's parameters have gradients and are optimised.

    Args:
        aligner: what learns.
        optimizer: what trains it.
        frozen: the other parts, by name.

    Raises:
        ArtsoundError: a frozen part would learn, or part of the aligner would not.
    """
    for part, module in frozen.items():
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                raise ArtsoundError(f"{part}.{name} is not frozen: only the aligner may learn")
    still = [name for name, parameter in aligner.named_parameters() if not parameter.requires_grad]
    if still:
        raise ArtsoundError(f"aligner.{still[0]} is frozen and would not learn")
    own = {id(parameter) for parameter in aligner.parameters()}
    given = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    if len(given) != len(own) or set(given) != own:
        raise ArtsoundError("the optimiser does not hold exactly the aligner's parameters")


class Watch:
    """Remembers frozen parts by a sample of their weights, and sees when one has changed.

    Args:
        frozen: the parts, by name.
    """

    def __init__(self, frozen: Mapping[str, nn.Module]) -> None:
        self._frozen = dict(frozen)
        self._before = self._checksum()

    def check(self) -> None:
        """Check the sample again, and that no frozen parameter has gathered a gradient.

        Raises:
            ArtsoundError: a frozen part has changed.
        """
        for part, checksum in self._checksum().items():
            if checksum != self._before[part]:
                raise ArtsoundError(f"the frozen {part} has changed: only the aligner may learn")
        for part, module in self._frozen.items():
            for name, parameter in module.named_parameters():
                if parameter.grad is not None:
                    raise ArtsoundError(f"{part}.{name} has a gradient: only the aligner may learn")

    def _checksum(self) -> dict[str, str]:
        return {part: _sampled(module) for part, module in self._frozen.items()}


def _sampled(module: nn.Module) -> str:
    """Return a checksum of some tensors, spread evenly over a module, the beginning of each."""
    tensors = list(module.state_dict().values())
    digest = hashlib.sha256()
    for tensor in tensors[:: max(1, len(tensors) // _TENSORS)]:
        raw = tensor.detach().reshape(-1)[: _BYTES // tensor.element_size()].contiguous()
        digest.update(raw.cpu().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
