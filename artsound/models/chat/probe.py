"""Whether a chat model sees or hears: asked before the work, not found out in thousands of rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from PIL import Image

from artsound.models.base import Modality
from artsound.models.chat.client import ChatClient, ChatRequest, Outcome
from artsound.models.chat.errors import EndpointError
from artsound.models.chat.parts import Part, audio_part, image_part, text_part, user_message
from artsound.models.chat.replies import Reply
from artsound.models.chat.sampling import Sampling

_QUESTION: Final = "Say yes."
_SIDE: Final = 256
_RATE: Final = 16_000
_VERBS: Final = {"image": "see images", "audio": "hear audio", "text": "reply to text"}


def probe(client: ChatClient, name: str, modality: Modality, sampling: Sampling) -> None:
    """Ask a model for one token about a small image or sound, and about text alone.

    A server that refuses the first has a model without that sense. So has one that takes both for
    equally long: some servers pass over parts that their model has no use for.

    Args:
        client: reaches the model.
        name: its registry name.
        modality: what it must take.
        sampling: how it will be asked.

    Raises:
        EndpointError: it does not take what it must, or nothing at all.
    """
    fields = replace(sampling, max_tokens=1).fields(1)

    def request(*parts: Part) -> ChatRequest:
        payload = {"messages": user_message([*parts, text_part(_QUESTION)]), **fields}
        return ChatRequest("probe", 1, payload)

    if modality == "text":
        _taken(client.complete([request()], cached=False)[0], client, name, modality)
        return
    part = _image() if modality == "image" else _sound()
    told, alone = client.complete([request(part), request()], cached=False)
    tokens = _taken(told, client, name, modality).prompt_tokens
    if tokens is not None and isinstance(alone, Reply) and tokens == alone.prompt_tokens:
        raise EndpointError(
            f"{client.model} at {client.base_url} does not {_VERBS[modality]}: it passes over them"
            f" (the prompt has {tokens} tokens with and without); {_remedy(name, modality)}, or"
            f" set models.{name}.options.probe=false if it miscounts"
        )


def _taken(outcome: Outcome, client: ChatClient, name: str, modality: Modality) -> Reply:
    if isinstance(outcome, Reply):
        return outcome
    raise EndpointError(
        f"{client.model} at {client.base_url} does not {_VERBS[modality]}: {outcome};"
        f" {_remedy(name, modality)}"
    ) from outcome


def _remedy(name: str, modality: Modality) -> str:
    if modality == "text":
        return f"see that {name} is an instruction-tuned model with a chat template"
    return f"serve a model that does as {name}, or name another in the recipe"


def _image() -> Part:
    ramp = np.linspace(0, 255, _SIDE, dtype=np.uint8)
    return image_part(Image.fromarray(np.tile(ramp, (_SIDE, 1))), _SIDE)


def _sound() -> Part:
    time_s = np.arange(_RATE, dtype=np.float32) / _RATE
    return audio_part(0.1 * np.sin(2 * np.pi * 440 * time_s).astype(np.float32), _RATE)
