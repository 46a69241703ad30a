"""A tiny BLIP captioner with random weights, in transformers' layout on disk."""

from __future__ import annotations

import json
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from transformers import BlipConfig, BlipForConditionalGeneration

from tests.models.tiny_text import fill

WORDS = "picture of boats sky woman red blue dress painting sea with the and in harbour lion"


def write_blip(folder: Path) -> Path:
    """Write a captioner for 32 x 32 pixels whose start token its tokenizer does not know."""
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *ascii_lowercase, *WORDS.split()]
    tokens += [f"##{letter}" for letter in ascii_lowercase]
    config = BlipConfig(
        text_config={
            "vocab_size": len(tokens) + 2,
            "hidden_size": 32,
            "encoder_hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 64,
            "bos_token_id": len(tokens),
            "eos_token_id": 3,
            "pad_token_id": 0,
            "sep_token_id": 3,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
        },
    )
    model: Any = BlipForConditionalGeneration(config)
    fill(model, 6)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 64}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder
