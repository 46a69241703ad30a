"""Mozart's Touch (Li et al. 2024, arXiv 2405.02801), as the paper compares it.

There an image is captioned, a chat model turns the caption into a short musical description, and
MusicGen (Copet et al. 2023, arXiv 2306.05284) plays it. As in section 5.4 of the Art2Mus paper the
captions are the release's and the chat model is Qwen3-14B. The prompt is ours and not the
original's, which the paper takes, so values may differ from the paper's row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from art2mus.benchmark.models.audioldm2 import captions_of
from art2mus.benchmark.models.base import (
    Precision,
    Settings,
    Sound,
    Task,
    public_name,
    sound_of,
)
from art2mus.benchmark.models.torch_parts import precision_of
from artsound.errors import ArtsoundError, UsageError
from artsound.models.base import FusionRequest
from artsound.models.chat.address import checked_url

if TYPE_CHECKING:
    from art2mus.data import Media

MUSICGEN: Final = "facebook/musicgen-medium"
HOURS: Final = 20_000  # of its training, table 7
PROMPT: Final = """\
A composer writes music to be played beside a painting. Below is a description of the painting.
Describe the music in one or two sentences and at most 40 words: its mood, genre, instruments and \
tempo, as a search in a music library would. Do not mention the painting, its painter or what can \
be seen in it, and write nothing but the description.

