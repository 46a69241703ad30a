"""The patch codec: an orthonormal transform with the VAE's interface."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from art2mus.lite.codec import PatchCodec


def _mels(seed: int, *, count: int = 3, frames: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    smooth = torch.randn(count, 1, frames // 8, 8, generator=generator)
    mels = torch.nn.functional.interpolate(smooth, (frames, 64), mode="bilinear")[:, 0]
    return 2 * mels + 0.1 * torch.randn(count, frames, 64, generator=generator) - 4


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), channels=st.integers(1, 16))
def test_components_are_orthonormal(seed: int, channels: int) -> None:
    codec = PatchCodec.fit(_mels(seed), channels)
    product = codec.components @ codec.components.T
    torch.testing.assert_close(product, torch.eye(channels), atol=1e-5, rtol=0)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), quarters=st.integers(1, 20))
def test_sixteen_components_lose_nothing(seed: int, quarters: int) -> None:
    codec = PatchCodec.fit(_mels(seed), 16)
    mel = _mels(seed + 1, count=2, frames=4 * quarters if quarters > 1 else 8)[:, None]
    latents = codec.encode(mel).latent_dist.mode()
    torch.testing.assert_close(codec.decode(latents).sample, mel, atol=1e-4, rtol=0)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_a_decoded_latent_encodes_to_itself(seed: int) -> None:
    codec = PatchCodec.fit(_mels(0))
    latents = torch.randn(2, 8, 5, 16, generator=torch.Generator().manual_seed(seed))
    again = codec.encode(codec.decode(latents).sample).latent_dist.mode()
    torch.testing.assert_close(again, latents, atol=1e-4, rtol=0)


def test_what_is_lost_is_what_the_dropped_components_held() -> None:
    mels = _mels(5, count=8)
    codec = PatchCodec.fit(mels, 4)
    whole = PatchCodec.fit(mels, 16)
    torch.testing.assert_close(codec.components, whole.components[:4], atol=1e-5, rtol=0)
    lost = (codec(mels[:, None]).sample[:, 0] - mels).square().sum()
    latents = whole.encode(mels[:, None]).latent_dist.mode()
    dropped = (latents * whole.spread[:, None, None])[:, 4:].square().sum()
    torch.testing.assert_close(lost, dropped, rtol=1e-3, atol=1e-3)


def test_it_is_shaped_and_scaled_as_the_vae_is() -> None:
    mels = _mels(2, count=8, frames=64)
    codec = PatchCodec.fit(mels)
    posterior = codec.encode(mels[:, None]).latent_dist
    assert posterior.parameters.shape == (8, 16, 16, 16)
    sampled = posterior.sample(torch.Generator().manual_seed(0))
    torch.testing.assert_close(sampled, posterior.mean, atol=1e-5, rtol=0)
    scaled = posterior.mean * codec.config.scaling_factor
    assert float(scaled.square().mean()) == pytest.approx(1.0, abs=1e-3)
    assert 2 ** (len(codec.config.block_out_channels) - 1) == 4


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    codec = PatchCodec.fit(_mels(1))
    codec.save_pretrained(tmp_path)
    loaded = PatchCodec.from_pretrained(tmp_path)
    mel = _mels(7)[:, None]
    assert torch.equal(loaded(mel).sample, codec(mel).sample)
    assert loaded.config.scaling_factor == codec.config.scaling_factor


def test_frames_that_do_not_fit_are_refused() -> None:
    codec = PatchCodec.fit(_mels(1))
    with pytest.raises(ValueError, match="30 frames: the patch codec needs a multiple of 4"):
        codec.encode(torch.zeros(1, 1, 30, 64))
