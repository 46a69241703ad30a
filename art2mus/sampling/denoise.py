"""The reverse diffusion process and what comes after it: from noise to latents, mel and sound."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from art2mus.conditioning import Conditioning
from art2mus.sampling.settings import LONGEST_S
from artsound.errors import UsageError

# Called after each step with its number, its timestep and the latents; returns the latents.
OnStep = Callable[[int, Any, torch.Tensor], torch.Tensor]


def latent_shape(
    duration_s: float, unet: Any, vae: Any, vocoder: Any
) -> tuple[tuple[int, int, int], int]:
    """Return the shape of one latent (channels, time, frequency), and its sound's samples.

    As `AudioLDM2Pipeline` computes it: mel frames enough for the duration, up to a whole number of
    latent frames; 10 s are (8, 250, 16) and 160,000 samples. Where theirs rounds a fraction of a
    frame down, and returns less than was asked for, ours rounds up.

    Raises:
        UsageError: the duration is shorter than one frame of the latent, too long, or no number.
    """
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    rate = int(vocoder.config.sampling_rate)
    hop = math.prod(vocoder.config.upsample_rates)
    shortest = factor * hop / rate
    if not shortest <= duration_s <= LONGEST_S:
        raise UsageError(
            f"duration_s = {duration_s}: give {shortest:g} seconds or more, up to {LONGEST_S:g}"
        )
    samples = round(duration_s * rate)
    latent_frames = math.ceil(samples / (hop * factor))
    bins = int(vocoder.config.model_in_dim) // factor
    return (int(unet.config.in_channels), latent_frames, bins), samples


def denoise(
    unet: Any,
    scheduler: Any,
    noise: torch.Tensor,
    positive: Conditioning,
    negative: Conditioning | None,
    *,
    guidance_scale: float,
    timesteps: torch.Tensor,
    on_step: OnStep,
) -> torch.Tensor:
    """Take latents from noise to music, one pass of the U-Net a step.

    With a negative conditioning each pass carries both branches (classifier-free guidance, Ho and
    Salimans 2022). The latents stay in float32 whatever the U-Net computes in: 200 small updates
    would lose themselves in bfloat16's seven bits.

    Args:
        unet: AudioLDM 2's.
        scheduler: its timesteps are set.
        noise: float32, shape (n, channels, time, frequency), on the U-Net's device.
        positive: of n rows.
        negative: of one row, which counts for all, or of n; None for no guidance.
        guidance_scale: how far to go from the negative towards the positive.
        timesteps: the scheduler's.
        on_step: called after each step.

    Returns:
        The latents, float32, shape as the noise.
    """
    dtype = unet.dtype
    both = positive.to(noise.device, dtype)
    if negative is not None:
        spread = negative.repeat(len(positive)) if len(negative) == 1 else negative
        both = Conditioning.concat([spread.to(noise.device, dtype), both])
    latents: torch.Tensor = noise * scheduler.init_noise_sigma
    for number, timestep in enumerate(timesteps):
        seen = scheduler.scale_model_input(latents, timestep)
        if negative is not None:
            seen = torch.cat([seen, seen])
        predicted = unet(
            seen.to(dtype),
            timestep,
            encoder_hidden_states=both.loa,
            encoder_hidden_states_1=both.text,
            encoder_attention_mask_1=both.text_mask,
            return_dict=False,
        )[0].float()
        if negative is not None:
            away, towards = predicted.chunk(2)
            predicted = away + guidance_scale * (towards - away)
        latents = scheduler.step(predicted, timestep, latents, return_dict=False)[0]
        latents = on_step(number, timestep, latents)
    return latents


def to_mel(latents: torch.Tensor, vae: Any) -> torch.Tensor:
    """Return the log-mel spectrograms of latents, shape (n, frames, bins)."""
    scaled = latents / vae.config.scaling_factor
    if hasattr(vae, "_hf_hook"):  # offloading hooks see calls of `forward` alone
        vae._hf_hook.pre_forward(vae)
    mel: torch.Tensor = vae.decode(scaled.to(vae.dtype), return_dict=False)[0]
    spectrograms: torch.Tensor = mel.squeeze(1)
    return spectrograms


def to_waveforms(mel: torch.Tensor, vocoder: Any, samples: int) -> torch.Tensor:
    """Return the sound of log-mels, float32 on the CPU, shape (n, samples)."""
    sound: torch.Tensor = vocoder(mel.to(vocoder.dtype))
    trimmed: torch.Tensor = sound.reshape(len(mel), -1)[:, :samples].float().cpu()
    return trimmed
