"""A tiny MusicGen with random weights, in the official layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    EncodecConfig,
    EncodecModel,
    GenerationConfig,
    MusicgenConfig,
    MusicgenForConditionalGeneration,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)
from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig
from transformers.models.musicgen.modeling_musicgen import MusicgenForCausalLM

BOOKS = 4
CODES = 16


def write_tiny_musicgen(folder: Path, *, seed: int = 0) -> Path:
    """Write the model: MusicGen's four codebooks at 50 frames a second, 32 kHz, small inside."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        text: Any = T5EncoderModel(
            T5Config(vocab_size=128, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
        )
        codec: Any = EncodecModel(
            EncodecConfig(
                target_bandwidths=[0.8],  # four codebooks of sixteen codes, fifty times a second
                sampling_rate=32_000,
                audio_channels=1,
                normalize=False,
                num_filters=2,
                upsampling_ratios=[8, 5, 4, 4],
                codebook_size=CODES,
                hidden_size=8,
                num_lstm_layers=1,
            )
        )
        for layer in codec.quantizer.layers:
            layer.codebook.embed.normal_()  # zeros by default: every code would sound alike
        decoder: Any = MusicgenForCausalLM(
            MusicgenDecoderConfig(
                vocab_size=CODES,
                hidden_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                ffn_dim=16,
                num_codebooks=BOOKS,
                pad_token_id=CODES,
                bos_token_id=CODES,
            )
        )
        config = MusicgenConfig(
            text_encoder=text.config.to_dict(),
            audio_encoder=codec.config.to_dict(),
            decoder=decoder.config.to_dict(),
        )
        make: Any = MusicgenForConditionalGeneration
        model = make(config=config, text_encoder=text, audio_encoder=codec, decoder=decoder)
        settings: Any = GenerationConfig
        model.generation_config = settings(
            bos_token_id=CODES,
            pad_token_id=CODES,
            decoder_start_token_id=CODES,
            do_sample=True,
            guidance_scale=3.0,
            max_length=1500,
        )
        model.save_pretrained(folder)
    characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,-'"
    tokenizer: Any = T5Tokenizer(
        vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0)]
        + [(character, -3.0) for character in characters],
        extra_ids=0,
        model_max_length=96,
    )
    tokenizer.save_pretrained(folder)
    return folder
