"""Conditioning: equal to diffusers' AudioLDM2Pipeline, and only the aligner learns through it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from art2mus.aligner import ImageAligner
from art2mus.backbone import Backbone
from art2mus.conditioning import (
    NEGATIVE_PROMPT,
    PROMPT,
    Conditioning,
    PromptEncoder,
    VisualConditioningExtractor,
    rollout,
)
from artsound.errors import ArtsoundError, UsageError
from tests.art2mus.tiny_backbone import HIDDEN, TEXT, write_tiny_backbone


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("backbone")
    return write_tiny_backbone(at, language_model="GPT2LMHeadModel")


@pytest.fixture(scope="module")
def backbone(folder: Path) -> Backbone:
    return Backbone.open(folder)


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Any:
    from diffusers import AudioLDM2Pipeline

    loaded: Any = AudioLDM2Pipeline
    return loaded.from_pretrained(folder)


def _uncached(gpt2: Any, tokens: Tensor, steps: int) -> Tensor:
    """Read the whole sequence anew in every step."""
    sequence = tokens
    for _ in range(steps):
        read = gpt2(inputs_embeds=sequence, use_cache=False).last_hidden_state
        sequence = torch.cat([sequence, read[:, -1:]], dim=1)
    return sequence[:, -steps:]


@settings(max_examples=20)
@given(batch=st.integers(1, 3), length=st.integers(1, 18), steps=st.integers(1, 8))
def test_rollout_is_the_uncached_one(
    backbone: Backbone, batch: int, length: int, steps: int
) -> None:
    generator = torch.Generator().manual_seed(length)
    tokens = torch.randn(batch, length, HIDDEN, generator=generator)
    found = rollout(backbone.language_model, tokens, steps)
    assert found.shape == (batch, steps, HIDDEN)
    assert (found - _uncached(backbone.language_model, tokens, steps)).abs().max() < 1e-5


def test_rollout_has_the_uncached_ones_gradient(backbone: Backbone) -> None:
    grads = []
    for roll in (rollout, _uncached):
        tokens = torch.randn(
            2, 6, HIDDEN, generator=torch.Generator().manual_seed(0), dtype=torch.float32
        ).requires_grad_()
        loss: Any = roll(backbone.language_model, tokens, 8).square().mean()
        loss.backward()
        assert tokens.grad is not None
        grads.append(tokens.grad)
    assert (grads[0] - grads[1]).abs().max() < 1e-5 * grads[1].abs().max().clamp(min=1)
    assert grads[0].abs().sum() > 0


def test_rollout_is_diffusers(backbone: Backbone, pipeline: Any) -> None:
    tokens = torch.randn(3, 7, HIDDEN)
    mask = torch.ones(3, 7, dtype=torch.long)
    mask[1, 4:] = 0
    for given_mask in (mask, torch.ones_like(mask)):
        theirs = pipeline.generate_language_model(tokens, 8, attention_mask=given_mask)
        ours = rollout(backbone.language_model, tokens, 8, given_mask)
        assert (ours - theirs).abs().max() < 1e-5
    theirs = pipeline.generate_language_model(tokens, 8)
    assert (rollout(pipeline.language_model, tokens) - theirs).abs().max() < 1e-5


def test_rollout_refuses_training_mode(folder: Path) -> None:
    gpt2 = Backbone.open(folder).language_model.train()
    with pytest.raises(ArtsoundError, match="training mode"):
        rollout(gpt2, torch.randn(1, 2, HIDDEN))


OTHER_PROMPTS = (f"{PROMPT}, in its own style", "Music for this artwork")


@pytest.mark.parametrize("prompt", [PROMPT, *OTHER_PROMPTS])
@pytest.mark.parametrize("negative", [NEGATIVE_PROMPT, "Low quality, noise"])
def test_prompts_are_encoded_as_diffusers_does(
    backbone: Backbone, pipeline: Any, prompt: str, negative: str
) -> None:
    with torch.no_grad():
        text, mask, loa = pipeline.encode_prompt(prompt, "cpu", 1, True, negative_prompt=negative)
    encoder = PromptEncoder(backbone)
    ours = encoder.negative([negative], prompt=prompt)
    assert torch.equal(ours.text_mask, mask[:1])
    assert (ours.text - text[:1]).abs().max() < 1e-5
    assert (ours.loa - loa[:1]).abs().max() < 1e-5
    states, found = encoder.text([prompt])
    assert torch.equal(found, mask[1:])
    assert (states - text[1:]).abs().max() < 1e-5


def test_a_long_negative_prompt_keeps_its_end(backbone: Backbone) -> None:
    encoder = PromptEncoder(backbone)
    short = encoder.negative([PROMPT])
    longer = encoder.negative([f"{PROMPT}, but without drums"])
    assert longer.text.shape[1] > short.text.shape[1]
    cut = encoder.negative([f"{PROMPT}, but without drums"], length=short.text.shape[1])
    assert cut.text.shape == short.text.shape
    with pytest.raises(UsageError, match="reads 96; shorten it"):
        encoder.text(["far too long " * 20])


def test_only_the_aligner_learns(backbone: Backbone) -> None:
    torch.manual_seed(0)
    aligner = ImageAligner(12, 4, HIDDEN, staging_dim=20)
    extractor = VisualConditioningExtractor.from_backbone(backbone, aligner)
    seen = extractor(torch.randn(2, 12))
    assert seen.loa.shape == (2, 8, HIDDEN)
    assert seen.text.shape[::2] == (2, TEXT)
    noise = backbone.unet(
        torch.randn(2, 8, 16, 16),
        torch.tensor([500, 20]),
        encoder_hidden_states=seen.loa,
        encoder_hidden_states_1=seen.text,
        encoder_attention_mask_1=seen.text_mask,
    ).sample
    noise.square().mean().backward()
    # GPT-2 normalises what it reads: a start of equal numbers first learns through the others.
    assert all(held.grad is not None for held in aligner.parameters())
    assert aligner.projection.weight.grad.abs().sum() > 0
    assert aligner.upscaler.weight.grad.abs().sum() > 0
    for part in (backbone.unet, backbone.language_model, backbone.text_encoder_2):
        assert all(held.grad is None for held in part.parameters())


def test_tokens_do_not_depend_on_their_batch(backbone: Backbone) -> None:
    extractor = VisualConditioningExtractor.from_backbone(
        backbone, ImageAligner(12, 4, HIDDEN, staging_dim=20)
    )
    embeddings = torch.randn(3, 12)
    together = extractor.loa(embeddings)
    alone = torch.cat([extractor.loa(one[None]) for one in embeddings])
    assert (together - alone).abs().max() < 1e-5
    assert (together[0] - together[1]).abs().max() > 1e-3


def test_conditionings_are_joined_and_repeated(backbone: Backbone) -> None:
    encoder = PromptEncoder(backbone)
    short, longer = encoder.negative([NEGATIVE_PROMPT]), encoder.negative([f"{PROMPT} with drums"])
    both = Conditioning.concat([short, longer])
    assert len(both) == 2
    assert both.text_mask[0].sum() == short.text_mask.sum()
    assert torch.equal(both.text[0, : short.text.shape[1]], short.text[0])
    twice = both.repeat(2)
    assert torch.equal(twice.loa[:2], short.loa.expand(2, -1, -1))
    half = both.to("cpu", torch.bfloat16)
    assert (half.loa.dtype, half.text_mask.dtype) == (torch.bfloat16, torch.int64)


def test_refuses_what_does_not_fit(backbone: Backbone) -> None:
    with pytest.raises(UsageError, match=r"vectors of 768 numbers, and GPT-2 of .* reads 16"):
        VisualConditioningExtractor.from_backbone(backbone, ImageAligner(12, 4))
    with pytest.raises(UsageError, match=r"tokens = 152: GPT-2 .* has room for 153"):
        VisualConditioningExtractor.from_backbone(
            backbone, ImageAligner(12, 152, HIDDEN, staging_dim=20)
        )
    extractor = VisualConditioningExtractor.from_backbone(
        backbone, ImageAligner(12, 151, HIDDEN, staging_dim=20)
    )
    assert extractor.loa(torch.randn(1, 12)).isfinite().all()
    with pytest.raises(UsageError, match="images need a visual encoder"):
        extractor([])
    with pytest.raises(ArtsoundError, match="not finite"):
        extractor(torch.full((1, 12), torch.nan))
