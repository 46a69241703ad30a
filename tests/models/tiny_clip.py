"""A tiny CLIP with random weights, in OpenAI's naming and in transformers' layout on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from artsound.models.openai_clip import openai_to_transformers
from tests.models.tiny_bpe import clip_vocabulary, write_vocabulary

WIDTH, LAYERS, SIDE, PATCH, DIMENSION, LENGTH = 128, 2, 32, 8, 48, 77
TEXTS = (
    "a quiet harbour at dawn",
    "the artist\u2019s &amp;amp; the woman\u2019s portrait,  caf\u00e9\n\u65e5\u672c \u2014 ODE",
    "",
    "a composition of squares and circles in blue " * 12,
    "x<|endoftext|> y",
)


def state_dict(seed: int = 0) -> dict[str, torch.Tensor]:
    """Return random weights in OpenAI's naming; a frozen generator, the same for ever."""
    random = np.random.RandomState(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.from_numpy(random.standard_normal(shape).astype(np.float32))

    tensors: dict[str, torch.Tensor] = {
        "positional_embedding": 0.1 * draw(LENGTH, WIDTH),
        "logit_scale": torch.tensor(4.6),
        "token_embedding.weight": 0.2 * draw(len(clip_vocabulary()[0]), WIDTH),
        "visual.class_embedding": 0.1 * draw(WIDTH),
        "visual.positional_embedding": 0.1 * draw((SIDE // PATCH) ** 2 + 1, WIDTH),
        "visual.proj": 0.1 * draw(WIDTH, DIMENSION),
        "visual.conv1.weight": 0.1 * draw(WIDTH, 3, PATCH, PATCH),
    }
    for norm in ("ln_final", "visual.ln_pre", "visual.ln_post"):
        tensors[f"{norm}.weight"], tensors[f"{norm}.bias"] = 1 + 0.1 * draw(WIDTH), draw(WIDTH)
    # Images and texts share a direction, so that scores lie between 0 and 1 as real ones do.
    tensors["ln_final.bias"] = 0.7 * tensors["visual.ln_post.bias"]
    tensors["text_projection"] = tensors["visual.proj"] + 0.05 * draw(WIDTH, DIMENSION)
    for tower in ("transformer", "visual.transformer"):
        for layer in range(LAYERS):
            block = f"{tower}.resblocks.{layer}"
            for norm in ("ln_1", "ln_2"):
                tensors[f"{block}.{norm}.weight"] = 1 + 0.1 * draw(WIDTH)
                tensors[f"{block}.{norm}.bias"] = 0.1 * draw(WIDTH)
            for name, rows, columns in (
                ("attn.in_proj_", 3 * WIDTH, WIDTH),
                ("attn.out_proj.", WIDTH, WIDTH),
                ("mlp.c_fc.", 4 * WIDTH, WIDTH),
                ("mlp.c_proj.", WIDTH, 4 * WIDTH),
            ):
                tensors[f"{block}.{name}weight"] = 0.1 * draw(rows, columns)
                tensors[f"{block}.{name}bias"] = 0.1 * draw(rows)
    # The real ones were published in half precision, which OpenAI's loader relies on.
    return {name: tensor.half().float() for name, tensor in tensors.items()}


def pac_state_dict() -> dict[str, torch.Tensor]:
    """Return the same weights with other projections, as PAC-Score's checkpoint is."""
    other = state_dict(1)
    return state_dict() | {name: other[name] for name in ("visual.proj", "text_projection")}


def write_clip(folder: Path) -> Path:
    """Write config.json, model.safetensors and the tokenizer, as openai/clip-vit-base-patch32."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary, merges = clip_vocabulary()
    shared: dict[str, Any] = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": WIDTH // 64,
        "projection_dim": DIMENSION,
    }
    # The original's end-of-text id is wrong, and transformers knows it by that.
    text = {**shared, "vocab_size": len(vocabulary), "bos_token_id": 0, "eos_token_id": 2}
    vision = {**shared, "image_size": SIDE, "patch_size": PATCH}
    config = {
        "model_type": "clip",
        "architectures": ["CLIPModel"],
        "projection_dim": DIMENSION,
        "text_config": text,
        "vision_config": vision,
    }
    (folder / "config.json").write_text(json.dumps(config))
    tensors = openai_to_transformers(state_dict())
    # Which the older releases of transformers stored, and the original has.
    tensors["text_model.embeddings.position_ids"] = torch.arange(LENGTH)[None]
    tensors["vision_model.embeddings.position_ids"] = torch.arange((SIDE // PATCH) ** 2 + 1)[None]
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        folder / "model.safetensors",
    )
    write_vocabulary(folder, vocabulary, merges, LENGTH)
    return folder


def write_pac(path: Path) -> Path:
    """Write PAC-Score's checkpoint file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": pac_state_dict()}, path)
    return path


def images() -> list[Image.Image]:
    """Return images of several sizes and modes: smooth random colours."""
    random = np.random.RandomState(7)
    made = []
    for width, height in ((50, 71), (97, 40), (32, 32), (20, 25)):
        small = random.randint(0, 256, (5, 6, 3)).astype(np.uint8)
        made.append(Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR))
    return [*made, made[0].convert("L"), made[1].convert("RGBA")]
