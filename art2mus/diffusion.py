"""The training objective (the paper, section 4.4, equations 8 to 11) and an example's randomness.

What is random about an example, its timestep, its noise and where in the VAE's posterior its
latents lie, is a pure function of the seed, the epoch and the row. So it is the same after a
resume, in any order, in any worker and on any number of processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

_LOGVAR_RANGE = (-30.0, 20.0)  # as diffusers' DiagonalGaussianDistribution clamps it


class Stream(IntEnum):
    """Which draws are meant: of training, of where validation stands still, or of what is shown."""

    TRAINING = 0
    VALIDATION = 1
    EMBEDDING = 2
    STAND_IN = 3


@dataclass(frozen=True)
class Draw:
    """What is random about one example.

    Attributes:
        timestep: in 0 .. T - 1, uniform.
        posterior: standard normal, of the latents' shape: picks the latents from the posterior.
        noise: standard normal, of the latents' shape: the epsilon of equation 8.
    """

    timestep: int
    posterior: Tensor
    noise: Tensor


def draw(
    seed: int,
    epoch: int,
    row: int,
    shape: tuple[int, ...],
    timesteps: int = 1000,
    stream: Stream = Stream.TRAINING,
) -> Draw:
    """Return what is random about an example: a pure function of the arguments.

    Args:
        seed: of the training.
        epoch: from 0.
        row: the example's place in its split.
        shape: of the latents, without the batch.
        timesteps: T, how many the diffusion has.
        stream: draws of other streams are independent of these.
    """
    random = _random(stream, seed, epoch, row)
    timestep = int(random.integers(timesteps))
    normal = random.standard_normal((2, *shape), dtype=np.float32)
    return Draw(timestep, torch.from_numpy(normal[0]), torch.from_numpy(normal[1]))


def moved(embedding: Tensor, length: float, seed: int, epoch: int, row: int) -> Tensor:
    """Return an embedding moved by normal noise: a pure function of the arguments.

    An aligner that never sees the same embedding twice cannot learn few artworks by heart.

    Args:
        embedding: of an artwork, [E].
        length: of the noise, as a part of the embedding's own; 0 moves nothing.
        seed: of the training.
        epoch: from 0.
        row: the example's place in its split.
    """
    if length == 0:
        return embedding
    random = _random(Stream.EMBEDDING, seed, epoch, row)
    normal = torch.from_numpy(random.standard_normal(len(embedding), dtype=np.float32))
    part: Tensor = length * embedding.norm() / len(embedding) ** 0.5
    return embedding + part * normal


def stands_in(share: float, seed: int, epoch: int, row: int) -> bool:
    """Return whether an example shows the music's embedding: a pure function of the arguments.

    Args:
        share: of the examples in which it is; none at 0, all at 1.
        seed: of the training.
        epoch: from 0.
        row: the example's place in its split.
    """
    return bool(_random(Stream.STAND_IN, seed, epoch, row).random() < share)


def sample_latents(moments: Tensor, posterior: Tensor, scaling_factor: float) -> Tensor:
    """Return z_0, sampled from the VAE's posterior and scaled for the U-Net.

    Args:
        moments: mean and log-variance, one after the other in the channels, [B, 2C, ...].
        posterior: standard normal, [B, C, ...].
        scaling_factor: of the VAE's configuration.

    Returns:
        Latents of shape [B, C, ...] in float32.
    """
    mean, logvar = moments.float().chunk(2, dim=1)
    deviation = torch.exp(0.5 * logvar.clamp(*_LOGVAR_RANGE))
    return (mean + deviation * posterior.float()) * scaling_factor


def add_noise(latents: Tensor, noise: Tensor, alphas_cumprod: Tensor, timesteps: Tensor) -> Tensor:
    """Return z_t = sqrt(abar_t) z_0 + sqrt(1 - abar_t) epsilon (equation 8), [B, ...]."""
    kept = _at(alphas_cumprod, timesteps, latents)
    return kept.sqrt() * latents + (1 - kept).sqrt() * noise


def signal_to_noise(alphas_cumprod: Tensor, timesteps: Tensor) -> Tensor:
    """Return SNR_t = abar_t / (1 - abar_t) (equation 10), [B]."""
    kept = alphas_cumprod[timesteps].float()
    return kept / (1 - kept)


def min_snr_weight(alphas_cumprod: Tensor, t: Tensor, gamma: float = 5.0) -> Tensor:
    """Return min(SNR_t, gamma) / SNR_t (equation 11), [B].

    It is 1 where the noise prevails and falls towards the clean timesteps. The paper's sentence
    about it says the opposite of its equation; this is the equation, and the 2024 code.
    """
    ratio = signal_to_noise(alphas_cumprod, t)
    return ratio.clamp(max=gamma) / ratio


def noise_loss(
    predicted: Tensor,
    noise: Tensor,
    alphas_cumprod: Tensor,
    timesteps: Tensor,
    gamma: float | None = 5.0,
) -> Tensor:
    """Return each example's weighted loss (equations 9 to 11), [B], in float32.

    The squared norm is divided by the number of elements, as the authors' 2024 code does: a
    constant factor, to which AdamW is indifferent.

    Args:
        predicted: the U-Net's estimate of the noise, [B, ...].
        noise: the noise that was added, [B, ...].
        alphas_cumprod: abar of every timestep, [T].
        timesteps: of each example, [B].
        gamma: where min-SNR caps the ratio; None for the plain loss of equation 9.
    """
    squared = (predicted.float() - noise.float()).square().flatten(1).mean(1)
    if gamma is None:
        return squared
    return squared * min_snr_weight(alphas_cumprod, timesteps, gamma)


def _random(stream: Stream, seed: int, epoch: int, row: int) -> np.random.Generator:
    sequence = np.random.SeedSequence((int(stream), seed, epoch, row))
    return np.random.Generator(np.random.Philox(sequence))


def _at(values: Tensor, timesteps: Tensor, like: Tensor) -> Tensor:
    """Return the values at the timesteps, in a shape that broadcasts over a batch like `like`."""
    return values[timesteps].to(like.dtype).view(-1, *[1] * (like.ndim - 1))
