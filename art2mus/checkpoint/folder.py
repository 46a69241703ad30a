"""Checkpoints: a folder that holds the aligner, says what it needs and reads as a model card.

    CKPT/model_index.json
    CKPT/aligner/config.json, diffusion_pytorch_model.safetensors
    CKPT/art2mus.json
    CKPT/README.md

`ImageAligner.from_pretrained(CKPT, subfolder="aligner")` reads the aligner alone. The backbone and
the encoder are named, not copied.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import httpx2
import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from safetensors import SafetensorError
from safetensors.torch import load, save

from art2mus.aligner import ImageAligner
from art2mus.backbone.repositories import download
from art2mus.checkpoint.card import model_card
from art2mus.checkpoint.description import FORMAT, Description
from art2mus.checkpoint.files import ABOUT, FILES, WEIGHTS, read_whole, replacing
from artsound.errors import ArtsoundError, UsageError
from artsound.models.checkpoints import CheckpointError, load_into
from artsound.models.pretrained import read_json
from artsound.models.settings import is_local


def save_checkpoint(folder: Path | str, aligner: ImageAligner, description: Description) -> None:
    """Write a checkpoint, in place of one that is there; other files of the folder stay.

    All of it is first written beside, and then moved in. A process that is killed leaves the old
    checkpoint or the new one, and who reads meanwhile gets one of them. Writers take turns.

    Args:
        folder: made if it is not there.
        aligner: on any device.
        description: what it was trained with.

    Raises:
        UsageError: the folder is a file, or the description is of another aligner.
    """
    where = Path(folder)
    if where.exists() and not where.is_dir():
        raise UsageError(f"{where} is a file: a checkpoint is a folder")
    sizes = (aligner.embedding_dim, aligner.tokens)
    if sizes != (description.encoder_dim, description.tokens):
        raise UsageError(
            f"an aligner for {sizes[0]} numbers and {sizes[1]} tokens is described as one for"
            f" {description.encoder_dim} and {description.tokens}"
        )
    where.mkdir(parents=True, exist_ok=True)
    with replacing(where) as staged:
        _write_all(staged, aligner, description)


def load_checkpoint(
    folder_or_repo: Path | str, *, revision: str | None = None
) -> tuple[ImageAligner, Description]:
    """Read a checkpoint: the aligner, on the CPU in eval mode, and what it was trained with.

    Args:
        folder_or_repo: a folder, or a repository on the Hub.
        revision: a commit, tag or branch of the repository.

    Raises:
        UsageError: there is no such folder or repository.
        CheckpointError: it is no checkpoint, incomplete, damaged or of a newer version.
    """
    folder = _find(str(folder_or_repo), revision)
    return read_whole(folder, lambda files: _read(folder, files))


def push_checkpoint(folder: Path | str, repository: str, *, private: bool = False) -> str:
    """Upload a checkpoint with its model card to the Hub, and return the commit's address.

    Args:
        folder: the checkpoint; nothing else that it holds is uploaded.
        repository: `owner/name`, made if it is not there.
        private: whether it is made private.

    Raises:
        CheckpointError: it is no checkpoint, or damaged.
        ArtsoundError: the Hub cannot be reached, or refuses.
    """
    load_checkpoint(folder)
    try:
        hub = HfApi()
        hub.create_repo(repository, private=private, exist_ok=True)
        with tempfile.TemporaryDirectory() as name:
            # A copy: a training that still runs may replace the files while they are uploaded.
            whole = Path(name)
            read_whole(Path(folder), lambda files: _copy(files, whole))
            done = hub.upload_folder(
                repo_id=repository,
                folder_path=whole,
                allow_patterns=list(FILES),
                commit_message="Art2Mus image aligner",
            )
    except HFValidationError as error:
        raise UsageError(f"{repository!r} is no repository's name: give OWNER/NAME") from error
    except (OfflineModeIsEnabled, HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise ArtsoundError(
            f"{folder} was not uploaded to {repository} ({reason}): check the network, and log in"
            " with `hf auth login`"
        ) from error
    return str(done.commit_url)


def _find(name: str, revision: str | None) -> Path:
    path = Path(name).expanduser()
    if path.is_dir():
        if revision:
            raise UsageError(f"{path} is a folder: it has no revision {revision!r}")
        return path
    if is_local(name):
        raise UsageError(f"no checkpoint {name}: no such folder")
    return download(name, revision, FILES, what="the checkpoint", option="CKPT")


def _read(folder: Path, files: Mapping[str, Path]) -> tuple[ImageAligner, Description]:
    """Read a checkpoint's files; `load_checkpoint` says the errors."""
    about, weights = files[ABOUT], files[WEIGHTS]
    if not about.is_file():
        raise CheckpointError(
            f"{folder} is no Art2Mus checkpoint: it has no {ABOUT}; give the folder that"
            " `art2mus train --out` wrote"
        )
    said = read_json(about.parent, about.name)
    if said.get("format") != FORMAT:
        raise CheckpointError(
            f"{about} is of format {said.get('format')!r}, and this version reads {FORMAT}: upgrade"
        )
    description = Description.from_json(said, str(about))
    if not weights.is_file():
        raise CheckpointError(f"no checkpoint {weights}: no such file")
    # Read once, and not mapped: another file may take its place at any time.
    raw = weights.read_bytes()
    aligner = _aligner(files["aligner/config.json"], _tensors(raw, weights), weights)
    if _digest(raw) != said.get("weights"):
        raise CheckpointError(
            f"{weights} is not the file that {ABOUT} describes: copy or download the checkpoint"
            " again, whole"
        )
    sizes = (aligner.embedding_dim, aligner.tokens)
    if sizes != (description.encoder_dim, description.tokens):
        raise CheckpointError(
            f"{folder}: aligner/config.json has {sizes[0]} numbers and {sizes[1]} tokens, and"
            f" {ABOUT} {description.encoder_dim} and {description.tokens}: they are of two"
            " checkpoints"
        )
    return aligner, description


