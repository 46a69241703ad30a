"""Tiny Music Flamingo checkpoints with random weights, in both of transformers' layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from transformers import (
    AudioFlamingo3Config,
    AudioFlamingo3ForConditionalGeneration,
    MusicFlamingoConfig,
    MusicFlamingoForConditionalGeneration,
    Qwen2Tokenizer,
    WhisperFeatureExtractor,
)

from tests.models.tiny_bpe import roberta_vocabulary
from tests.models.tiny_text import fill

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% for part in message.content %}"
    "{% if part.type == 'audio' %}<sound>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|im_start|>", "<|im_end|>", "<sound>", "<|sound_bos|>", "<|sound_eos|>")


def write_flamingo(folder: Path, kind: str) -> Path:
    """Write a captioner.

    Args:
        folder: where to.
        kind: its model type, `audioflamingo3` or `musicflamingo`.
    """
    vocabulary, merges = roberta_vocabulary()
    of_qwen: Any = Qwen2Tokenizer
    tokenizer = of_qwen(vocab=vocabulary, merges=list(merges))
    tokenizer.add_special_tokens(
        {
            "eos_token": "<|im_end|>",
            "pad_token": "<pad>",
            "extra_special_tokens": [AddedToken(token, special=True) for token in SPECIAL],
        }
    )
    token = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    audio = {
        "model_type": "audioflamingo3_encoder",
        "num_mel_bins": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "hidden_size": 40,
        "max_source_positions": 1500,
    }
    text = {
        "model_type": "qwen2",
        "vocab_size": len(tokenizer) + 8,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 2048,
    }
    model: Any
    if kind == "musicflamingo":
        config: Any = MusicFlamingoConfig(
            audio_config=audio,
            text_config=text,
            audio_token_id=token["<sound>"],
            audio_bos_token_id=token["<|sound_bos|>"],
            audio_eos_token_id=token["<|sound_eos|>"],
        )
        model = MusicFlamingoForConditionalGeneration(config)
    else:
        config = AudioFlamingo3Config(
            audio_config=audio, text_config=text, audio_token_id=token["<sound>"]
        )
        model = AudioFlamingo3ForConditionalGeneration(config)
    fill(model, 8)
    model.generation_config.eos_token_id = token["<|im_end|>"]
    model.generation_config.pad_token_id = vocabulary["<pad>"]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    extractor: Any = WhisperFeatureExtractor
    extractor(feature_size=16).save_pretrained(folder)
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": TEMPLATE}))
    return folder
