"""Music Flamingo (Ghosh et al. 2025, arXiv 2511.10289): a music captioner newer than the paper.

Through transformers, which has two classes for it: the first release is laid out as an Audio
Flamingo 3, the later ones as a Music Flamingo with timestamps of its own. Replies are greedy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import torch
from transformers import (
    AudioFlamingo3ForConditionalGeneration,
    AudioFlamingo3Processor,
    MusicFlamingoForConditionalGeneration,
    MusicFlamingoProcessor,
    PreTrainedModel,
    ProcessorMixin,
    TokenizersBackend,
    WhisperFeatureExtractor,
)

from artsound.models.base import SegmentRequest
from artsound.models.checkpoints import CheckpointError
from artsound.models.pretrained import load_model, load_tokenizer, model_type, quiet, read_json
from artsound.models.setup import Setup

_KINDS: Final[Mapping[str, tuple[type[PreTrainedModel], type[ProcessorMixin]]]] = {
    "audioflamingo3": (AudioFlamingo3ForConditionalGeneration, AudioFlamingo3Processor),
    "musicflamingo": (MusicFlamingoForConditionalGeneration, MusicFlamingoProcessor),
}
_BATCH: Final = 4


class MusicFlamingoCaptioner:
    """Describes music segments as the request's prompt says (Protocol `SegmentCaptioner`).

    Args:
        model: in inference mode, on its device.
        processor: waveforms and prompts to the model's input; holds the chat template.
        max_tokens: of a reply.
    """

    name = "music-flamingo"

    def __init__(
        self, model: PreTrainedModel, processor: ProcessorMixin, max_tokens: int = 512
    ) -> None:
        self._model: Any = model
        self._processor: Any = processor
        self._max_tokens = max_tokens
        self.sample_rate = int(self._processor.feature_extractor.sampling_rate)

    @classmethod
    def from_checkpoint(
        cls,
        path: Path | str,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        max_tokens: int = 512,
    ) -> Self:
        """Load a folder such as nvidia/music-flamingo-hf or nvidia/music-flamingo-2601-hf.

        Args:
            path: the folder, with its tokenizer and chat template.
            device: where it computes.
            dtype: what it computes in.
            max_tokens: of a reply.

        Raises:
            CheckpointError: it is missing, damaged or of another model.
        """
        folder = Path(path)
        model_kind, processor_kind = _KINDS[model_type(folder, _KINDS)]
        model = load_model(model_kind, folder, device=device, dtype=dtype)
        _set_end_of_reply(model, folder)
        config: Any = model.config
        tokenizer = load_tokenizer(TokenizersBackend, folder, config.text_config.vocab_size)
        kind: Any = processor_kind
        processor = kind(_extractor(folder), tokenizer, chat_template=_template(folder, tokenizer))
        if processor.audio_token_id != config.audio_token_id:
            raise CheckpointError(
                f"the tokenizer in {folder} has no token {processor.audio_token} where the model"
                " takes audio: download the repository again"
            )
        return cls(model, processor, max_tokens)

    @classmethod
    def from_recipe(cls, setup: Setup) -> Self:
        """Load the model as a recipe wants it."""
        return cls.from_checkpoint(
            setup.checkpoint(),
            device=setup.device(),
            dtype=setup.dtype(),
            max_tokens=setup.settings.max_tokens,
        )

    def caption(self, requests: Sequence[SegmentRequest]) -> list[str]:
        """Return one caption a request; waveforms must have the model's sample rate.

        Raises:
            ValueError: a waveform has another sample rate, or is empty or not finite.
        """
        captions = []
        for start in range(0, len(requests), _BATCH):
            captions += self._described(requests[start : start + _BATCH])
        return captions

    def _described(self, requests: Sequence[SegmentRequest]) -> list[str]:
        prompts = [
            self._processor.apply_chat_template(
                _conversation(request.prompt), tokenize=False, add_generation_prompt=True
            )
            for request in requests
        ]
        heard = [self._checked(request) for request in requests]
        inputs = self._processor(text=prompts, audio=heard, sampling_rate=self.sample_rate)
        inputs = inputs.to(self._model.device, self._model.dtype)
        with torch.inference_mode(), quiet():
            found = self._model.generate(
                **inputs, do_sample=False, num_beams=1, max_new_tokens=self._max_tokens
            )
        replies = found[:, inputs["input_ids"].shape[1] :]
        texts = self._processor.tokenizer.batch_decode(replies, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def _checked(self, request: SegmentRequest) -> Any:
        if request.sample_rate != self.sample_rate:
            raise ValueError(
                f"{request.item_id}: {request.sample_rate} Hz, the model hears {self.sample_rate}"
            )
        if not request.waveform.size or not np.isfinite(request.waveform).all():
            raise ValueError(f"{request.item_id}: an empty waveform, or one that is not finite")
        return request.waveform


def _conversation(prompt: str) -> list[dict[str, Any]]:
    # The path is not read: the template only marks where the waveform goes.
    content = [{"type": "text", "text": prompt}, {"type": "audio", "path": "segment"}]
    return [{"role": "user", "content": content}]


def _set_end_of_reply(model: Any, folder: Path) -> None:
    if (folder / "generation_config.json").is_file():
        given = read_json(folder, "generation_config.json")
        for key in ("eos_token_id", "pad_token_id", "bos_token_id"):
            if key in given:
                setattr(model.generation_config, key, given[key])


def _extractor(folder: Path) -> WhisperFeatureExtractor:
    if (folder / "processor_config.json").is_file():
        settings = read_json(folder, "processor_config.json").get("feature_extractor", {})
    else:
        settings = {}
    settings = settings or read_json(folder, "preprocessor_config.json")
    settings = {key: value for key, value in settings.items() if not key.endswith("_type")}
    kind: Any = WhisperFeatureExtractor
    try:
        extractor: WhisperFeatureExtractor = kind(**settings)
        return extractor
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"the audio settings in {folder} are not those of the model ({error}): download the"
            " repository again"
        ) from error


def _template(folder: Path, tokenizer: TokenizersBackend) -> str:
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text("utf-8")
    if (folder / "chat_template.json").is_file():
        template = read_json(folder, "chat_template.json").get("chat_template")
    else:
        template = tokenizer.chat_template
    if not isinstance(template, str):
        raise CheckpointError(f"{folder} has no chat template: download the repository again")
    return template
