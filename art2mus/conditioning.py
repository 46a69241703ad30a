"""From an artwork to what conditions the U-Net: LoA tokens and the encoded prompt.

Source: the paper, sections 4.2 and 4.3; the text path is that of diffusers' `AudioLDM2Pipeline`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import torch
from PIL import Image
from torch import Tensor, nn
from transformers import DynamicCache

from art2mus.aligner import ImageAligner, check_embeddings
from art2mus.backbone import Backbone
from art2mus.encoders import VisualEncoder
from artsound.errors import ArtsoundError, UsageError

PROMPT: Final = "Music representing the content of this artwork"
NEGATIVE_PROMPT: Final = "Low quality"


def rollout(
    gpt2: nn.Module, tokens: Tensor, steps: int = 8, attention_mask: Tensor | None = None
) -> Tensor:
    """Let GPT-2 continue a sequence of vectors by feeding back its last hidden state.

    The keys and values of what was read are kept, so that each step reads one vector. Gradients
    flow to `tokens` (and to nothing else where GPT-2 is frozen). It equals diffusers'
    `AudioLDM2Pipeline.generate_language_model`.

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


@dataclass(frozen=True)
class Conditioning:
    """What the U-Net attends to.

    Attributes:
        loa: Language-of-Audio tokens, shape (B, 8, H): `encoder_hidden_states`.
        text: FLAN-T5's states of the prompt, shape (B, S, D): `encoder_hidden_states_1`.
        text_mask: 1 for the prompt's tokens and 0 for padding, shape (B, S).
    """

    loa: Tensor
    text: Tensor
    text_mask: Tensor

    def __len__(self) -> int:
        return len(self.loa)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """Return it on a device, and in a floating type if one is given."""
        return type(self)(
            self.loa.to(device, dtype), self.text.to(device, dtype), self.text_mask.to(device)
        )

    def repeat(self, times: int) -> Self:
        """Return each item `times` times, next to one another, as diffusers repeats prompts."""
        return type(self)(
            self.loa.repeat_interleave(times, dim=0),
            self.text.repeat_interleave(times, dim=0),
            self.text_mask.repeat_interleave(times, dim=0),
        )

    @classmethod
    def concat(cls, items: Sequence[Conditioning]) -> Self:
        """Return all items as one batch; shorter prompts are padded, and masked there."""
        longest = max(item.text.shape[1] for item in items)
        texts, masks = [], []
        for item in items:
            short = longest - item.text.shape[1]
            texts.append(nn.functional.pad(item.text, (0, 0, 0, short)))
            masks.append(nn.functional.pad(item.text_mask, (0, short)))
        return cls(torch.cat([item.loa for item in items]), torch.cat(texts), torch.cat(masks))


class PromptEncoder:
    """The backbone's own text encoders. They are frozen: nothing here keeps gradients.

    Args:
        backbone: whose CLAP, FLAN-T5, projection model and GPT-2 are used, where they are needed.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone

    @torch.no_grad()
    def text(self, prompts: Sequence[str], *, length: int | None = None) -> tuple[Tensor, Tensor]:
        """Return FLAN-T5's states, shape (B, S, D), and the mask of their tokens, shape (B, S).

        Args:
            prompts: at least one.
            length: S, what is longer being cut off; if None, the longest prompt's.

        Raises:
            UsageError: a prompt is longer than FLAN-T5 reads.
        """
        ids, mask = self._t5_tokens(prompts, length)
        states = self._backbone.text_encoder_2(ids, attention_mask=mask)[0]
        return states, mask

    @torch.no_grad()
    def negative(self, prompts: Sequence[str], *, length: int | None = None) -> Conditioning:
        """Return what guidance leads away from, by AudioLDM 2's text path.

        CLAP and FLAN-T5 encode the prompts, the projection model joins them, and GPT-2 continues.
        Padding takes up positions in GPT-2, so that the length matters: diffusers and the authors'
        code pad, or cut off, to the length of the prompt that is guided to. That is done here too,
        except that a negative prompt that is longer than `PROMPT` keeps its end.

        Args:
            prompts: at least one.
            length: how many of FLAN-T5's tokens they are padded or cut to; if None, as many as
                `PROMPT` has, or the longest of them where that is more.

        Raises:
            UsageError: a prompt is longer than the text encoders read.
        """
        if length is None:
            length = max(self._t5_length(prompts), self._t5_length([PROMPT]))
        text, mask = self.text(prompts, length=length)
        clap = self._clap(prompts)
        joined = self._backbone.projection_model(
            hidden_states=clap,
            hidden_states_1=text,
            attention_mask=mask.new_ones(len(mask), 1),
            attention_mask_1=mask,
        )
        loa = rollout(
            self._backbone.language_model,
            joined.hidden_states,
            self._backbone.loa_tokens,
            joined.attention_mask,
        )
        return Conditioning(loa, text, mask)

    def _clap(self, prompts: Sequence[str]) -> Tensor:
        """Return CLAP's text features, shape (B, 1, D)."""
        tokenizer = self._backbone.tokenizer
        self._refuse_long(tokenizer, prompts, "CLAP")
        tokens = tokenizer(
            list(prompts),
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).to(self._backbone.device)
        features = self._backbone.text_encoder.get_text_features(
            tokens.input_ids, attention_mask=tokens.attention_mask
        )
        # transformers 5 returns the whole output.
        pooled: Tensor = getattr(features, "pooler_output", features)
        return pooled[:, None, :]

    def _t5_tokens(self, prompts: Sequence[str], length: int | None) -> tuple[Tensor, Tensor]:
        tokenizer = self._backbone.tokenizer_2
        self._refuse_long(tokenizer, prompts, "FLAN-T5")
        tokens = tokenizer(
            list(prompts),
            padding="max_length" if length else True,
            max_length=length or tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).to(self._backbone.device)
        return tokens.input_ids, tokens.attention_mask

    def _t5_length(self, prompts: Sequence[str]) -> int:
        return max(len(ids) for ids in self._backbone.tokenizer_2(list(prompts)).input_ids)

    def _refuse_long(self, tokenizer: Any, prompts: Sequence[str], reader: str) -> None:
        for prompt, ids in zip(prompts, tokenizer(list(prompts)).input_ids, strict=True):
            if len(ids) > tokenizer.model_max_length:
                raise UsageError(
                    f"a prompt of {len(ids)} tokens ({prompt[:40]!r} ...): {reader} reads"
                    f" {tokenizer.model_max_length}; shorten it"
                )


