"""Loading one part of a backbone from its folder: safe formats, known classes, one-line errors."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from diffusers import (
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AutoencoderKL,
    DDIMScheduler,
)
from diffusers.utils import logging as diffusers_logging

from artsound.models.checkpoints import CheckpointError
from artsound.models.fast_linear import speed_up
from artsound.models.pretrained import load_model, quiet

_DIFFUSERS: Final[dict[str, Any]] = {
    kind.__name__: kind
    for kind in (AutoencoderKL, AudioLDM2ProjectionModel, AudioLDM2UNet2DConditionModel)
}
# What checkpoints hold beside the weights: buffers that older releases stored, and GPT-2's head.
_UNUSED: Final = (
    r"\.position_ids$|\.relative_position_index$|\.attn\.(masked_)?bias$|^lm_head\.|^decoder\."
)
_AGAIN: Final = "download the repository again"


def load_part(folder: Path, part: str, kind: str, dtype: torch.dtype, device: torch.device) -> Any:
    """Return a part, in eval mode and frozen where it is a model.

    Args:
        folder: the backbone's.
        part: its sub-folder.
        kind: its class, one that `backbone_files.PARTS` allows.
        dtype: what it computes in.
        device: where.

    Raises:
        CheckpointError: its files are damaged, incomplete or of another model.
    """
    where = folder / part
    if part == "scheduler":
        scheduler: Any = DDIMScheduler
        with _one_line(where, kind):
            return scheduler.from_pretrained(where, local_files_only=True)
    if part.startswith("tokenizer"):
        # The fast classes are the plain ones in transformers 5.
        family: Any = getattr(transformers, kind.removesuffix("Fast"))
        with quiet(), _one_line(where, kind):
            return family.from_pretrained(where, local_files_only=True)
    model = _model(where, kind, dtype)
    model.to(device).eval().requires_grad_(False)
    return faster(model, part)


def faster(model: Any, part: str) -> Any:
    """Let a frozen part compute the same, but for rounding, in less time; returns it."""
    if part == "language_model" and model.config.activation_function == "gelu_new":
        # As one operation instead of eight: the rollout's vectors are short, and its calls many.
        for block in model.h:
            block.mlp.act = torch.nn.GELU(approximate="tanh")
    return speed_up(model) if part == "unet" else model


def _model(where: Path, kind: str, dtype: torch.dtype) -> Any:
    if kind in _DIFFUSERS:
        return _from_diffusers(_DIFFUSERS[kind], where, dtype)
    if "." in kind:
        module, _, name = kind.rpartition(".")
        return _from_diffusers(getattr(importlib.import_module(module), name), where, dtype)
    # A GPT-2 that is declared with its head is loaded without: the rollout reads no logits.
    family = getattr(transformers, "GPT2Model" if kind == "GPT2LMHeadModel" else kind)
    return load_model(family, where, device="cpu", dtype=dtype, unused=_UNUSED)


def _from_diffusers(kind: Any, where: Path, dtype: torch.dtype) -> Any:
    with _one_line(where, kind.__name__):
        model, report = kind.from_pretrained(
            where, torch_dtype=dtype, local_files_only=True, output_loading_info=True
        )
    wrong = [
        *(f"{name} is missing" for name in sorted(report["missing_keys"])),
        *(f"{name} is not expected" for name in sorted(report["unexpected_keys"])),
    ]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise CheckpointError(
            f"{where} does not hold the weights of a {kind.__name__}: {wrong[0]}{more}; {_AGAIN}"
        )
    return model


@contextlib.contextmanager
def _one_line(where: Path, kind: str) -> Iterator[None]:
    """Say in one line what diffusers and transformers say in many ways."""
    verbosity = diffusers_logging.get_verbosity()
    diffusers_logging.set_verbosity_error()
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CheckpointError(f"{where} cannot be loaded as {kind} ({reason}): {_AGAIN}") from error
    finally:
        diffusers_logging.set_verbosity(verbosity)
