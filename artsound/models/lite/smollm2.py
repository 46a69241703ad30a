"""The lite fuser: SmolLM2-135M-Instruct merges segment captions by choosing how to say it.

Left to write by itself, a model of this size invents: asked to merge three captions it adds pianos,
changes keys and repeats itself. So it does not write. `fusion_candidates` makes well-formed
sentences out of the captions' own clauses, and the model chooses among them, sentence by sentence:
the one that it finds likeliest after the prompt and what was chosen before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from artsound.models.base import FusionRequest
from artsound.models.lite.fusion_candidates import continuations, news, openings
from artsound.models.lite.llama_gguf import load_llama_gguf
from artsound.models.lite.ranking import Ranker
from artsound.models.lite.weights import smollm2_gguf

# Share of the clauses that have to be told at the first attempt, and what each further one adds.
_FIRST_DETAIL: Final = 0.4
_MORE_DETAIL: Final = 0.2


class SmolLM2Fuser:
    """Merges a track's segment captions with SmolLM2-135M-Instruct (Apache-2.0), in float32.

    A caption depends on its request alone. The more often a caption has fallen short, the more of
    the segments' clauses the next one has to tell.
    """

    name = "lite-smollm2"

    def __init__(self) -> None:
        self._model, self._tokenizer = load_llama_gguf(smollm2_gguf())

    def fuse(self, requests: Sequence[FusionRequest]) -> list[str]:
        """Return one fused caption a request."""
        return [self._fuse(request) for request in requests]

    def _fuse(self, request: FusionRequest) -> str:
        detail = min(1.0, _FIRST_DETAIL + _MORE_DETAIL * (request.feedback.attempt - 1))
        ranker = Ranker(self._model, self._prompt(request.prompt))
        told: list[str] = []
        for number, segment in enumerate(request.segments):
            changes = news(request.segments[:number], segment)
            if number == 0:
                choices = openings(segment, detail)
            elif changes:
                last = number == len(request.segments) - 1
                choices = continuations(changes, last=last, detail=detail)
            else:
                continue
            tokens = [self._encode(f" {choice}" if told else choice) for choice in choices]
            best = ranker.best(tokens)
            ranker.extend(tokens[best])
            told.append(choices[best])
        return " ".join(told)

    def _prompt(self, prompt: str) -> list[int]:
        turns = [{"role": "user", "content": prompt}]
        chat = self._tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True
        )
        return self._encode(str(chat))

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