def _tensors(raw: bytes, where: Path) -> dict[str, torch.Tensor]:
    try:
        return load(raw)
    except (SafetensorError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{where} is damaged ({said}): copy or download it again") from error


def _aligner(where: Path, tensors: Mapping[str, torch.Tensor], weights: Path) -> ImageAligner:
    config = read_json(where.parent, where.name)
    settings: dict[str, Any] = {k: v for k, v in config.items() if not k.startswith("_")}
    try:
        with torch.device("meta"):
            aligner: ImageAligner = ImageAligner(**settings)
    except (TypeError, UsageError) as error:
        raise CheckpointError(f"{where} is no aligner's: {error}") from error
    load_into(aligner, tensors, weights)
    aligner.eval()
    return aligner


def _copy(files: Mapping[str, Path], to: Path) -> None:
    """Copy a checkpoint's files, and check that they are of one checkpoint."""
    (to / "aligner").mkdir(exist_ok=True)
    for name, path in files.items():
        if path.is_file():
            shutil.copyfile(path, to / name)
    _read(to, {name: to / name for name in files})


def _write_all(staged: Path, aligner: ImageAligner, description: Description) -> None:
    version = diffusers.__version__
    config = {"_class_name": "ImageAligner", "_diffusers_version": version, **aligner.settings}
    _write(staged / "aligner/config.json", _json(config))
    tensors = {name: held.detach().cpu().contiguous() for name, held in _state(aligner).items()}
    raw = save(tensors, metadata={"format": "pt"})
    (staged / WEIGHTS).write_bytes(raw)
    about = {"format": FORMAT, "weights": _digest(raw), **description.to_json()}
    _write(staged / ABOUT, _json(about))
    index = {
        "_class_name": "Art2MusPipeline",
        "_diffusers_version": version,
        "aligner": ["art2mus.aligner", "ImageAligner"],
    }
    _write(staged / "model_index.json", _json(index))
    _write(staged / "README.md", model_card(description, aligner.settings))
    for name in FILES:
        _sync(staged / name)


def _digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _state(aligner: ImageAligner) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = aligner.state_dict()
    return state


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
