"""What a training continues from, in one file: weights, optimiser, schedule, average and position.

`training/state.safetensors` holds the tensors, and the rest as JSON in its metadata. It is replaced
as a whole, so that a process killed at any time leaves the state before or the one after.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from artsound.errors import ArtsoundError

FILE: Final = "state.safetensors"
_FORMAT: Final = 1


@dataclass(frozen=True)
class Best:
    """The checkpoint that did best in validation.

    Attributes:
        metric: what it is best by.
        value: of that metric.
        step: after how many steps.
    """

    metric: str
    value: float
    step: int


@dataclass
class Position:
    """How far a training is.

    Attributes:
        settings: the recipe, as JSON data.
        identity: what else its result depends on: fingerprints of the release, the encoder and the
            backbone.
        step: finished optimiser steps.
        validated: the step of the last validation that judged as the next will; 0 before the first.
        metrics: what the last validation measured.
        artworks: on how many artworks it did.
        best: the best validation so far.
        log_bytes: how long the log was.
        seconds: how long the steps have taken, validation and caches aside.
        scheduler: the learning rate schedule's state.
    """

    settings: dict[str, Any]
    identity: dict[str, str]
    step: int = 0
    validated: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    artworks: int = 0
    best: Best | None = None
    log_bytes: int = 0
    seconds: float = 0.0
    scheduler: dict[str, Any] = field(default_factory=dict)


def save_state(
    folder: Path,
    position: Position,
    aligner: nn.Module,
    optimizer: Optimizer,
    average: list[Tensor] | None,
) -> None:
    """Write the state, in place of the one before.

    Args:
        folder: `CKPT/training`.
        position: how far the training is.
        aligner: its weights are the ones that learn, not the average.
        optimizer: of exactly the aligner's parameters.
        average: of the parameters, in their order; None if none is kept.
    """
    tensors = {f"aligner.{name}": tensor for name, tensor in aligner.state_dict().items()}
    names = [name for name, _ in aligner.named_parameters()]
    for number, values in optimizer.state_dict()["state"].items():
        for key, value in values.items():
            tensors[f"optimizer.{names[number]}.{key}"] = torch.as_tensor(value)
    for name, tensor in zip(names, average or [], strict=average is not None):
        tensors[f"average.{name}"] = tensor
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"format": str(_FORMAT), "position": json.dumps(asdict(position))}
    temporary = folder / f".tmp-{os.getpid()}-{FILE}"
    save_file(held, temporary, metadata)
    with temporary.open("rb") as stream:
        os.fsync(stream.fileno())
    temporary.replace(folder / FILE)


def read_position(folder: Path) -> Position | None:
    """Return how far the training in a folder is; None where there is none.

    Raises:
        ArtsoundError: the file is damaged, or of another version.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as opened:
            metadata: Mapping[str, str] = opened.metadata() or {}
        if metadata.get("format") != str(_FORMAT):
            raise ArtsoundError(f"{path} is not a state of this version: --restart begins anew")
        data = json.loads(metadata["position"])
        best = data.pop("best")
        return Position(**data, best=Best(**best) if best else None)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise ArtsoundError(f"{path} is damaged ({said}): --restart begins anew") from error


def load_state(
    folder: Path, aligner: nn.Module, optimizer: Optimizer, average: list[Tensor] | None
) -> None:
    """Fill the aligner, the optimiser and the average as they were; see `save_state`.

    Raises:
        ArtsoundError: the state lacks something that these have.
    """
    path = folder / FILE
    with safe_open(path, "pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    try:
        aligner.load_state_dict(_under("aligner.", tensors))
        state: dict[int, dict[str, Tensor]] = {}
        for number, (name, _) in enumerate(aligner.named_parameters()):
            if held := _under(f"optimizer.{name}.", tensors):
                state[number] = held
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        for (name, _), into in zip(
            aligner.named_parameters(), average or [], strict=average is not None
        ):
            into.copy_(tensors[f"average.{name}"])
    except (RuntimeError, KeyError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise ArtsoundError(f"{path} does not fit this training ({said})") from error


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
