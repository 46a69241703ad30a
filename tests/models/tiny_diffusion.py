"""A tiny Stable Diffusion 3 pipeline with random weights, in diffusers' own layout on disk."""

from __future__ import annotations

from pathlib import Path
from string import ascii_lowercase
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)


def write_tiny_stable_diffusion_3(folder: Path, seed: int = 0) -> Path:
    """Write the pipeline; it draws 32 x 32 pixels of coloured noise that depend on the prompt.

    The weights come from `seed`.
    """
    torch.manual_seed(seed)
    clip_config = CLIPTextConfig(
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        vocab_size=100,
        projection_dim=32,
        max_position_embeddings=77,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    letters = [f"{letter}{end}" for letter in ascii_lowercase for end in ("", "</w>")]
    clip_vocabulary = {
        token: number for number, token in enumerate(["<|startoftext|>", "<|endoftext|>", *letters])
    }
    t5_pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    t5_pieces += [(piece, -2.0) for piece in ("\u2581", *ascii_lowercase)]
    pipeline: Any = StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=32,
            patch_size=1,
            in_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=4,
            caption_projection_dim=32,
            joint_attention_dim=64,
            pooled_projection_dim=64,
            out_channels=4,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=AutoencoderKL(
            sample_size=32,
            in_channels=3,
            out_channels=3,
            block_out_channels=(4,),
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=1,
            use_quant_conv=False,
            use_post_quant_conv=False,
            shift_factor=0.0609,
            scaling_factor=1.5035,
        ),
        text_encoder=CLIPTextModelWithProjection(clip_config),
        tokenizer=CLIPTokenizer(vocab=clip_vocabulary, merges=[], model_max_length=77),
        text_encoder_2=CLIPTextModelWithProjection(clip_config),
        tokenizer_2=CLIPTokenizer(vocab=clip_vocabulary, merges=[], model_max_length=77),
        text_encoder_3=T5EncoderModel(
            T5Config(vocab_size=64, d_model=64, d_kv=8, d_ff=37, num_layers=1, num_heads=4)
        ),
        tokenizer_3=T5Tokenizer(vocab=t5_pieces, extra_ids=0),
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder
