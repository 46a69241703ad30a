"""Checkpoint files: read safely, converted once, told apart by their content.

A pickle can run code when it is read. Weights are read from safetensors, or from a pickle that
holds nothing but tensors and plain values (`torch.load(weights_only=True)`); such a file is
converted to safetensors once, in the cache, and read from there by every later process.
"""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from artsound.errors import ArtsoundError
from artsound.models.digests import cache_folder, digest

_PICKLES: Final = frozenset({".pth", ".pt", ".bin", ".ckpt"})


class CheckpointError(ArtsoundError):
    """A checkpoint is missing, damaged, unsafe or of another model."""


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a checkpoint file by name, memory-mapped where the format allows it.

    A pickle may nest its tensors, as training scripts do (`{"state_dict": {...}}`, or an
    optimiser's state beside them): names are joined by dots, so that nothing is hidden.

    Args:
        path: a `.safetensors` file, or a `.pth`, `.pt`, `.bin` or `.ckpt` written by `torch.save`.

    Raises:
        CheckpointError: there is no such file, it is damaged or no checkpoint, or it is a pickle
            that holds more than tensors and plain values.
    """
    if not path.is_file():
        raise CheckpointError(f"no checkpoint {path}: no such file")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix not in _PICKLES:
        raise CheckpointError(
            f"{path} is no checkpoint: expected .safetensors or {', '.join(sorted(_PICKLES))}"
        )
    with path.open("rb") as stream:
        begins = stream.read(2)
    if not begins.startswith((b"PK", b"\x80")):
        raise CheckpointError(f"{path} is no checkpoint, or a damaged one: download it again")
    converted = cache_folder() / "converted" / f"{digest(path)}.safetensors"
    if not converted.is_file():
        converted.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{converted}.lock"):  # several workers begin at once
            if not converted.is_file():
                _convert(path, converted)
    return _read_safetensors(converted)


def load_into(module: torch.nn.Module, tensors: Mapping[str, torch.Tensor], where: Path) -> None:
    """Load tensors into a module, all of them and no others.

    Args:
        module: the module; its parameters may be on the `meta` device.
        tensors: by the module's own names.
        where: the checkpoint, for the error.

    Raises:
        CheckpointError: a tensor is missing, unexpected or of another shape; names the first.
    """
    wanted = module.state_dict()
    complaints = [
        *(f"{name} is missing" for name in sorted(wanted.keys() - tensors.keys())),
        *(f"{name} is not expected" for name in sorted(tensors.keys() - wanted.keys())),
        *(
            f"{name} has the shape {tuple(tensors[name].shape)}, not {tuple(wanted[name].shape)}"
            for name in sorted(wanted.keys() & tensors.keys())
            if tensors[name].shape != wanted[name].shape
        ),
    ]
    if complaints:
        more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
        raise CheckpointError(
            f"{where} is not a checkpoint of {type(module).__name__}: {complaints[0]}{more};"
            " give the file that its authors published"
        )
    module.load_state_dict(dict(tensors), strict=True, assign=True)


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged or no safetensors file ({_one_line(error)}): download it again"
        ) from error


def _convert(path: Path, converted: Path) -> None:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise CheckpointError(
                f"{path} is a pickle that holds more than tensors and plain values: it is not read,"
                " since it could run code; save its state dict alone"
            ) from error
        raise CheckpointError(f"{path} is damaged: download it again") from error
    except (RuntimeError, EOFError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{path} is damaged or no checkpoint ({_one_line(error)}): download it again"
        ) from error
    tensors = {name: tensor.contiguous() for name, tensor in _flat(content, "")}
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors: it is no checkpoint")
    temporary = converted.with_name(f".{converted.stem}.{os.getpid()}.safetensors")
    try:
        save_file(_unshared(tensors), temporary, metadata={"from": json.dumps(path.name)})
        temporary.replace(converted)
    finally:
        temporary.unlink(missing_ok=True)


def _flat(value: Any, name: str) -> list[tuple[str, torch.Tensor]]:
    """Return the tensors in nested mappings and lists, their names joined by dots."""
    if isinstance(value, torch.Tensor):
        return [(name, value)]
    if isinstance(value, Mapping):
        inner = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        inner = [(str(number), item) for number, item in enumerate(value)]
    else:
        return []
    return [found for key, item in inner for found in _flat(item, f"{name}.{key}" if name else key)]


def _unshared(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copy what shares its storage with another tensor, which safetensors does not store."""
    seen: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        apart[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return apart


def _is_zip(path: Path) -> bool:
    return zipfile.is_zipfile(path)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