class VisualConditioningExtractor:
    """Artworks to what conditions the U-Net (the paper, figure 4a).

    Args:
        encoder: artworks to embeddings; None where only embeddings are given.
        aligner: embeddings to GPT-2's input; the one part that may learn.
        backbone: AudioLDM 2, frozen.
        prompt: the fixed prompt that FLAN-T5 encodes, once.

    Raises:
        UsageError: the encoder, the aligner and the backbone do not fit one another.
    """

    def __init__(
        self,
        encoder: VisualEncoder | None,
        aligner: ImageAligner,
        backbone: Backbone,
        prompt: str = PROMPT,
    ) -> None:
        self.encoder = encoder
        self.aligner = aligner
        self.backbone = backbone
        self.prompt = prompt
        self._text: tuple[Tensor, Tensor] | None = None
        check_fit(aligner, backbone, encoder)

    @torch.no_grad()
    def embed(self, images: Sequence[Image.Image]) -> Tensor:
        """Return the artworks' unit embeddings, float32, shape (B, E).

        Raises:
            UsageError: there is no encoder.
        """
        if self.encoder is None:
            raise UsageError("images need an encoder: give one, or their embeddings")
        return self.encoder.embed(images)

    def loa(self, embeddings: Tensor) -> Tensor:
        """Return the Language-of-Audio tokens of embeddings, shape (B, 8, H), with gradients.

        Args:
            embeddings: shape (B, E).
        """
        tokens = self.aligner(embeddings.to(self.aligner.device))
        return rollout(
            self.backbone.language_model,
            tokens.to(self.backbone.device),
            self.backbone.loa_tokens,
        )

    def text(self, batch: int) -> tuple[Tensor, Tensor]:
        """Return the encoded prompt and its mask, for a batch; it is encoded once."""
        if self._text is None:
            self._text = PromptEncoder(self.backbone).text([self.prompt])
        states, mask = self._text
        return states.expand(batch, -1, -1), mask.expand(batch, -1)

    def __call__(self, images: Sequence[Image.Image] | Tensor) -> Conditioning:
        """Return what conditions the U-Net.

        Args:
            images: artworks, or their embeddings of shape (B, E).

        Raises:
            ArtsoundError: embeddings are of another shape or not finite.
        """
        embeddings = images if isinstance(images, Tensor) else self.embed(images)
        check_embeddings(embeddings, self.aligner.embedding_dim)
        return Conditioning(self.loa(embeddings), *self.text(len(embeddings)))


def check_fit(
    aligner: ImageAligner, backbone: Backbone, encoder: VisualEncoder | None = None
) -> None:
    """Check that an aligner fits its neighbours, before anything large is loaded.

    Raises:
        UsageError: the sizes differ, or GPT-2 has fewer positions than the tokens take.
    """
    if encoder is not None and encoder.dimension != aligner.embedding_dim:
        raise UsageError(
            f"the aligner takes embeddings of {aligner.embedding_dim} numbers, and"
            f" {encoder.name} gives {encoder.dimension}: name the encoder that it was trained with"
        )
    if aligner.hidden_dim != backbone.hidden_dim:
        raise UsageError(
            f"the aligner writes vectors of {aligner.hidden_dim} numbers, and GPT-2 of"
            f" {backbone.name} reads {backbone.hidden_dim}: name the backbone that it was trained"
            " with"
        )
    room = backbone.positions - backbone.loa_tokens + 1
    if aligner.sequence_length > room:
        raise UsageError(
            f"tokens = {aligner.tokens}: GPT-2 of {backbone.name} has room for {room}"
            " vectors, start and end included; take fewer tokens"
        )
