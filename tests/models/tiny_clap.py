"""A tiny CLAP with random weights, in transformers' layout on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

from tests.models.tiny_bpe import roberta_vocabulary, write_vocabulary
from tests.models.tiny_text import fill


def write_clap(folder: Path, fused: bool = False) -> Path:
    """Write a CLAP that hears windows of one second at 16 kHz."""
    vocabulary, merges = roberta_vocabulary()
    extractor: Any = ClapFeatureExtractor(
        feature_size=16,
        sampling_rate=16_000,
        hop_length=160,
        max_length_s=1,
        frequency_min=50,
        frequency_max=8_000,
        truncation="fusion" if fused else "rand_trunc",
        padding="repeatpad",
    )
    config = ClapConfig(
        projection_dim=24,
        text_config={
            "vocab_size": len(vocabulary),
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 82,
            "pad_token_id": 1,
            "projection_dim": 24,
        },
        audio_config={
            "num_mel_bins": 16,
            "window_size": 4,
            "spec_size": 64,
            "patch_size": 4,
            "patch_stride": [4, 4],
            "patch_embeds_hidden_size": 16,
            "depths": [1, 1],
            "num_attention_heads": [2, 2],
            "hidden_size": 32,
            "num_classes": 5,
            "projection_dim": 24,
            "enable_fusion": fused,
        },
    )
    model: Any = ClapModel(config)
    fill(model, 5)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    write_vocabulary(folder, vocabulary, merges, 77)
    return folder
