"""AudioLDM 2 and CLIP of full size with random weights: one place for the benchmarks' sizes.

The sizes are those of the published configurations of `cvssp/audioldm2` (346.9 million parameters
in the U-Net, 55.4 in the VAE, 124.4 in GPT-2, 341.2 in FLAN-T5-large's encoder, 1.2 in the
projection), and of `openai/clip-vit-base-patch32` and `-large-patch14`. The U-Net's
`attention_head_dim` is diffusers' own 8, which its conversion of the checkpoint leaves as it is;
for historical reasons that is the number of heads, in every block. It changes no parameter.
"""

from __future__ import annotations

from typing import Any, Final

from diffusers import (
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AutoencoderKL,
    DDIMScheduler,
)
from transformers import (
    ClapTextConfig,
    ClapTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    GPT2Config,
    GPT2Model,
    T5Config,
    T5EncoderModel,
)

# diffusers' and transformers' constructors are not typed.
_UNet: Any = AudioLDM2UNet2DConditionModel
_VAE: Any = AutoencoderKL
_Projection: Any = AudioLDM2ProjectionModel
_Scheduler: Any = DDIMScheduler
_Clip: Any = CLIPVisionModelWithProjection

HIDDEN: Final = 768  # of GPT-2
TEXT: Final = 1024  # of FLAN-T5-large
HEADS: Final = 8
SCALING_FACTOR: Final = 0.4110932946205139  # of the VAE
_SCHEDULE: Final = {
    "beta_start": 0.0015,
    "beta_end": 0.0195,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def unet() -> Any:
    """Return the U-Net."""
    return _UNet(
        sample_size=None,
        in_channels=8,
        out_channels=8,
        block_out_channels=(128, 256, 384, 640),
        layers_per_block=2,
        attention_head_dim=HEADS,
        cross_attention_dim=([None, HIDDEN, TEXT],) * 4,
        down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * 3),
        up_block_types=(*["CrossAttnUpBlock2D"] * 3, "UpBlock2D"),
    )


def vae() -> Any:
    """Return the VAE."""
    return _VAE(
        in_channels=1,
        out_channels=1,
        latent_channels=8,
        block_out_channels=(128, 256, 512),
        layers_per_block=2,
        norm_num_groups=32,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        sample_size=1024,
        scaling_factor=SCALING_FACTOR,
    )


def gpt2() -> Any:
    """Return the language model, without a head."""
    return GPT2Model(GPT2Config())


def t5() -> Any:
    """Return FLAN-T5-large's encoder."""
    return T5EncoderModel(
        T5Config(
            d_model=TEXT,
            d_kv=64,
            d_ff=2816,
            num_layers=24,
            num_heads=16,
            feed_forward_proj="gated-gelu",
        )
    )


def clap() -> Any:
    """Return CLAP's text tower."""
    return ClapTextModelWithProjection(ClapTextConfig())


def projection() -> Any:
    """Return the projection of both texts' states to GPT-2's."""
    return _Projection(512, TEXT, HIDDEN)


def scheduler() -> Any:
    """Return the DDIM scheduler."""
    return _Scheduler(**_SCHEDULE)


def clip(*, large: bool) -> Any:
    """Return the image tower of CLIP ViT-B/32, or ViT-L/14."""
    size: dict[str, Any] = {"patch_size": 32, "projection_dim": 512}
    if large:
        size = {
            "patch_size": 14,
            "projection_dim": 768,
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
        }
    return _Clip(CLIPVisionConfig(**size))
