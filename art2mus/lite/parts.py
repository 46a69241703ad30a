"""The toy prior's networks: every part that AudioLDM 2 has, made small, with seeded weights."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Any, Final

import torch
from diffusers import AudioLDM2ProjectionModel, AudioLDM2UNet2DConditionModel, DDIMScheduler
from transformers import (
    ClapAudioConfig,
    ClapConfig,
    ClapModel,
    ClapTextConfig,
    GPT2Config,
    GPT2Model,
    RobertaTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

HIDDEN: Final = 64  # of GPT-2 and of the Language of Audio; 768 in AudioLDM 2
TEXT: Final = 32  # of T5; 1024
CLAP: Final = 32  # of CLAP's projection; 512
LATENT_CHANNELS: Final = 8
LATENT_FRAMES: Final = 256  # 10.24 s
LOA_TOKENS: Final = 8

# The annotations of these are incomplete.
_Unet: Any = AudioLDM2UNet2DConditionModel
_Projection: Any = AudioLDM2ProjectionModel
_Scheduler: Any = DDIMScheduler

_CHARACTERS: Final = string.ascii_letters + string.digits + ".,;:!?-'\"()&/"
_TOKENS: Final = 128  # a prompt's longest


@dataclass(frozen=True)
class Parts:
    """What a backbone is made of, besides codec and vocoder.

    Attributes:
        unet: the denoiser; trained.
        language_model: GPT-2, which writes the Language of Audio; trained.
        text_encoder_2: T5; random and frozen, as are the next two.
        text_encoder: CLAP.
        projection_model: from CLAP's and T5's spaces to GPT-2's.
        tokenizer: CLAP's, of characters.
        tokenizer_2: T5's, likewise.
        scheduler: AudioLDM 2's noise schedule.
    """

    unet: Any
    language_model: Any
    text_encoder_2: Any
    text_encoder: Any
    projection_model: Any
    tokenizer: Any
    tokenizer_2: Any
    scheduler: Any


def make_parts(seed: int) -> Parts:
    """Return the parts with first weights out of `seed`; the global random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Parts(
            unet=_unet(),
            language_model=_gpt2(),
            text_encoder_2=_t5(),
            text_encoder=_clap(),
            projection_model=_Projection(CLAP, TEXT, HIDDEN),
            tokenizer=_clap_tokenizer(),
            tokenizer_2=_t5_tokenizer(),
            scheduler=_scheduler(),
        )


def _unet() -> Any:
    # Attention over a full-size latent's 4,096 places would cost more than all the rest: only the
    # lowest level and the middle have it.
    down = ("DownBlock2D", "DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D")
    unet = _Unet(
        sample_size=LATENT_FRAMES,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(2 * LATENT_CHANNELS, 32, 64, 96),
        layers_per_block=1,
        # Each group is scaled by a variance estimated from its numbers. With more groups, and so
        # fewer numbers, that errs by more than a condition can tell about the noise.
        norm_num_groups=1,
        attention_head_dim=4,
        cross_attention_dim=([None, HIDDEN, TEXT],) * 4,
        down_block_types=down,
        up_block_types=tuple(name.replace("Down", "Up") for name in reversed(down)),
    )
    _start_as_identity(unet)
    return unet


@torch.no_grad()
def _start_as_identity(unet: Any) -> None:
    """Let a U-Net's first answer be its input, brought to a variance of 1: its guess at the noise.

    At most timesteps that is nearly right, and what is left to learn is what the music is. A small
    U-Net with random weights takes thousands of steps to learn to copy, and until then its errors
    drown all that a condition could tell it. Of the uppermost level's channels two hold each of the
    latent's, once as it is and once negated, since silu(x) - silu(-x) = x.
    """
    middle = 1  # of a 3 x 3 kernel
    last = unet.up_blocks[-1].resnets[-1]
    channels = last.out_channels
    for weights in (unet.conv_in, unet.conv_out, last.conv_shortcut, last.conv2):
        weights.weight.zero_()
        weights.bias.zero_()
    for channel in range(LATENT_CHANNELS):
        for place, sign in ((2 * channel, 1.0), (2 * channel + 1, -1.0)):
            unet.conv_in.weight[place, channel, middle, middle] = sign
            unet.conv_out.weight[channel, place, middle, middle] = sign
    # The last block reads what lies below it and, past that, the uppermost level's first features.
    last.conv_shortcut.weight[:, channels:, 0, 0] = torch.eye(channels)


def _gpt2() -> GPT2Model:
    config: Any = GPT2Config
    return GPT2Model(
        config(
            vocab_size=32,
            n_positions=2 * _TOKENS + 64,
            n_embd=HIDDEN,
            n_layer=2,
            n_head=4,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            max_new_tokens=LOA_TOKENS,
            initializer_range=0.1,
            # The ids of the real vocabulary would lie outside this one.
            bos_token_id=0,
            eos_token_id=0,
        )
    )


def _t5() -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=128,
            d_model=TEXT,
            d_kv=8,
            d_ff=64,
            num_layers=2,
            num_heads=4,
            feed_forward_proj="gated-gelu",
        )
    )


def _clap() -> ClapModel:
    text = ClapTextConfig(
        vocab_size=128,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=_TOKENS + 2,
        projection_dim=CLAP,
    )
    # The audio half is part of the layout; the toy prior ranks nothing by it.
    audio = ClapAudioConfig(
        spec_size=64,
        num_mel_bins=64,
        patch_embeds_hidden_size=8,
        hidden_size=16,
        depths=[1, 1],
        num_attention_heads=[2, 2],
        num_hidden_layers=2,
        window_size=4,
        projection_dim=CLAP,
    )
    return ClapModel(
        ClapConfig(text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=CLAP)
    )


def _clap_tokenizer() -> RobertaTokenizer:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "\u0120", *_CHARACTERS]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return RobertaTokenizer(vocab=vocabulary, merges=[], model_max_length=_TOKENS)


def _t5_tokenizer() -> T5Tokenizer:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0)]
    pieces += [(character, -3.0) for character in _CHARACTERS]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=_TOKENS)


def _scheduler() -> Any:
    return _Scheduler(
        num_train_timesteps=1000,
        beta_start=0.0015,
        beta_end=0.0195,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="epsilon",
    )
