"""BART's decoder, one token a step for all the beams of many segments.

A beam search usually keeps the keys and values of each beam apart and copies them around as beams
are dropped and split. Here they stay where they were written, in one pool for the beams of a
segment, and a mask says which entries are a beam's own past. Nothing is copied, all beams of a
segment attend in one product, and what the audio contributes is kept once a segment, not a beam.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch.nn.functional import linear, pad, scaled_dot_product_attention
from transformers import BartForConditionalGeneration

# Positions by which the pool grows.
_BLOCK: Final = 32


class Decoder:
    """The decoder's state for some segments.

    Args:
        bart: the model, whose weights are used.
        encoded: the output of its encoder, shape (segments, positions, width).
        beams: beams of each segment.
    """

    def __init__(
        self, bart: BartForConditionalGeneration, encoded: torch.Tensor, beams: int
    ) -> None:
        self._bart = bart
        self._decoder: Any = bart.model.decoder
        self._beams = beams
        self._heads = self._decoder.layers[0].self_attn.num_heads
        self._segments = len(encoded)
        self._position = 0
        self._cross = [
            (
                self._split(layer.encoder_attn.k_proj(encoded)),
                self._split(layer.encoder_attn.v_proj(encoded)),
            )
            for layer in self._decoder.layers
        ]
        head = encoded.shape[-1] // self._heads
        empty = encoded.new_empty(self._segments, self._heads, 0, head)
        self._keys = [empty] * len(self._decoder.layers)
        self._values = [empty] * len(self._decoder.layers)
        # Added to the attention scores: 0 where an entry is a beam's own past, else -inf.
        self._mask = encoded.new_empty(self._segments, beams, 0)
        own = torch.eye(beams, dtype=torch.bool, device=encoded.device)
        self._own = encoded.new_zeros(beams, beams).masked_fill(~own, float("-inf"))

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Read one more token of each beam.

        Args:
            tokens: ids, shape (segments, beams).

        Returns:
            The last hidden states, shape (segments, beams, width).
        """
        decoder, position = self._decoder, self._position
        if position * self._beams == self._mask.shape[-1]:
            self._grow()
        start, end = position * self._beams, (position + 1) * self._beams
        self._mask[:, :, start:end] = self._own
        mask = self._mask[:, None, :, :end]
        table = decoder.embed_positions
        hidden = decoder.layernorm_embedding(
            decoder.embed_tokens(tokens) + table.weight[position + table.offset]
        )
        for number, layer in enumerate(decoder.layers):
            keys, values = self._keys[number], self._values[number]
            attention = layer.self_attn
            keys[:, :, start:end] = self._split(attention.k_proj(hidden))
            values[:, :, start:end] = self._split(attention.v_proj(hidden))
            seen = self._attend(attention, hidden, keys[:, :, :end], values[:, :, :end], mask)
            hidden = layer.self_attn_layer_norm(hidden + seen)
            heard = self._attend(layer.encoder_attn, hidden, *self._cross[number], None)
            hidden = layer.encoder_attn_layer_norm(hidden + heard)
            inner = layer.fc2(layer.activation_fn(layer.fc1(hidden)))
            hidden = layer.final_layer_norm(hidden + inner)
        self._position += 1
        last: torch.Tensor = hidden
        return last

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the next tokens' logits, float32, shape (segments, beams, vocabulary)."""
        bias = self._bart.final_logits_bias[0]
        return linear(hidden, self._bart.lm_head.weight, bias).float()

    def descend(self, parents: torch.Tensor) -> None:
        """Let each beam go on from another one's past.

        Args:
            parents: the number of the beam that each beam continues, shape (segments, beams).
        """
        self._mask = self._mask.gather(1, parents[..., None].expand_as(self._mask))

    def keep(self, segments: torch.Tensor) -> None:
        """Drop all segments but some, given by their numbers, shape (kept,)."""
        self._segments = len(segments)
        self._mask = self._mask[segments]
        self._keys = [keys[segments] for keys in self._keys]
        self._values = [values[segments] for values in self._values]
        self._cross = [(keys[segments], values[segments]) for keys, values in self._cross]

    def _attend(
        self,
        attention: Any,
        hidden: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        queries = self._split(attention.q_proj(hidden))
        mixed = scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        out: torch.Tensor = attention.out_proj(mixed.transpose(1, 2).flatten(2))
        return out

    def _split(self, states: torch.Tensor) -> torch.Tensor:
        """Return (segments, n, width) as (segments, heads, n, width of a head)."""
        segments, count, width = states.shape
        parts = states.view(segments, count, self._heads, width // self._heads)
        return parts.transpose(1, 2)

    def _grow(self) -> None:
        more = _BLOCK * self._beams
        self._mask = pad(self._mask, (0, more))
        self._keys = [pad(keys, (0, 0, 0, more)) for keys in self._keys]
        self._values = [pad(values, (0, 0, 0, more)) for values in self._values]
