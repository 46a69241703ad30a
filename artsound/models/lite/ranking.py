"""How likely a language model finds each of several continuations of a prompt."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import DynamicCache, LlamaForCausalLM


class Ranker:
    """Reads a prompt once and scores what could follow it.

    Args:
        model: the language model.
        prompt: the prompt's tokens, at least one.
    """

    def __init__(self, model: LlamaForCausalLM, prompt: Sequence[int]) -> None:
        self._model = model
        self._cache = DynamicCache(config=model.config)
        self._next = self._read(prompt)

    def _read(self, tokens: Sequence[int]) -> torch.Tensor:
        with torch.inference_mode():
            logits: torch.Tensor = self._model(
                torch.tensor([list(tokens)]), past_key_values=self._cache, logits_to_keep=1
            ).logits
        return logits[0, -1]

    def best(self, choices: Sequence[Sequence[int]]) -> int:
        """Return the position of the choice with the highest mean log-probability a token.

        Each choice is scored on its own, so that its score depends on nothing else; of equals the
        first is taken.

        Args:
            choices: token sequences, each at least one token.
        """
        if len(choices) == 1:
            return 0
        scores = [self._score(choice) for choice in choices]
        return max(range(len(scores)), key=lambda number: (scores[number], -number))

    def _score(self, choice: Sequence[int]) -> float:
        total = torch.log_softmax(self._next, -1)[choice[0]]
        if len(choice) > 1:
            with torch.inference_mode():
                logits = self._model(
                    torch.tensor([list(choice[:-1])]), past_key_values=self._cache
                ).logits
            self._cache.crop(1 - len(choice))  # forget the choice again
            following = torch.tensor(list(choice[1:]))
            steps = torch.log_softmax(logits[0], -1).gather(1, following[:, None])
            total = total + steps.sum()
        return float(total) / len(choice)

    def extend(self, tokens: Sequence[int]) -> None:
        """Read on: what is scored next follows these tokens."""
        self._next = self._read(tokens)
