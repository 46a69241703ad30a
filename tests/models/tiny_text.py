"""Tiny RoBERTa and ModernBERT checkpoints with random weights, in transformers' layout on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import BPE
from transformers import (
    ModernBertConfig,
    ModernBertForMaskedLM,
    RobertaConfig,
    RobertaForMaskedLM,
    TokenizersBackend,
)

from tests.models.tiny_bpe import roberta_vocabulary, write_vocabulary

LONGEST = 60


def fill(model: torch.nn.Module, seed: int) -> None:
    """Fill a model with weights from a frozen generator, the same for ever."""
    random = np.random.RandomState(seed)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            drawn = torch.from_numpy(random.standard_normal(tuple(weight.shape))).to(weight.dtype)
            scale = bool(weight.ndim == 1 and name.endswith("weight"))  # of a normalisation
            weight.copy_(0.1 * drawn + scale)


def write_roberta(folder: Path) -> Path:
    """Write a language model, whose head the embedders do not use, with its byte-level BPE."""
    vocabulary, merges = roberta_vocabulary()
    config = RobertaConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=LONGEST + 2,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    model: Any = RobertaForMaskedLM(config)
    fill(model, 3)
    model.save_pretrained(folder)
    write_vocabulary(folder, vocabulary, merges, LONGEST)
    return folder


def write_modernbert(folder: Path) -> Path:
    """Write a language model with tokenizer.json alone, as answerdotai/ModernBERT-base has."""
    vocabulary, merges = roberta_vocabulary()
    config = ModernBertConfig(
        vocab_size=len(vocabulary) + 6,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=256,
        local_attention=16,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        cls_token_id=0,
        sep_token_id=2,
    )
    model: Any = ModernBertForMaskedLM(config)
    fill(model, 4)
    model.save_pretrained(folder)
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    kind: Any = TokenizersBackend
    named = kind(
        tokenizer_object=tokenizer,
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_max_length=256,
    )
    named.save_pretrained(folder)
    return folder
