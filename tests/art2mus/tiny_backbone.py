"""A tiny AudioLDM 2 with random weights, in the official layout on disk."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any, Final, Literal

import torch
from diffusers import (
    AudioLDM2Pipeline,
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AutoencoderKL,
    DDIMScheduler,
)
from transformers import (
    ClapAudioConfig,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Model,
    RobertaTokenizer,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

HIDDEN: Final = 16  # 768 in the real one
TEXT: Final = 24  # 1024
CLAP: Final = 12  # 512

_CHARACTERS: Final = string.ascii_letters + string.digits + ".,-'"


def write_tiny_backbone(
    folder: Path,
    *,
    seed: int = 0,
    language_model: Literal["GPT2Model", "GPT2LMHeadModel"] = "GPT2Model",
) -> Path:
    """Write the backbone: real shapes in latent and mel space, a few thousand weights.

    Latents have 8 channels and a quarter of the mel's 64 bins, sound is 16 kHz at 160 samples a mel
    frame, and the scheduler is AudioLDM 2's. The weights come from `seed`; the same seed gives the
    same GPT-2 under either class.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pipeline = _pipeline(language_model)
        pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def _pipeline(language_model: str) -> Any:
    lm_head = GPT2LMHeadModel(
        _make(
            GPT2Config,
            vocab_size=32,
            n_positions=160,
            n_embd=HIDDEN,
            n_layer=2,
            n_head=2,
            max_new_tokens=8,
            # Large enough that what goes in can be told from what comes out.
            initializer_range=0.2,
            # The ids of the real vocabulary would lie outside this one.
            bos_token_id=0,
            eos_token_id=0,
        )
    )
    unet = _make(
        AudioLDM2UNet2DConditionModel,
        sample_size=None,
        in_channels=8,
        out_channels=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=([None, HIDDEN, TEXT],) * 2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    vae = _make(
        AutoencoderKL,
        in_channels=1,
        out_channels=1,
        latent_channels=8,
        block_out_channels=(4, 4, 8),
        layers_per_block=1,
        norm_num_groups=2,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        sample_size=1024,
        scaling_factor=0.41,
    )
    return _make(
        AudioLDM2Pipeline,
        unet=unet,
        vae=vae,
        vocoder=_vocoder(),
        language_model=lm_head if language_model == "GPT2LMHeadModel" else _base(lm_head),
        text_encoder=_clap(),
        tokenizer=_clap_tokenizer(),
        text_encoder_2=T5EncoderModel(
            T5Config(
                vocab_size=128,
                d_model=TEXT,
                d_kv=6,
                d_ff=32,
                num_layers=2,
                num_heads=4,
                feed_forward_proj="gated-gelu",
            )
        ),
        tokenizer_2=T5Tokenizer(
            vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0)]
            + [(character, -3.0) for character in _CHARACTERS],
            extra_ids=0,
            model_max_length=96,
        ),
        projection_model=_make(
            AudioLDM2ProjectionModel,
            text_encoder_dim=CLAP,
            text_encoder_1_dim=TEXT,
            langauge_model_dim=HIDDEN,
        ),
        feature_extractor=ClapFeatureExtractor(),
        scheduler=_make(
            DDIMScheduler,
            num_train_timesteps=1000,
            beta_start=0.0015,
            beta_end=0.0195,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
            prediction_type="epsilon",
        ),
    )


def _make(kind: Any, **settings: Any) -> Any:
    """Make an object of a class that is not annotated, or not in full."""
    return kind(**settings)


def _base(lm_head: GPT2LMHeadModel) -> GPT2Model:
    base: GPT2Model = lm_head.transformer
    return base


def _vocoder() -> SpeechT5HifiGan:
    return SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=64,
            sampling_rate=16000,
            upsample_initial_channel=32,
            upsample_rates=[5, 4, 2, 2, 2],
            upsample_kernel_sizes=[15, 8, 4, 4, 4],
            resblock_kernel_sizes=[3],
            resblock_dilation_sizes=[[1]],
            normalize_before=False,
            initializer_range=0.2,  # the default would be heard as silence
        )
    )


def _clap() -> ClapModel:
    text = ClapTextConfig(
        vocab_size=128,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=98,
        projection_dim=CLAP,
    )
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
        ClapConfig(
            text_config=text.to_dict(),
            audio_config=audio.to_dict(),
            projection_dim=CLAP,
        )
    )


def _clap_tokenizer() -> RobertaTokenizer:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "\u0120", *_CHARACTERS]
    return RobertaTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)},
        merges=[],
        model_max_length=96,
    )
