"""OpenAI's CLIP in its authors' format: how it reads texts, and what it calls its weights."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Final

import ftfy
import torch


def clean(text: str) -> str:
    """Return a text as OpenAI's tokenizer sees it, which transformers' does not do by itself.

    Mojibake, typographic quotes and ligatures are undone by ftfy, HTML entities twice, runs of
    white space become one space, letters small (`basic_clean` and `whitespace_clean` in
    `clip/simple_tokenizer.py`).
    """
    unescaped = html.unescape(html.unescape(ftfy.fix_text(text)))
    return re.sub(r"\s+", " ", unescaped).strip().lower()


_PARTS: Final = (
    (r"^visual\.class_embedding$", "vision_model.embeddings.class_embedding"),
    (r"^visual\.conv1\.", "vision_model.embeddings.patch_embedding."),
    (r"^visual\.positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
    (r"^visual\.ln_pre\.", "vision_model.pre_layrnorm."),  # transformers' spelling
    (r"^visual\.ln_post\.", "vision_model.post_layernorm."),
    (r"^visual\.proj$", "visual_projection.weight"),
    (r"^visual\.transformer\.resblocks\.", "vision_model.encoder.layers."),
    (r"^token_embedding\.", "text_model.embeddings.token_embedding."),
    (r"^positional_embedding$", "text_model.embeddings.position_embedding.weight"),
    (r"^ln_final\.", "text_model.final_layer_norm."),
    (r"^text_projection$", "text_projection.weight"),
    (r"^transformer\.resblocks\.", "text_model.encoder.layers."),
    (r"\.attn\.", ".self_attn."),
    (r"\.ln_(\d)\.", r".layer_norm\1."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
)


def openai_to_transformers(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a CLIP state dict in OpenAI's naming as one in transformers' naming.

    The two projections are transposed, and each attention's `in_proj` split into query, key and
    value. Names that OpenAI's model does not have stay as they are.
    """
    return dict(pair for item in tensors.items() for pair in _converted(*item))


def _converted(name: str, tensor: torch.Tensor) -> Iterable[tuple[str, torch.Tensor]]:
    renamed = name
    for pattern, replacement in _PARTS:
        renamed = re.sub(pattern, replacement, renamed)
    stem, found, kind = renamed.partition(".in_proj_")
    if found:
        return zip((f"{stem}.{part}_proj.{kind}" for part in "qkv"), tensor.chunk(3), strict=False)
    if name in {"visual.proj", "text_projection"}:
        tensor = tensor.T
    return [(renamed, tensor)]