{caption}"""
_ROLE: Final = "fuser"  # text in, one text out
_CHAT_MODEL: Final = "qwen3-14b"
_LONGEST_S: Final = 30.0  # what MusicGen was trained on
_FILES: Final = ("*.json", "*.safetensors", "*.bin", "*.model", "*.txt")


class MozartsTouchSettings(Settings):
    """Settings of `mozarts-touch`.

    Attributes:
        endpoint: base URL of the OpenAI-compatible API with the chat model.
        chat_model: what the endpoint calls it.
        api_key_env: the environment variable that holds the endpoint's key.
        max_tokens: of a description.
        thinking: whether the chat model may think aloud; if not, vLLM and its like are told so.
        checkpoint: MusicGen, a folder or a repository.
        revision: of the repository.
        guidance: scale of classifier-free guidance.
        temperature: of MusicGen's sampling.
        top_k: likewise.
        precision: of MusicGen.
    """

    endpoint: str
    chat_model: str = "Qwen/Qwen3-14B"
    api_key_env: str = "OPENAI_API_KEY"
    max_tokens: int = Field(default=128, gt=0)
    thinking: bool = False
    checkpoint: str = MUSICGEN
    revision: str | None = None
    guidance: float = Field(default=3.0, ge=1.0, allow_inf_nan=False)
    temperature: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)
    top_k: int = Field(default=250, ge=1)
    precision: Precision = "auto"


class MozartsTouch:
    """Caption, musical description, MusicGen.

    Args:
        settings: see there.
    """

    settings_class = MozartsTouchSettings

    def __init__(self, settings: MozartsTouchSettings) -> None:
        self.settings = settings
        self._task: Task

    def open(self, task: Task) -> Mapping[str, Any]:
        """Find MusicGen, and see that the endpoint serves the chat model; see `Model.open`."""
        wanted = self.settings
        self._task = task
        if task.seconds > _LONGEST_S:
            raise UsageError(
                f"mozarts-touch makes up to {_LONGEST_S:g} s, not {task.seconds:g}: MusicGen was"
                " trained on no more"
            )
        self._chat = self._open_chat()
        self._folder = _find(wanted.checkpoint, wanted.revision)
        self._dtype = precision_of(wanted.precision, task.device)
        return {
            **wanted.model_dump(
                include={"chat_model", "max_tokens", "thinking", "guidance", "temperature", "top_k"}
            ),
            "prompt": PROMPT,
            "dtype": str(self._dtype).removeprefix("torch."),
            "musicgen": _fingerprint(self._folder),
        }

    def about(self) -> Mapping[str, Any]:
        """Say what it is made of."""
        given = self.settings.checkpoint
        return {
            "checkpoint": public_name(given),
            "chat_model": self.settings.chat_model,
            **({"training_hours": HOURS} if given == MUSICGEN else {}),
        }

    def load(self) -> None:
        """Load MusicGen.

        Raises:
            ArtsoundError: the files are damaged or of another model.
        """
        from transformers import AutoTokenizer, MusicgenForConditionalGeneration

        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(self._folder)
            model: Any = MusicgenForConditionalGeneration.from_pretrained(
                self._folder, dtype=self._dtype
            )
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ArtsoundError(f"{self._folder} holds no whole MusicGen: {reason}") from error
        self._model = model.to(self._task.device).eval()

    def generate(
        self, items: Sequence[Media], seconds: float, seeds: Sequence[int]
    ) -> Sequence[Sound]:
        """Describe the music for the captions, and play it.

        Raises:
            ArtsoundError: the endpoint is down, or an artwork has no usable description.
        """
        captions = captions_of(items)
        requests = [
            FusionRequest(item.pair.pair_id, (caption,), PROMPT.format(caption=caption))
            for item, caption in zip(items, captions, strict=True)
        ]
        texts = [" ".join(text.split()) for text in self._chat.fuse(requests)]
        made = []
        for item, text, seed in zip(items, texts, seeds, strict=True):
            where = f"mozarts-touch: the music for {item.pair.pair_id}"
            if not text:
                raise ArtsoundError(f"{where}: the chat model said nothing: ask another one")
            samples, rate = self._play(text, seconds, seed)
            made.append(sound_of(samples, rate, where, {"prompt": text}))
        return made

    def _play(self, text: str, seconds: float, seed: int) -> tuple[Any, int]:
        """Sample one piece; transformers draws from torch's own generator, so one at a time."""
        import torch

        codec = self._model.config.audio_encoder
        books = self._model.config.decoder.num_codebooks
        frames = math.ceil(seconds * codec.frame_rate)
        tokens = self._tokenizer([text], return_tensors="pt", truncation=True)
        devices = ["cuda"] if self._task.device.startswith("cuda") else []
        with torch.random.fork_rng(devices), torch.no_grad():
            torch.manual_seed(seed)
            made = self._model.generate(
                **tokens.to(self._task.device),
                do_sample=True,
                guidance_scale=self.settings.guidance,
                temperature=self.settings.temperature,
                top_k=self.settings.top_k,
                # The codebooks are delayed against each other by a frame each.
                max_new_tokens=frames + books - 1,
            )
        rate = int(codec.sampling_rate)
        return made[0, :, : round(seconds * rate)], rate

    def _open_chat(self) -> Any:
        from artsound.models.registry import Models
        from artsound.models.settings import ModelSettings

        wanted = self.settings
        settings = ModelSettings(
            endpoint=checked_url(wanted.endpoint),
            checkpoint=wanted.chat_model,
            api_key_env=wanted.api_key_env,
            max_tokens=wanted.max_tokens,
            chat_template_kwargs={} if wanted.thinking else {"enable_thinking": False},
        )
        chat = Models({_CHAT_MODEL: settings}, self._task.cache / "requests").load(
            _ROLE, _CHAT_MODEL
        )
        served = chat.client.models()
        if wanted.chat_model not in served:
            raise UsageError(
                f"{wanted.endpoint} serves {', '.join(served) or 'nothing'}, not"
                f" {wanted.chat_model}: --set chat_model=NAME"
            )
        return chat


def _find(name: str, revision: str | None) -> Path:
    """Return MusicGen's folder.

    Raises:
        UsageError: there is none of that name, or it holds another model.
        ArtsoundError: it is not here and cannot be downloaded.
    """
    import json

    from artsound.models.settings import is_local

    if Path(name).expanduser().is_dir():
        folder = Path(name).expanduser()
    elif is_local(name):
        raise UsageError(f"{name}: no such folder; MusicGen comes from {MUSICGEN}")
    else:
        from art2mus.backbone.repositories import download

        folder = download(name, revision, _FILES, what="MusicGen", option="--checkpoint")
    try:
        kind = json.loads((folder / "config.json").read_text("utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(f"{folder} is no model's folder: it has no config.json") from error
    if kind != "musicgen":
        raise UsageError(f"{folder} holds a model of type {kind!r}, not MusicGen")
    return folder


def _fingerprint(folder: Path) -> str:
    from artsound.models.weights import commit

    return commit(folder)
