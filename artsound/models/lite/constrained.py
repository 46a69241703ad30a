"""Greedy decoding under a rule that says which tokens may come next.

Two things make it quick on a CPU without changing what is decoded: the fixed beginning of the
prompts is read once, and continuations are guessed by looking up the last tokens in the prompt
(prompt lookup decoding, Saxena 2023), so that a copied passage costs one step instead of many.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from typing import Final, Protocol

import torch
from transformers import DynamicCache, LlamaForCausalLM

_GUESS: Final = 8  # tokens looked ahead
_MATCH: Final = 2  # tokens that must agree for a guess


class Rule(Protocol):
    """What may be said next; it is told of every token that is."""

    def allowed(self) -> Collection[int]:
        """Return the tokens that may come next; none ends the text."""
        ...

    def accept(self, token: int) -> None:
        """Take note of a token, one of those allowed."""
        ...


class Decoder:
    """Continues texts that share a beginning.

    Args:
        model: the language model.
        beginning: tokens that every prompt begins with, read once.
    """

    def __init__(self, model: LlamaForCausalLM, beginning: Sequence[int]) -> None:
        self._model = model
        self._beginning = list(beginning)
        self._read = DynamicCache(config=model.config)
        with torch.inference_mode():
            model(torch.tensor([self._beginning]), past_key_values=self._read, logits_to_keep=1)

    def decode(self, rest: Sequence[int], rule: Rule, limit: int) -> list[int]:
        """Return the most likely continuation that the rule allows, token by token.

        One text at a time: its tokens depend on nothing else.

        Args:
            rest: the prompt after the common beginning, not empty.
            rule: what may be said.
            limit: the most tokens.
        """
        cache = copy.deepcopy(self._read)
        tokens = [*self._beginning, *rest]
        start = len(tokens)
        with torch.inference_mode():
            while len(tokens) - start < limit:
                guess = _look_up(tokens)
                read = cache.get_seq_length()
                chunk = torch.tensor([tokens[read:] + guess])
                logits = self._model(
                    chunk, past_key_values=cache, logits_to_keep=len(guess) + 1
                ).logits[0]
                for step in range(len(guess) + 1):
                    token = _best(logits[step], rule.allowed())
                    if token is None or len(tokens) - start == limit:
                        return tokens[start:]
                    rule.accept(token)
                    tokens.append(token)
                    if step == len(guess) or token != guess[step]:
                        break
                # The last token has not been read, and what was guessed wrongly is forgotten.
                surplus = cache.get_seq_length() - (len(tokens) - 1)
                if surplus:
                    cache.crop(-surplus)
        return tokens[start:]


def _look_up(tokens: Sequence[int]) -> list[int]:
    """Return what followed the last tokens when they last occurred."""
    tail = list(tokens[-_MATCH:])
    for start in range(len(tokens) - _MATCH - 1, -1, -1):
        if tokens[start : start + _MATCH] == tail:
            return list(tokens[start + _MATCH : start + _MATCH + _GUESS])
    return []


def _best(logits: torch.Tensor, allowed: Collection[int]) -> int | None:
    if not allowed:
        return None
    choices = sorted(allowed)
    return choices[int(logits[choices].argmax())]
