"""Finding an AudioLDM 2 and checking its files, before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from art2mus.backbone.repositories import download
from artsound.errors import UsageError
from artsound.models.checkpoints import CheckpointError
from artsound.models.pretrained import read_json
from artsound.models.settings import is_local
from artsound.models.whole import check_whole

DEFAULT: Final = "cvssp/audioldm2"

# Which classes a part may have in model_index.json. Nothing else is imported.
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "unet": ("AudioLDM2UNet2DConditionModel",),
    "vae": ("AutoencoderKL", "art2mus.lite.codec.PatchCodec"),
    "vocoder": ("SpeechT5HifiGan", "art2mus.lite.vocoder.GriffinLimVocoder"),
    "language_model": ("GPT2Model", "GPT2LMHeadModel"),
    "text_encoder": ("ClapModel",),
    "tokenizer": ("RobertaTokenizer", "RobertaTokenizerFast"),
    "text_encoder_2": ("T5EncoderModel",),
    "tokenizer_2": ("T5Tokenizer", "T5TokenizerFast"),
    "projection_model": ("AudioLDM2ProjectionModel",),
    "scheduler": ("DDIMScheduler",),
}
_LIBRARIES: Final = frozenset({"transformers", "diffusers", "audioldm2"})
_CONFIGS: Final[Mapping[str, str]] = {
    "tokenizer": "tokenizer_config.json",
    "tokenizer_2": "tokenizer_config.json",
    "scheduler": "scheduler_config.json",
}
_VOCABULARIES: Final = ("tokenizer.json", "vocab.json", "spiece.model")
_WEIGHTS: Final = ("model", "diffusion_pytorch_model", "pytorch_model")
_SUFFIXES: Final = (
    ".safetensors",
    ".safetensors.index.json",
    ".bin",
    ".bin.index.json",
)
_WANTED: Final = "give a folder or repository in the layout of diffusers' AudioLDM2Pipeline"


@dataclass(frozen=True)
class Layout:
    """What a backbone's files say of it.

    Attributes:
        classes: each part's class, with its module where it is one of our own.
        toy: whether it is labelled a toy prior.
        sample_rate: of the vocoder, in Hz.
    """

    classes: Mapping[str, str]
    toy: bool
    sample_rate: int


def find_backbone(name_or_path: str, revision: str | None) -> tuple[Path, str, str]:
    """Return a backbone's folder, its name and its commit, downloading what is not here.

    Raises:
        UsageError: there is no such folder or repository, or a folder is given a revision.
        ArtsoundError: it cannot be downloaded.
    """
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        if revision:
            raise UsageError(f"{path} is a folder: it has no revision {revision!r}")
        return path.resolve(), str(path.resolve()), ""
    if is_local(name_or_path):
        raise UsageError(f"no backbone {name_or_path}: no such folder; {_WANTED}")
    patterns = ["model_index.json", *(f"{part}/*" for part in PARTS)]
    folder = download(name_or_path, revision, patterns, what="the backbone", option="--backbone")
    return folder, name_or_path, folder.name


def read_layout(folder: Path) -> Layout:
    """Check that a folder holds every part, of a known class and not cut off.

    Raises:
        CheckpointError: something is missing, cut off or of another class; names it.
    """
    if not (folder / "model_index.json").is_file():
        raise CheckpointError(f"{folder} is no AudioLDM 2: it has no model_index.json; {_WANTED}")
    index = read_json(folder, "model_index.json")
    classes = {part: _class(folder, index, part) for part in PARTS}
    for part in PARTS:
        _check_files(folder / part, part)
    rate = read_json(folder / "vocoder", "config.json").get("sampling_rate", 16_000)
    return Layout(classes, index.get("art2mus_toy") is True, int(rate))


def _class(folder: Path, index: Mapping[str, Any], part: str) -> str:
    declared = index.get(part)
    if not isinstance(declared, list) or len(declared) != 2 or declared[1] is None:
        raise CheckpointError(f"{folder / 'model_index.json'} names no {part}: {_WANTED}")
    library, name = str(declared[0]), str(declared[1])
    full = name if library in _LIBRARIES else f"{library}.{name}"
    if full not in PARTS[part]:
        raise CheckpointError(
            f"{folder / 'model_index.json'} wants {full} as its {part}: this program knows"
            f" {' and '.join(PARTS[part])}"
        )
    return full


def _check_files(folder: Path, part: str) -> None:
    read_json(folder, _CONFIGS.get(part, "config.json"))
    if part == "scheduler":
        return
    if part.startswith("tokenizer"):
        if not any((folder / name).is_file() for name in _VOCABULARIES):
            raise CheckpointError(f"{folder} has no vocabulary: it needs {_VOCABULARIES[0]}")
        return
    if not any((folder / f"{name}{end}").is_file() for name in _WEIGHTS for end in _SUFFIXES):
        raise CheckpointError(f"{folder} holds no weights: download the repository again")
    check_whole(folder)
