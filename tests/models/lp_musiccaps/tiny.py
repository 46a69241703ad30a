"""A tiny LP-MusicCaps checkpoint as the authors store theirs, and a tiny BART folder beside it.

Everything is drawn by numpy from fixed seeds, so that the expected arrays in `data/`, which the
authors' code computed from these very files, stay valid.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from numpy.typing import NDArray

CONFIG: dict[str, Any] = {
    "model_type": "bart",
    "activation_function": "gelu",
    "vocab_size": 320,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 160,
    "scale_embedding": False,
    "is_encoder_decoder": True,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
    # What bart-base's configuration adds to the authors' call of `generate`.
    "early_stopping": True,
    "forced_bos_token_id": 0,
    "forced_eos_token_id": 2,
    "no_repeat_ngram_size": 3,
    "num_beams": 4,
}


@dataclass(frozen=True)
class Tiny:
    """The files: the authors' checkpoint, and the folder of BART's configuration and tokenizer."""

    checkpoint: Path
    bart: Path


def write(
    folder: Path,
    *,
    prefix: str = "",
    config: dict[str, Any] = CONFIG,
    end: float = 6.0,
    sharpness: float = 0.8,
) -> Tiny:
    """Write both; `prefix` is `module.` for a checkpoint of distributed training."""
    bart = folder / "bart"
    bart.mkdir(parents=True)
    (bart / "config.json").write_text(json.dumps(config))
    tokens, merges = _vocabulary()
    (bart / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (bart / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), "utf-8")
    state = state_dict(config, end, sharpness)
    moment = torch.zeros_like(state["audio_encoder.conv1.weight"])
    optimizer = {"state": {0: {"step": torch.tensor(1.0), "exp_avg": moment}}, "param_groups": []}
    torch.save(
        {
            "epoch": 99,
            "state_dict": {prefix + name: tensor for name, tensor in state.items()},
            "optimizer": optimizer,
        },
        folder / "transfer.pth",
    )
    return Tiny(folder / "transfer.pth", bart)


def state_dict(
    config: dict[str, Any] = CONFIG, end: float = 6.0, sharpness: float = 0.8
) -> dict[str, torch.Tensor]:
    """Return weights under the authors' names, of like effect at any width.

    Args:
        config: of BART.
        end: added to the end token's logit, so that captions end, and at different lengths.
        sharpness: scale of the attentions' weights; rounding errors grow with it.
    """
    draw = np.random.default_rng(0)
    width, inner, vocabulary = config["d_model"], config["encoder_ffn_dim"], config["vocab_size"]
    shrink = np.sqrt(CONFIG["d_model"] / width)

    def normal(*shape: int, scale: float) -> torch.Tensor:
        scale = scale * shrink if len(shape) > 1 and shape[1] != 128 else scale
        return torch.from_numpy((draw.standard_normal(shape) * scale).astype(np.float32))

    filters = librosa.filters.mel(
        sr=16_000, n_fft=1024, n_mels=128, fmin=0, fmax=8000, htk=True, norm=None
    )
    encoder = "audio_encoder"
    found = {
        f"{encoder}.positional_embedding": _sinusoids(32, width),
        f"{encoder}.mel_encoder.spec_fn.window": torch.hann_window(1024),
        f"{encoder}.mel_encoder.mel_scale.fb": torch.from_numpy(filters.T.copy()),
        f"{encoder}.conv1.weight": normal(width, 128, 3, scale=0.01),
        f"{encoder}.conv1.bias": normal(width, scale=0.1),
    }
    for number in range(5):
        name = f"{encoder}.conv_stack.{number}"
        found[f"{name}.weight"] = normal(width, width, 3, scale=0.13)
        found[f"{name}.bias"] = normal(width, scale=0.1)
    shared = normal(vocabulary, width, scale=0.4)
    found["bart.final_logits_bias"] = torch.zeros(1, vocabulary)
    found["bart.final_logits_bias"][0, 2] = end
    for name in ("model.shared", "model.encoder.embed_tokens", "model.decoder.embed_tokens"):
        found[f"bart.{name}.weight"] = shared
    found["bart.lm_head.weight"] = shared
    for part, attentions in (
        ("encoder", ("self_attn",)),
        ("decoder", ("self_attn", "encoder_attn")),
    ):
        stack = f"bart.model.{part}"
        sharp = min(sharpness, 0.3) if part == "encoder" else sharpness
        positions = config["max_position_embeddings"] + 2
        found[f"{stack}.embed_positions.weight"] = normal(positions, width, scale=0.6)
        norms = [f"{stack}.layernorm_embedding"]
        for layer in range(config[f"{part}_layers"]):
            name = f"{stack}.layers.{layer}"
            norms += [f"{name}.final_layer_norm"]
            for attention in attentions:
                norms.append(f"{name}.{attention}_layer_norm")
                for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    linear = f"{name}.{attention}.{projection}"
                    found[f"{linear}.weight"] = normal(width, width, scale=sharp)
                    found[f"{linear}.bias"] = normal(width, scale=0.1)
            found[f"{name}.fc1.weight"] = normal(inner, width, scale=0.2)
            found[f"{name}.fc1.bias"] = normal(inner, scale=0.1)
            found[f"{name}.fc2.weight"] = normal(width, inner, scale=0.2)
            found[f"{name}.fc2.bias"] = normal(width, scale=0.1)
        for norm in norms:
            found[f"{norm}.weight"] = 1.0 + normal(width, scale=0.1)
            found[f"{norm}.bias"] = normal(width, scale=0.1)
    return found


def segments(count: int = 6) -> list[NDArray[np.float32]]:
    """Return segments of tones and noise; the second lasts 7 s, all others 10 s."""
    draw = np.random.default_rng(7)
    found = []
    for number in range(count):
        time = np.arange(112_000 if number == 1 else 160_000) / 16_000
        pitch = 110.0 * 2.0 ** (draw.integers(0, 36) / 12)
        tone = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 6))
        swell = 0.5 + 0.5 * np.sin(2 * np.pi * draw.uniform(0.2, 4.0) * time)
        noise = draw.standard_normal(time.size) * draw.uniform(0.0, 0.1)
        found.append((0.3 * tone * swell + noise).astype(np.float32))
    return found


def _sinusoids(positions: int, width: int) -> torch.Tensor:
    """Return Whisper's positions: sines, then cosines, of wavelengths up to 10,000."""
    rates = np.exp(-np.log(10_000.0) * np.arange(width // 2) / (width // 2 - 1))
    angles = np.arange(positions)[:, None] * rates[None]
    return torch.from_numpy(np.hstack([np.sin(angles), np.cos(angles)]).astype(np.float32))


def _vocabulary() -> tuple[list[str], list[str]]:
    """Return the tokens and merges of a byte-level BPE: the bytes, and some pairs of letters."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = [chr(byte) for byte in visible] + [chr(256 + number) for number in range(68)]
    letters = "abcdefghijklmnopqrstuvwxyz"
    pairs = [f"{a} {b}" for a in "\u0120eto" for b in letters][: CONFIG["vocab_size"] - 261]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *symbols, *(p.replace(" ", "") for p in pairs)]
    return [*tokens, "<mask>"], pairs
