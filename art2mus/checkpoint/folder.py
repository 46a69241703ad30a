"""Checkpoints: a folder that holds the aligner, says what it needs and reads as a model card.

    CKPT/model_index.json
    CKPT/aligner/config.json, diffusion_pytorch_model.safetensors
    CKPT/art2mus.json
    CKPT/README.md

`ImageAligner.from_pretrained(CKPT, subfolder="aligner")` reads the aligner alone. The backbone and
the encoder are named, not copied.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

import diffusers
import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from safetensors.torch import save_file

from art2mus.aligner import ImageAligner
from art2mus.backbone.repositories import download
from art2mus.checkpoint.card import model_card
from art2mus.checkpoint.description import FORMAT, Description
from artsound.errors import ArtsoundError, UsageError
from artsound.models.checkpoints import CheckpointError, load_into, read_tensors
from artsound.models.digests import digest
from artsound.models.pretrained import read_json
from artsound.models.settings import is_local

_WEIGHTS: Final = "aligner/diffusion_pytorch_model.safetensors"
_FILES: Final = ("aligner/config.json", _WEIGHTS, "art2mus.json", "model_index.json", "README.md")
_STAGED: Final = ".saving"
_COMPLETE: Final = "complete"


def save_checkpoint(folder: Path | str, aligner: ImageAligner, description: Description) -> None:
    """Write a checkpoint, in place of one that is there; other files of the folder stay.

    All of it is first written beside, and then moved in. A process that is killed leaves the old
    checkpoint or, once the new one is written in full, a folder whose next reader completes it.

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
    _finish(where)
    staged = where / _STAGED
    shutil.rmtree(staged, ignore_errors=True)
    (staged / "aligner").mkdir(parents=True)
    version = diffusers.__version__
    config = {"_class_name": "ImageAligner", "_diffusers_version": version, **aligner.settings}
    _write(staged / "aligner/config.json", _json(config))
    tensors = {name: held.detach().cpu().contiguous() for name, held in _state(aligner).items()}
    save_file(tensors, staged / _WEIGHTS, metadata={"format": "pt"})
    weights = digest(staged / _WEIGHTS)
    said = {"format": FORMAT, "weights": f"sha256:{weights}", **description.to_json()}
    _write(staged / "art2mus.json", _json(said))
    index = {
        "_class_name": "Art2MusPipeline",
        "_diffusers_version": version,
        "aligner": ["art2mus.aligner", "ImageAligner"],
    }
    _write(staged / "model_index.json", _json(index))
    _write(staged / "README.md", model_card(description, aligner.settings))
    for name in _FILES:
        _sync(staged / name)
    _write(staged / _COMPLETE, "")
    _sync(staged / _COMPLETE)
    _finish(where)


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
    _finish(folder)
    if not (folder / "art2mus.json").is_file():
        raise CheckpointError(
            f"{folder} is no Art2Mus checkpoint: it has no art2mus.json; give the folder that"
            " `art2mus train --out` wrote"
        )
    said = read_json(folder, "art2mus.json")
    if said.get("format") != FORMAT:
        raise CheckpointError(
            f"{folder / 'art2mus.json'} is of format {said.get('format')!r}, and this version reads"
            f" {FORMAT}: upgrade"
        )
    description = Description.from_json(said, str(folder / "art2mus.json"))
    aligner = _aligner(folder)
    if f"sha256:{digest(folder / _WEIGHTS)}" != said.get("weights"):
        raise CheckpointError(
            f"{folder / _WEIGHTS} is not the file that art2mus.json describes: copy or download the"
            " checkpoint again, whole"
        )
    sizes = (aligner.embedding_dim, aligner.tokens)
    if sizes != (description.encoder_dim, description.tokens):
        raise CheckpointError(
            f"{folder}: aligner/config.json has {sizes[0]} numbers and {sizes[1]} tokens, and"
            f" art2mus.json {description.encoder_dim} and {description.tokens}: they are of two"
            " checkpoints"
        )
    return aligner, description


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
        done = hub.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=list(_FILES),
            commit_message="Art2Mus image aligner",
        )
    except HFValidationError as error:
        raise UsageError(f"{repository!r} is no repository's name: give OWNER/NAME") from error
    except (OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
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
    return download(name, revision, _FILES, what="the checkpoint", option="CKPT")


def _aligner(folder: Path) -> ImageAligner:
    config = read_json(folder / "aligner", "config.json")
    where = folder / "aligner" / "config.json"
    settings: dict[str, Any] = {k: v for k, v in config.items() if not k.startswith("_")}
    try:
        with torch.device("meta"):
            aligner: ImageAligner = ImageAligner(**settings)
    except (TypeError, UsageError) as error:
        raise CheckpointError(f"{where} is no aligner's: {error}") from error
    load_into(aligner, read_tensors(folder / _WEIGHTS), folder / _WEIGHTS)
    aligner.eval()
    return aligner


def _finish(folder: Path) -> None:
    """Move in what an interrupted `save_checkpoint` has written in full."""
    staged = folder / _STAGED
    if not (staged / _COMPLETE).is_file():
        return
    for name in _FILES:
        if (staged / name).is_file():
            (folder / name).parent.mkdir(exist_ok=True)
            (staged / name).replace(folder / name)
    shutil.rmtree(staged)


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
