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

from art2mus.aligner import ImageAligner, check_embeddings
from art2mus.backbone import Backbone
from art2mus.encoders import VisualEncoder
from art2mus.rollout import rollout
from art2mus.training.early import no_room
from artsound.errors import UsageError

__all__ = [
    "NEGATIVE_PROMPT",
    "PROMPT",
    "Conditioning",
    "PromptEncoder",
    "VisualConditioningExtractor",
    "check_fit",
    "rollout",
]

PROMPT: Final = "Music representing the content of this artwork"
NEGATIVE_PROMPT: Final = "Low quality"


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
    def negative(
        self, prompts: Sequence[str], *, prompt: str = PROMPT, length: int | None = None
    ) -> Conditioning:
        """Return what guidance leads away from, by AudioLDM 2's text path.

        CLAP and FLAN-T5 encode the prompts, the projection model joins them, and GPT-2 continues.
        Padding takes up positions in GPT-2, so that the length matters: diffusers and the authors'
        code pad, or cut off, to the length of the prompt that is guided to. That is done here too,
        except that a negative prompt that is longer than it keeps its end.

        Args:
            prompts: at least one.
            prompt: the one that is guided to.
            length: how many of FLAN-T5's tokens they are padded or cut to; if None, as many as
                `prompt` has, or the longest of them where that is more.

        Raises:
            UsageError: a prompt is longer than the text encoders read.
        """
        if length is None:
            length = max(self._t5_length(prompts), self._t5_length([prompt]))
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
        language_model: the backbone's GPT-2, frozen.
        text: FLAN-T5's states of the fixed prompt, shape (1, S, D), and their mask, shape (1, S).
        loa_tokens: how many Language-of-Audio tokens GPT-2 generates.
    """

    def __init__(
        self,
        encoder: VisualEncoder | None,
        aligner: ImageAligner,
        language_model: Any,
        text: tuple[Tensor, Tensor],
        loa_tokens: int = 8,
    ) -> None:
        self.encoder = encoder
        self.aligner = aligner
        self.language_model = language_model
        self.text = text
        self.loa_tokens = loa_tokens

    @classmethod
    def from_backbone(
        cls,
        backbone: Backbone,
        aligner: ImageAligner,
        *,
        encoder: VisualEncoder | None = None,
        prompt: str = PROMPT,
    ) -> Self:
        """Return an extractor of an open backbone's parts; the prompt is encoded now.

        Raises:
            UsageError: the encoder, the aligner and the backbone do not fit one another.
        """
        check_fit(aligner, backbone, encoder)
        text = PromptEncoder(backbone).text([prompt])
        return cls(encoder, aligner, backbone.language_model, text, backbone.loa_tokens)

    @torch.no_grad()
    def embed(self, images: Sequence[Image.Image]) -> Tensor:
        """Return the artworks' unit embeddings, float32, shape (B, E).

        Raises:
            UsageError: there is no encoder.
        """
        if self.encoder is None:
            raise UsageError("images need a visual encoder: give one, or their embeddings")
        return self.encoder.embed(images)

    def loa(self, embeddings: Tensor) -> Tensor:
        """Return the Language-of-Audio tokens of embeddings, shape (B, 8, H), with gradients.

        Args:
            embeddings: shape (B, E).
        """
        tokens = self.aligner(embeddings.to(self.aligner.device))
        return rollout(self.language_model, tokens.to(self.language_model.device), self.loa_tokens)

    def __call__(self, images: Sequence[Image.Image] | Tensor) -> Conditioning:
        """Return what conditions the U-Net.

        Args:
            images: artworks, or their embeddings of shape (B, E).

        Raises:
            ArtsoundError: embeddings are of another shape or not finite.
        """
        embeddings = images if isinstance(images, Tensor) else self.embed(images)
        check_embeddings(embeddings, self.aligner.embedding_dim)
        loa = self.loa(embeddings)
        states, mask = (part.to(loa.device).expand(len(loa), *part.shape[1:]) for part in self.text)
        return Conditioning(loa, states, mask)


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
        raise UsageError(no_room(aligner.tokens, backbone.name, room))
