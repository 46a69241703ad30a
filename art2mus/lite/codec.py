"""The toy prior's codec: log-mel spectrograms to latents and back, by an orthonormal transform.

It stands in the place of AudioLDM 2's VAE and has its interface and its shapes: 8 channels, a
quarter of the frames and of the bins. The transform is a PCA of patches of 4 x 4 values, fitted in
closed form (Pearson 1901), so it is made in a moment and keeps the most that 8 numbers can.

Components are brought half-way to the same variance (they are divided by the square root of their
deviation): as they are, the finest would drown in noise until a sampler's last steps.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput, DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor

PATCH: Final = 4
_CERTAIN: Final = -30.0  # the log-variance at which diffusers' distributions bottom out


class PatchCodec(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Encodes log-mel spectrograms into latents of a quarter of their size and decodes them.

    Args:
        latent_channels: how many of a patch's 16 components are kept.
        mel_bins: of the spectrogram; a multiple of 4.
        scaling_factor: latents times this have a variance of 1, as with diffusers' VAEs.
        block_out_channels: only its length says something: pipelines take a factor of 2 in size for
            each after the first.
    """

    mean: Tensor
    components: Tensor
    spread: Tensor

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        latent_channels: int = 8,
        mel_bins: int = 64,
        scaling_factor: float = 1.0,
        block_out_channels: tuple[int, ...] = (1, 1, 1),
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.register_buffer("mean", torch.zeros(mel_bins))
        self.register_buffer("components", torch.eye(PATCH * PATCH)[:latent_channels])
        self.register_buffer("spread", torch.ones(latent_channels))

    @classmethod
    def fit(cls, mels: Tensor, latent_channels: int = 8) -> PatchCodec:
        """Return the codec that loses least of these spectrograms.

        Args:
            mels: log-mel spectrograms, [n, frames, bins]; both sizes multiples of 4.
            latent_channels: how many components to keep.
        """
        bins = mels.shape[-1]
        mean = mels.double().mean((0, 1))
        patches = _patches((mels.double() - mean)[:, None]).movedim(1, -1).flatten(0, -2)
        variances, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        kept = vectors.T.flip(0)[:latent_channels]
        # An eigenvector's sign is free: its largest entry is made positive.
        largest = kept.gather(1, kept.abs().argmax(1, keepdim=True))
        deviation = variances.flip(0)[:latent_channels].clamp_min(1e-12).sqrt()
        # What is divided by the root of its deviation has the deviation for a variance.
        factor = 1 / float(deviation.mean().sqrt())
        codec: PatchCodec = cls(latent_channels, bins, scaling_factor=round(factor, 6))
        codec.mean.copy_(mean)
        codec.components.copy_(kept * largest.sign())
        codec.spread.copy_(deviation.sqrt())
        return codec

    def encode(self, x: Tensor, return_dict: bool = True) -> Any:
        """Encode log-mel spectrograms.

        Args:
            x: [B, 1, frames, bins]; frames a multiple of 4.
            return_dict: return diffusers' `AutoencoderKLOutput`, else a tuple.

        Returns:
            A distribution without spread, in `latent_dist`: its mean is [B, C, frames/4, bins/4].

        Raises:
            ValueError: the frames are no multiple of 4.
        """
        if x.shape[2] % PATCH:
            raise ValueError(f"{x.shape[2]} frames: the patch codec needs a multiple of {PATCH}")
        latents = torch.einsum("cp,bpth->bcth", self._analysis(), _patches(x - self.mean))
        moments = torch.cat([latents, torch.full_like(latents, _CERTAIN)], dim=1)
        distribution = DiagonalGaussianDistribution(moments)
        return AutoencoderKLOutput(distribution) if return_dict else (distribution,)

    def decode(self, z: Tensor, return_dict: bool = True, generator: object = None) -> Any:
        """Decode latents [B, C, T, H] into log-mel spectrograms [B, 1, 4 T, 4 H], in `sample`.

        `generator` is there because pipelines pass one; nothing here is random.
        """
        patches = torch.einsum("cp,bcth->bpth", self.components * self.spread[:, None], z)
        batch, _, time, height = patches.shape
        tiles = patches.view(batch, PATCH, PATCH, time, height).permute(0, 3, 1, 4, 2)
        mel = tiles.reshape(batch, 1, time * PATCH, height * PATCH) + self.mean
        return DecoderOutput(sample=mel) if return_dict else (mel,)

    def _analysis(self) -> Tensor:
        return self.components / self.spread[:, None]

    def forward(self, sample: Tensor, return_dict: bool = True) -> Any:
        """Encode and decode spectrograms [B, 1, frames, bins]."""
        return self.decode(self.encode(sample).latent_dist.mode(), return_dict)


def _patches(mels: Tensor) -> Tensor:
    """Return the patches of [B, 1, T, H] as channels: [B, 16, T/4, H/4]."""
    return torch.nn.functional.pixel_unshuffle(mels, PATCH)
