"""A tiny ImageBind with random weights in the authors' layout, and inputs for it.

Generators are frozen (`RandomState`): the weights and inputs are the same for ever, and so are the
arrays in `data/`, which the authors' code made of them.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from artsound.models.base import FloatArray
from artsound.models.imagebind import ImageBindConfig
from tests.models.tiny_bpe import clip_vocabulary

CONFIG = ImageBindConfig(
    vision_embed_dim=16,
    vision_num_blocks=2,
    vision_num_heads=2,
    text_embed_dim=24,
    text_num_blocks=2,
    text_num_heads=3,
    audio_embed_dim=16,
    audio_num_blocks=2,
    audio_num_heads=4,
    out_embed_dim=12,
)
TEXTS = (
    "a quiet harbour at dawn",
    "It\u2019s an artist&amp;#39;s  caf\u00e9:\t123 \u65e5\u672c \u2014 ODYSSEUS \U0001f3b5 \ufb01",
    "a calm piano over soft strings, slow and melancholic; " * 8,
    "x<|endoftext|> y",
)
RATES = {"long": 16_000, "overlapping": 16_000, "short": 16_000, "stereo": 44_100}


def shapes(config: ImageBindConfig = CONFIG) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the authors' checkpoint, of other modalities a few."""
    found: dict[str, tuple[int, ...]] = {"modality_preprocessors.text.mask": (77, 77)}
    kernel, out = config.audio_kernel_size, config.out_embed_dim
    for modality, patches, stem, projection in (
        ("vision", 256, "rgbt_stem.proj.1.weight", (3, 2, 14, 14)),
        ("audio", 228, "rgbt_stem.proj.weight", (1, kernel, kernel)),
        ("depth", 196, "depth_stem.proj.weight", (1, 16, 16)),
    ):
        width = getattr(config, f"{modality}_embed_dim", 8)
        front = f"modality_preprocessors.{modality}"
        found[f"{front}.cls_token"] = (1, 1, width)
        found[f"{front}.pos_embedding_helper.pos_embed"] = (1, 1 + patches, width)
        found[f"{front}.{stem}"] = (width, *projection)
        if modality != "vision":
            found |= _norm(f"{front}.{stem.split('.')[0]}.norm_layer", width)
        found |= _norm(f"modality_heads.{modality}.0", width)
        found[f"modality_heads.{modality}.2.weight"] = (out, width)
    width = config.text_embed_dim
    found["modality_preprocessors.text.token_embedding.weight"] = (49_408, width)
    found["modality_preprocessors.text.pos_embed"] = (1, 77, width)
    found |= _norm("modality_heads.text.proj.0", width)
    found["modality_heads.text.proj.1.weight"] = (out, width)
    found |= _norm("modality_trunks.vision.pre_transformer_layer.0", config.vision_embed_dim)
    for modality in ("vision", "text", "audio"):
        width = getattr(config, f"{modality}_embed_dim")
        for block in range(getattr(config, f"{modality}_num_blocks")):
            found |= _block(f"modality_trunks.{modality}.blocks.{block}", width, modality)
    for modality in ("text", "audio", "depth", "thermal", "imu"):
        found[f"modality_postprocessors.{modality}.1.log_logit_scale"] = ()
    return found


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _block(name: str, width: int, modality: str) -> dict[str, tuple[int, ...]]:
    found = _norm(f"{name}.norm_1", width) | _norm(f"{name}.norm_2", width)
    for layer, suffix, rows, columns in (
        ("attn.in_proj", "_", 3 * width, width),
        ("attn.out_proj", ".", width, width),
        ("mlp.fc1", ".", 4 * width, width),
        ("mlp.fc2", ".", width, 4 * width),
    ):
        found[f"{name}.{layer}{suffix}weight"] = (rows, columns)
        found[f"{name}.{layer}{suffix}bias"] = (rows,)
    if modality == "audio":
        found |= {f"{name}.attn.bias_{part}": (1, 1, width) for part in "kv"}
    return found


def weights(config: ImageBindConfig = CONFIG) -> dict[str, torch.Tensor]:
    """Return random weights."""
    random = np.random.RandomState(0)
    found = {}
    for name, shape in sorted(shapes(config).items()):
        values = random.standard_normal(shape)
        if len(shape) == 1:
            values = 0.1 * values + (1.0 if name.endswith("weight") else 0.0)
        elif len(shape) > 1:
            values *= np.prod(shape[1:]) ** -0.5
        found[name] = torch.tensor(values, dtype=torch.float32)
    found["modality_preprocessors.text.mask"] = torch.full((77, 77), -torch.inf).triu(1)
    found["modality_postprocessors.text.1.log_logit_scale"] = torch.tensor(4.7)  # over 100
    found["modality_postprocessors.audio.1.log_logit_scale"] = torch.tensor(20.0).log()
    return found


def write_checkpoint(path: Path, config: ImageBindConfig = CONFIG) -> Path:
    """Write the weights as the authors do."""
    torch.save(weights(config), path)
    return path


def write_merges(path: Path) -> Path:
    """Write a vocabulary as the authors do."""
    lines = ["a header", *(" ".join(merge) for merge in clip_vocabulary()[1])]
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    return path


def images() -> list[Image.Image]:
    """Return a wide and a tall image: colours that run into each other, and noise."""
    random = np.random.RandomState(1)
    found = []
    for height, width in ((240, 331), (301, 225)):
        rows, columns = np.mgrid[:height, :width]
        waves = [127 + 90 * np.sin(rows / a + columns / b) for a, b in ((9, 31), (40, 17), (5, 6))]
        noisy = np.stack(waves, -1) + random.standard_normal((height, width, 3)) * 12
        found.append(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)))
    return found


def waveforms() -> dict[str, FloatArray]:
    """Return waveforms: clips apart, clips that overlap, under two seconds, and stereo."""
    random = np.random.RandomState(2)
    seconds = {"long": 7.3, "overlapping": 3.1, "short": 1.2, "stereo": 2.6}
    found = {}
    for name, duration in seconds.items():
        time = np.arange(int(duration * RATES[name])) / RATES[name]
        tones = sum(np.sin(2 * np.pi * f * time * (1 + 0.1 * time)) for f in (220, 587, 1900, 5300))
        channels, loudness = (2, 0.1) if name == "stereo" else (1, 0.02)
        noise = loudness * random.standard_normal((channels, len(time)))
        found[name] = np.squeeze(0.1 * tones + noise + 0.01 * time).astype(np.float32)
    return found
