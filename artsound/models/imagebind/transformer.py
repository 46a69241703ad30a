"""The transformer that all of ImageBind's modalities share.

Pre-norm blocks with GELU, as `SimpleTransformer` in the authors' `models/transformer.py`; tokens
are laid out (batch, tokens, width). Weights have the authors' names. Of the last block only the one
token is computed that an embedding is made of.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import nn
from torch.nn import functional

from artsound.models.fast_linear import linear

EPSILON: Final = 1e-6
_MLP_RATIO: Final = 4


class Attention(nn.Module):
    """Multi-head self-attention.

    Args:
        width: of the tokens.
        heads: attention heads.
        bias_tokens: whether a learnt key and value are attended to beside the tokens' own, as in
            the audio transformer.
    """

    def __init__(self, width: int, heads: int, bias_tokens: bool) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)
        self.bias_k = nn.Parameter(torch.empty(1, 1, width)) if bias_tokens else None
        self.bias_v = nn.Parameter(torch.empty(1, 1, width)) if bias_tokens else None

    def forward(
        self, tokens: torch.Tensor, causal: bool, at: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return attended tokens, shape (batch, tokens, width).

        Args:
            tokens: shape (batch, tokens, width).
            causal: whether a token attends only to itself and those before it.
            at: the place of the one token of each, shape (batch,), that is computed, if not all
                are; the result has the shape (batch, 1, width) then.
        """
        mask = None
        if at is None:
            together = linear(tokens, self.in_proj_weight, self.in_proj_bias)
            query, key, value = together.chunk(3, dim=-1)
        else:
            width, weight, bias = tokens.shape[-1], self.in_proj_weight, self.in_proj_bias
            query = functional.linear(pick(tokens, at), weight[:width], bias[:width])
            rest = linear(tokens, weight[width:], bias[width:])
            key, value = rest.chunk(2, dim=-1)
            if causal:
                places = torch.arange(tokens.shape[1], device=tokens.device)
                mask = (places <= at.unsqueeze(1))[:, None, None]
        if self.bias_k is not None and self.bias_v is not None:
            key = torch.cat([key, self.bias_k.expand(len(key), -1, -1)], dim=1)
            value = torch.cat([value, self.bias_v.expand(len(value), -1, -1)], dim=1)
        attended = functional.scaled_dot_product_attention(
            self._split(query),
            self._split(key),
            self._split(value),
            attn_mask=mask,
            is_causal=causal and at is None,
        )
        joined: torch.Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return joined

    def _split(self, part: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = part.shape
        return part.view(batch, tokens, self.heads, width // self.heads).transpose(1, 2)


class MLP(nn.Module):
    """Two layers with GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, _MLP_RATIO * width)
        self.fc2 = nn.Linear(_MLP_RATIO * width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return tokens of the same shape."""
        transformed: torch.Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return transformed


class Block(nn.Module):
    """Attention and MLP, each after a LayerNorm and around a residual connection."""

    def __init__(self, width: int, heads: int, bias_tokens: bool) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(width, eps=EPSILON)
        self.attn = Attention(width, heads, bias_tokens)
        self.norm_2 = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = MLP(width)

    def forward(
        self, tokens: torch.Tensor, causal: bool, at: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return tokens of the same shape, or of shape (batch, 1, width) with `at`."""
        attended = self.attn(self.norm_1(tokens), causal, at)
        tokens = (tokens if at is None else pick(tokens, at)) + attended
        transformed: torch.Tensor = tokens + self.mlp(self.norm_2(tokens))
        return transformed


class Transformer(nn.Module):
    """A stack of blocks.

    Args:
        width: of the tokens.
        depth: how many blocks.
        heads: attention heads of each.
        bias_tokens: see `Attention`.
        first_norm: whether the tokens are normalised before the first block, as in the image
            transformer.
        causal: whether a token sees only itself and those before it, as in the text transformer.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        *,
        bias_tokens: bool = False,
        first_norm: bool = False,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.causal = causal
        norms = [nn.LayerNorm(width, eps=EPSILON)] if first_norm else []
        self.pre_transformer_layer = nn.Sequential(*norms)
        self.blocks = nn.ModuleList(Block(width, heads, bias_tokens) for _ in range(depth))

    def forward(self, tokens: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        """Return one transformed token each, shape (batch, width).

        Args:
            tokens: shape (batch, tokens, width).
            at: which token of each, shape (batch,).
        """
        tokens = self.pre_transformer_layer(tokens)
        *blocks, last = self.blocks
        for block in blocks:
            tokens = block(tokens, self.causal)
        transformed: torch.Tensor = last(tokens, self.causal, at).squeeze(1)
        return transformed


def pick(tokens: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """Return the tokens at the given places, shape (batch, 1, width)."""
    return tokens[torch.arange(len(tokens), device=tokens.device), at].unsqueeze(1)
