"""Text-to-image models, through diffusers.

Stable Diffusion 3.5 medium is the paper's (appendix B). Any other text-to-image pipeline in
diffusers' folder layout works by its path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from artsound.errors import ArtsoundError, MissingDependency, UsageError

if TYPE_CHECKING:
    from artsound.models.setup import Setup


class DiffusersTextToImage:
    """A text-to-image pipeline of diffusers.

    Only safetensors are read, and no code that comes with a model.

    Args:
        model: a folder with a `model_index.json`.
        steps: denoising steps; the pipeline's own default if None.
        guidance: the guidance scale; the pipeline's own default if None.

    Raises:
        MissingDependency: diffusers is not installed.
        UsageError: the folder holds no pipeline.
        ArtsoundError: the pipeline cannot be loaded.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        steps: int | None = None,
        guidance: float | None = None,
    ) -> None:
        if find_spec("diffusers") is None:
            raise MissingDependency("text-to-image", "pip install 'artsound[generate]'")
        folder = Path(model)
        if not (folder / "model_index.json").is_file():
            raise UsageError(f"{folder} holds no diffusers pipeline: it has no model_index.json")
        self.name = folder.resolve().name
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.settings = {"num_inference_steps": steps, "guidance_scale": guidance}
        self.version = _version(folder, self.settings)
        self._pipeline = self._load(folder)

    def _load(self, folder: Path) -> Any:
        _quieten()
        from diffusers import AutoPipelineForText2Image

        kind = torch.bfloat16 if self.device == "cuda" else torch.float32
        try:
            pipeline = AutoPipelineForText2Image.from_pretrained(  # type: ignore[no-untyped-call]
                str(folder), dtype=kind, use_safetensors=True
            )
        except (OSError, ValueError) as error:
            raise ArtsoundError(
                f"cannot load the text-to-image model {folder}"
                f" ({' '.join(str(error).split())}): give a folder that holds one whole"
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        # The type once more: without accelerate, diffusers leaves some weights as they were stored.
        return pipeline.to(self.device, kind)

    def generate(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
        """Return an RGB image for each prompt; what else is in the batch has no say in it.

        Args:
            prompts: n texts.
            seeds: n seeds of the noise.
        """
        given = {key: value for key, value in self.settings.items() if value is not None}
        images = []
        for prompt, seed in zip(prompts, seeds, strict=True):
            noise = torch.Generator("cpu").manual_seed(seed)
            made = self._pipeline(prompt=prompt, generator=noise, output_type="pil", **given)
            images.append(made.images[0].convert("RGB"))
        return images


class StableDiffusion35Medium(DiffusersTextToImage):
    """Stable Diffusion 3.5 medium, with the steps and the guidance that its card names."""

    @classmethod
    def from_recipe(cls, setup: Setup) -> StableDiffusion35Medium:
        """Load it as a recipe says; the Hub's files at the pinned revision if it says nothing."""
        model = cls(setup.checkpoint(), steps=40, guidance=4.5)
        model.name = setup.name
        return model


def _quieten() -> None:
    """Keep diffusers and transformers from warning, also while they are imported.

    They would say with every prompt that CLIP reads its first 77 tokens only; that is how Stable
    Diffusion 3 works, whose T5 reads 256.
    """
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    for logging in (of_diffusers, of_transformers):
        logging.set_verbosity_error()
        logging.disable_progress_bar()


def _version(folder: Path, settings: Mapping[str, object]) -> str:
    """Return a digest of what an image depends on besides prompt and seed."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stats = [(str(path.relative_to(folder)), path.stat()) for path in files]
    weights = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    made_of = (str(folder), sorted(settings.items()), weights)
    return hashlib.sha256(repr(made_of).encode()).hexdigest()


def seed_of(seed: int, item: object) -> int:
    """Return an item's own seed, so that its noise does not depend on the items before it."""
    digest = hashlib.sha256(f"{seed}:{item}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
