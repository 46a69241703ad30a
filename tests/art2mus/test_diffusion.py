"""The objective against the paper's equations, and one whole training step against a plain loop."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import training_utils
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from art2mus.aligner import ImageAligner
from art2mus.backbone import Backbone
from art2mus.conditioning import PromptEncoder
from art2mus.diffusion import (
    Stream,
    add_noise,
    draw,
    min_snr_weight,
    moved,
    noise_loss,
    sample_latents,
)
from art2mus.training.objective import Guidance, Objective, padding
from tests.art2mus.tiny_backbone import write_tiny_backbone
from tests.art2mus.training_parts import (
    PROMPT,
    SHAPE,
    batch_of,
    objective_of,
    plain_rollout,
    taught_prior,
)

_compute_snr: Any = training_utils.compute_snr  # it is not typed


def _backward(loss: Tensor) -> None:
    loss.backward()  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_backbone(tmp_path_factory.mktemp("backbone"))


@pytest.fixture
def backbone(folder: Path) -> Backbone:
    return Backbone.open(folder)


def test_min_snr_weight_is_equation_11_at_every_timestep(backbone: Backbone) -> None:
    scheduler = backbone.scheduler
    timesteps = torch.arange(1000)
    weight = min_snr_weight(scheduler.alphas_cumprod, timesteps)
    for t in range(1000):
        snr = float(scheduler.alphas_cumprod[t]) / (1 - float(scheduler.alphas_cumprod[t]))
        assert float(weight[t]) == pytest.approx(min(snr, 5.0) / snr, rel=2e-5)
    # AudioLDM 2's schedule: clean timesteps count least, and all from t = 95 up count in full.
    assert weight[0] == pytest.approx(0.0075, abs=1e-4)
    assert (weight[95:] == 1).all()
    assert (weight[:95] < 1).all()
    assert (weight.diff() >= 0).all()
    snr = _compute_snr(scheduler, timesteps)
    assert torch.allclose(weight, snr.clamp(max=5) / snr)


@settings(max_examples=50)
@given(
    gamma=st.floats(0.1, 50),
    kept=st.lists(st.floats(1e-4, 1 - 1e-4), min_size=1, max_size=8),
)
def test_min_snr_weight_is_at_most_one_and_caps_the_ratio(gamma: float, kept: list[float]) -> None:
    alphas = torch.tensor(kept, dtype=torch.float32)
    weight = min_snr_weight(alphas, torch.arange(len(kept)), gamma)
    ratio = alphas / (1 - alphas)
    assert ((weight > 0) & (weight <= 1)).all()
    assert (weight * ratio <= gamma * (1 + 1e-5)).all()


def test_noise_is_added_as_diffusers_adds_it(backbone: Backbone) -> None:
    scheduler = backbone.scheduler
    torch.manual_seed(0)
    latents, noise = torch.randn(2, 6, *SHAPE)
    timesteps = torch.tensor([0, 1, 94, 500, 998, 999])
    ours = add_noise(latents, noise, scheduler.alphas_cumprod, timesteps)
    assert torch.equal(ours, scheduler.add_noise(latents, noise, timesteps))


def test_latents_are_those_of_the_vae(backbone: Backbone) -> None:
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

    torch.manual_seed(0)
    moments = torch.randn(3, 16, 8, 4) * 20
    posterior = torch.randn(3, 8, 8, 4)
    scaling = backbone.vae.config.scaling_factor
    theirs = DiagonalGaussianDistribution(moments)
    expected = (theirs.mean + theirs.std * posterior) * scaling
    assert torch.allclose(sample_latents(moments, posterior, scaling), expected)
    with torch.no_grad():
        mel = torch.randn(1, 1, 64, 64)
        encoded = backbone.vae.encode(mel).latent_dist
    ours = sample_latents(encoded.parameters, torch.zeros_like(encoded.mean), scaling)
    assert torch.equal(ours, encoded.mode() * scaling)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 10_000),
    row=st.integers(0, 1_000_000),
)
def test_a_draw_is_a_pure_function_of_seed_epoch_and_row(seed: int, epoch: int, row: int) -> None:
    first, again = draw(seed, epoch, row, (4, 6, 2)), draw(seed, epoch, row, (4, 6, 2))
    assert first.timestep == again.timestep
    assert torch.equal(first.noise, again.noise)
    assert torch.equal(first.posterior, again.posterior)
    assert 0 <= first.timestep < 1000
    others = (
        draw(seed, epoch + 1, row, (4, 6, 2)),
        draw(seed, epoch, row + 1, (4, 6, 2)),
        draw(seed, epoch, row, (4, 6, 2), stream=Stream.VALIDATION),
    )
    assert all(not torch.equal(first.noise, other.noise) for other in others)
    assert not torch.equal(first.noise, first.posterior)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 10_000),
    row=st.integers(0, 1_000_000),
    length=st.floats(0.01, 2),
)
def test_an_embedding_is_moved_by_the_same_noise_for_the_same_example(
    seed: int, epoch: int, row: int, length: float
) -> None:
    embedding = torch.linspace(-1, 2, 64)
    found = moved(embedding, length, seed, epoch, row)
    assert torch.equal(found, moved(embedding, length, seed, epoch, row))
    assert not torch.equal(found, moved(embedding, length, seed, epoch + 1, row))
    assert not torch.equal(found, moved(embedding, length, seed, epoch, row + 1))
    assert torch.equal(embedding, moved(embedding, 0.0, seed, epoch, row))


def test_embeddings_are_moved_by_a_part_of_their_length_in_any_direction() -> None:
    embedding = torch.linspace(-1, 2, 4096)
    steps = torch.stack([moved(embedding, 0.3, 0, 0, row) - embedding for row in range(50)])
    lengths = steps.norm(dim=1) / embedding.norm()
    assert torch.allclose(lengths, torch.tensor(0.3), atol=0.02)
    assert steps.mean(0).norm() / embedding.norm() < 0.06


def test_draws_are_uniform_in_time_and_standard_normal() -> None:
    drawn = [draw(7, epoch, row, (8, 4, 4)) for epoch in range(4) for row in range(500)]
    timesteps = torch.tensor([one.timestep for one in drawn]).double()
    noise = torch.stack([one.noise for one in drawn]).double()
    assert timesteps.mean() == pytest.approx(499.5, abs=4 * 288.7 / math.sqrt(2000))
    assert timesteps.min() < 5
    assert timesteps.max() > 994
    assert noise.mean().abs() < 4 / math.sqrt(noise.numel())
    assert noise.std() == pytest.approx(1.0, abs=0.01)
    # Rows, epochs and the two tensors of a draw do not go together.
    across = torch.corrcoef(noise.flatten(1)[:200])
    assert (across - torch.eye(200)).abs().max() < 0.5


def plain_step(
    backbone: Backbone, aligner: ImageAligner, moments: Tensor, embeddings: Tensor, rows: list[int]
) -> Tensor:
    """Equations 8 to 11, example by example, in numbers that one can follow."""
    states, mask = PromptEncoder(backbone).text([PROMPT])
    scaling = backbone.vae.config.scaling_factor
    losses = []
    for place, row in enumerate(rows):
        drawn = draw(3, 2, row, SHAPE)
        abar = backbone.scheduler.alphas_cumprod[drawn.timestep]
        mean, logvar = moments[place, :8], moments[place, 8:]
        z_0 = (mean + torch.exp(logvar / 2) * drawn.posterior) * scaling
        z_t = torch.sqrt(abar) * z_0 + torch.sqrt(1 - abar) * drawn.noise
        tokens = aligner(embeddings[place : place + 1])
        loa = plain_rollout(backbone.language_model, tokens, 8)
        predicted = backbone.unet(
            z_t[None],
            torch.tensor([drawn.timestep]),
            encoder_hidden_states=loa,
            encoder_hidden_states_1=states,
            encoder_attention_mask_1=mask,
        ).sample[0]
        snr = abar / (1 - abar)
        mse = ((drawn.noise - predicted) ** 2).sum() / predicted.numel()
        losses.append(min(snr, torch.tensor(5.0)) / snr * mse)
    return torch.stack(losses)


def test_one_training_step_is_a_plain_loop_over_the_equations(backbone: Backbone) -> None:
    rows = [4, 0, 9]
    batch = batch_of(rows, seed=3, epoch=2)
    aligners = []
    for _ in range(2):
        torch.manual_seed(1)
        aligners.append(ImageAligner(20, 3, backbone.hidden_dim, staging_dim=24))
    theirs, ours = aligners
    optimizers = [torch.optim.AdamW(one.parameters(), lr=1e-2) for one in aligners]
    expected = plain_step(backbone, theirs, batch["moments"], batch["embedding"], rows)
    losses = objective_of(backbone)(ours, batch)
    assert torch.allclose(losses, expected, rtol=1e-5, atol=1e-6)
    for loss, optimizer in ((expected, optimizers[0]), (losses, optimizers[1])):
        _backward(loss.mean())
        optimizer.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert mine.grad is not None
        assert other.grad is not None
        assert mine.grad.abs().max() > 0
        assert torch.allclose(mine.grad, other.grad, rtol=1e-4, atol=1e-7)
    # AdamW divides by the gradient's size, so weights with next to no gradient may go either way.
    settled = [other.grad.abs() > 1e-6 for other in theirs.parameters() if other.grad is not None]
    for mine, other, where in zip(ours.parameters(), theirs.parameters(), settled, strict=True):
        assert torch.allclose(mine[where], other[where], atol=1e-5)
    frozen = [*backbone.unet.parameters(), *backbone.language_model.parameters()]
    assert all(parameter.grad is None for parameter in frozen)


def test_guidance_in_the_loss_needs_no_gradient_of_the_unconditional_branch(
    backbone: Backbone,
) -> None:
    """The 2024 code guides inside the loss; its unconditional branch adds nothing to a gradient."""
    negative = PromptEncoder(backbone).negative(["Low quality"])
    guidance = Guidance(3.5, negative, padding(negative.text_mask))
    plain = objective_of(backbone)
    batch = batch_of([1, 2], seed=3, epoch=2)
    torch.manual_seed(1)
    aligner = ImageAligner(20, 3, backbone.hidden_dim, staging_dim=24)
    losses = objective_of(backbone, guidance=guidance)(aligner, batch)
    _backward(losses.mean())
    ours = _flat_gradient(aligner)
    aligner.zero_grad()
    loa = plain_rollout(backbone.language_model, aligner(batch["embedding"]), 8)
    noisy, timesteps = plain.noisy(batch), batch["timestep"]
    both = backbone.unet(
        torch.cat([noisy, noisy]),
        torch.cat([timesteps, timesteps]),
        encoder_hidden_states=torch.cat([negative.loa.expand(2, -1, -1), loa]),
        encoder_hidden_states_1=torch.cat(
            [negative.text.expand(2, -1, -1), plain.text.expand(2, -1, -1)]
        ),
        encoder_attention_mask_1=torch.cat(
            [negative.text_mask.expand(2, -1), torch.ones(2, plain.text.shape[1])]
        ),
    ).sample
    away, towards = both.chunk(2)
    guided = away + 3.5 * (towards - away)
    expected = noise_loss(guided, batch["noise"], plain.alphas_cumprod, timesteps)
    assert torch.allclose(losses, expected, rtol=1e-4)
    _backward(expected.mean())
    assert torch.allclose(ours, _flat_gradient(aligner), rtol=1e-3, atol=1e-6)


def test_bf16_gradients_point_where_fp32_ones_do(backbone: Backbone) -> None:
    torch.manual_seed(1)
    aligner = ImageAligner(20, 3, backbone.hidden_dim, staging_dim=24)
    batch = batch_of(list(range(6)), seed=3, epoch=2)
    gradients = []
    for dtype in (torch.float32, torch.bfloat16):
        aligner.zero_grad()
        objective = objective_of(backbone, dtype=dtype)
        assert objective.dtype == dtype
        losses = objective(aligner, batch)
        assert losses.dtype == torch.float32
        _backward(losses.mean())
        gradients.append(_flat_gradient(aligner))
    cosine = torch.nn.functional.cosine_similarity(gradients[0], gradients[1], dim=0)
    assert cosine > 0.99


def test_gradient_checkpointing_changes_nothing(backbone: Backbone) -> None:
    """With no mask of the text, that is: with one, diffusers mixes the arguments up."""
    torch.manual_seed(1)
    aligner = ImageAligner(20, 3, backbone.hidden_dim, staging_dim=24)
    batch = batch_of([1, 2], seed=3, epoch=2)
    objective: Objective = objective_of(backbone)
    unet: Any = objective.unet
    gradients = []
    for checkpointing in (False, True):
        aligner.zero_grad()
        if checkpointing:
            unet.enable_gradient_checkpointing()
        _backward(objective(aligner, batch).mean())
        gradients.append(_flat_gradient(aligner))
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-5, atol=1e-8)


def _flat_gradient(module: torch.nn.Module) -> Tensor:
    gradients = [one.grad.flatten() for one in module.parameters() if one.grad is not None]
    return torch.cat(gradients).clone()


@pytest.mark.slow  # half a minute of teaching
def test_training_teaches_the_aligner(tmp_path: Path) -> None:
    """A U-Net that knows two latents by their tokens, frozen; then the aligner finds the tokens.

    A wholly random prior shows nothing: its prediction hardly depends on what conditions it.
    """
    prior = taught_prior(tmp_path)
    torch.manual_seed(0)
    aligner = ImageAligner(20, 3, 16, staging_dim=24)
    optimizer = torch.optim.AdamW(aligner.parameters(), lr=5e-3)
    before = prior.loss(aligner, swapped=False)
    for step in range(30):
        optimizer.zero_grad()
        _backward(prior.objective(aligner, prior.batch(step)).mean())
        optimizer.step()
    after, swapped = prior.loss(aligner, swapped=False), prior.loss(aligner, swapped=True)
    assert after < before / 5  # what is left is what the U-Net itself has not learned
    assert swapped > 10 * after
