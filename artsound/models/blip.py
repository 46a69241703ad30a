"""BLIP (Li et al. 2022, arXiv 2201.12086): the LAVIS captioner, which the paper tried.

The model is transformers' port of `blip_caption`, `large_coco`. Images, prompt and beam search are
those of LAVIS: 384 x 384 pixels without regard to proportions, the prompt "a picture of " which is
cut off again, three beams, ten to thirty tokens with the prompt's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import torch
from transformers import BertTokenizer, BlipForConditionalGeneration

from artsound.models import pixels
from artsound.models.base import ArtworkRequest
from artsound.models.pretrained import load_model, load_tokenizer, quiet
from artsound.models.setup import Setup

PROMPT: Final = "a picture of "
# `BlipCaption.generate`'s; the others are named because a checkpoint may set them differently.
_SEARCH: Final = {
    "num_beams": 3,
    "max_length": 30,
    "min_length": 10,
    "do_sample": False,
    "repetition_penalty": 1.0,
    "length_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "early_stopping": False,
}
_BATCH: Final = 8


class BlipCaptioner:
    """Describes artworks in a short sentence (Protocol `ArtworkCaptioner`).

    It cannot be instructed: the request's prompt and feedback are ignored, and an artwork's caption
    is the same at every attempt.

    Args:
        model: in inference mode, on its device.
        tokenizer: of the same model.
    """

    name = "blip"

    def __init__(self, model: BlipForConditionalGeneration, tokenizer: BertTokenizer) -> None:
        config: Any = model.config
        self._model: Any = model
        self._tokenizer: Any = tokenizer
        self._side = int(config.vision_config.image_size)
        # The end-of-sentence token stays: `generate` drops the last and puts its start token first.
        self._prompt = torch.tensor([self._tokenizer(PROMPT)["input_ids"]])

    @classmethod
    def from_checkpoint(
        cls,
        path: Path | str,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Load a folder such as Salesforce/blip-image-captioning-large.

        Raises:
            CheckpointError: it is missing, damaged or of another model.
        """
        folder = Path(path)
        model = load_model(
            BlipForConditionalGeneration,
            folder,
            device=device,
            dtype=dtype,
            unused=r"\.position_ids$",
        )
        config: Any = model.config
        tokenizer = load_tokenizer(BertTokenizer, folder, config.text_config.vocab_size)
        return cls(model, tokenizer)

    @classmethod
    def from_recipe(cls, setup: Setup) -> Self:
        """Load the model as a recipe wants it."""
        setup.refuse_options()
        return cls.from_checkpoint(setup.checkpoint(), device=setup.device(), dtype=setup.dtype())

    def caption(self, requests: Sequence[ArtworkRequest]) -> list[str]:
        """Return one caption a request."""
        captions = []
        for start in range(0, len(requests), _BATCH):
            batch = requests[start : start + _BATCH]
            views = np.stack([pixels.squashed(request.image, self._side) for request in batch])
            captions += self._described(torch.from_numpy(views))
        return captions

    def _described(self, views: torch.Tensor) -> list[str]:
        with torch.inference_mode(), quiet():
            found = self._model.generate(
                pixel_values=views.to(self._model.device, self._model.dtype),
                input_ids=self._prompt.repeat(len(views), 1).to(self._model.device),
                **_SEARCH,
            )
        # The first token is BLIP's start of decoding, which the tokenizer may not know.
        texts = self._tokenizer.batch_decode(found[:, 1:], skip_special_tokens=True)
        return [text[len(PROMPT) :].strip() for text in texts]
