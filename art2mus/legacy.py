"""The authors' image projection layers of 2024, read as settings and weights of an ImageAligner.

Their `ImageProjectionLayer` (art2mus_pipeline.py and art2mus_4_pipeline.py) is linear, tanh,
linear: 1024 to 1536 to one token of 768, or to four. Both kinds have the same names, so that the
number of tokens is told by the size of the last layer. What was saved from several GPUs has
`module.` before each name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from artsound.models.checkpoints import CheckpointError, read_tensors

_NAMES: Final = {
    "projection1.weight": "projection.0.weight",
    "projection1.bias": "projection.0.bias",
    "projection2.weight": "projection.2.weight",
    "projection2.bias": "projection.2.bias",
}


def read_2024(path: Path, hidden_dim: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the aligner's arguments and its tensors by the aligner's own names.

    Args:
        path: a state dict of the layer, in safetensors or in a pickle that holds tensors alone.
        hidden_dim: of GPT-2.

    Raises:
        CheckpointError: there is no such file, it is damaged or unsafe, or of something else.
    """
    found = {
        name.removeprefix("module."): tensor.float() for name, tensor in read_tensors(path).items()
    }
    if found.keys() != _NAMES.keys():
        strange = sorted(found.keys() - _NAMES.keys()) or sorted(_NAMES.keys() - found.keys())
        what = "holds" if strange[0] in found else "lacks"
        raise _refusal(path, f"it {what} {strange[0]}")
    first, last = found["projection1.weight"], found["projection2.weight"]
    if first.ndim != 2 or last.ndim != 2 or last.shape[1] != first.shape[0]:
        raise _refusal(path, f"its layers are of {tuple(first.shape)} and {tuple(last.shape)}")
    if len(found["projection1.bias"]) != len(first) or len(found["projection2.bias"]) != len(last):
        raise _refusal(path, "its biases do not fit its weights")
    if len(last) % hidden_dim:
        raise _refusal(path, f"it gives {len(last)} numbers, no multiple of {hidden_dim}")
    if not all(torch.isfinite(tensor).all() for tensor in found.values()):
        raise CheckpointError(f"{path} holds numbers that are not finite: download it again")
    settings = {
        "embedding_dim": first.shape[1],
        "tokens": len(last) // hidden_dim,
        "hidden_dim": hidden_dim,
        "staging_dim": first.shape[1],
        "boundary_tokens": False,
        "projection_hidden": len(first),
    }
    return settings, {ours: found[theirs] for theirs, ours in _NAMES.items()}


def _refusal(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is no image projection layer of Art2Mus 2024: {why}; give"
        " art2mus_img_proj_layer.pt or art2mus_4_img_proj_layer.pt"
    )
