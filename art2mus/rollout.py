"""The language model's part: from GPT-2's input to Language-of-Audio tokens.

Source: the paper, section 4.3; it equals diffusers' `AudioLDM2Pipeline.generate_language_model`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from artsound.errors import ArtsoundError


def rollout(
    gpt2: nn.Module, tokens: Tensor, steps: int = 8, attention_mask: Tensor | None = None
) -> Tensor:
    """Let GPT-2 continue a sequence of vectors by feeding back its last hidden state.

    The keys and values of what was read are kept, so that each step reads one vector. Gradients
    flow to `tokens` (and to nothing else where GPT-2 is frozen).

    Args:
        gpt2: a GPT2Model, or a GPT2LMHeadModel whose head is left out; in eval mode.
        tokens: the sequence, shape (B, T, H).
        steps: how many vectors are generated.
        attention_mask: 1 for what is read and 0 for padding, shape (B, T); all is read if None.

    Returns:
        The Language-of-Audio tokens, shape (B, steps, H).

    Raises:
        ArtsoundError: GPT-2 is in training mode, where dropout makes the tokens random and gradient
            checkpointing drops the cache.
    """
    base: Any = getattr(gpt2, "transformer", gpt2)
    if base.training:
        raise ArtsoundError("GPT-2 is in training mode: call .eval() before the rollout")
    cache = DynamicCache(config=base.config)
    mask = attention_mask
    given = tokens.to(base.dtype)
    generated = []
    for _ in range(steps):
        read = base(inputs_embeds=given, attention_mask=mask, past_key_values=cache, use_cache=True)
        given = read.last_hidden_state[:, -1:]
        generated.append(given)
        if mask is not None:
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
    return torch.cat(generated, dim=1)
