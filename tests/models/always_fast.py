"""Linear layers by oneDNN on any machine and at any size, for tests of what uses them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from artsound.models import fast_linear


def always_fast(monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """Let `fast_linear` think that it always pays; returns the shapes of what it multiplies."""
    monkeypatch.setattr(fast_linear, "mkl_is_slow", lambda: True)
    for threshold in ("_FEWEST_ROWS", "_LEAST_WORK", "_NARROWEST"):
        monkeypatch.setattr(fast_linear, threshold, 1)
    product = fast_linear._product
    shapes: list[torch.Size] = []

    def counted(x: torch.Tensor, *weights: Any) -> torch.Tensor:
        shapes.append(x.shape)
        return product(x, *weights)

    monkeypatch.setattr(fast_linear, "_product", counted)
    return shapes
