"""Reads a Llama model and its byte-level BPE tokenizer from a GGUF file.

transformers reads GGUF too (`gguf_file=`), but parses the file three times and asks for another
package: 19 s for SmolLM2-135M on one core against 6 s here. The weights come to the same bits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from artsound.errors import ArtsoundError
from artsound.models.fast_linear import speed_up

_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_TOP_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_CONTROL_TOKEN = 3  # llama.cpp's LLAMA_TOKEN_TYPE_CONTROL


def _parameter_name(name: str) -> str:
    """Translate a GGUF tensor name to that of `LlamaForCausalLM`."""
    stem, _, suffix = name.rpartition(".")
    if stem in _TOP_NAMES:
        return f"{_TOP_NAMES[stem]}.{suffix}"
    _, layer, part = stem.split(".")
    return f"model.layers.{layer}.{_LAYER_NAMES[part]}.{suffix}"


def _unpermute(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Undo llama.cpp's row order of the query and key projections.

    llama.cpp rotates neighbouring pairs of a head's dimensions, transformers its two halves, so
    the file interleaves the halves of each head.
    """
    rows, columns = weight.shape
    return weight.view(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)


def _config(fields: dict[str, Any]) -> LlamaConfig:
    heads = fields["llama.attention.head_count"]
    return LlamaConfig(
        vocab_size=len(fields["tokenizer.ggml.tokens"]),
        hidden_size=fields["llama.embedding_length"],
        intermediate_size=fields["llama.feed_forward_length"],
        num_hidden_layers=fields["llama.block_count"],
        num_attention_heads=heads,
        num_key_value_heads=fields.get("llama.attention.head_count_kv", heads),
        max_position_embeddings=fields["llama.context_length"],
        rms_norm_eps=fields["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": fields["llama.rope.freq_base"]},
        bos_token_id=fields["tokenizer.ggml.bos_token_id"],
        eos_token_id=fields["tokenizer.ggml.eos_token_id"],
        tie_word_embeddings=True,
    )


def _tokenizer(fields: dict[str, Any]) -> PreTrainedTokenizerFast:
    tokens = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    # SmolLM's own splitting: single digits, then GPT-2's pattern.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    kinds = fields["tokenizer.ggml.token_type"]
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, kind in zip(tokens, kinds, strict=True)
            if kind == _CONTROL_TOKEN
        ]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=tokens[fields["tokenizer.ggml.bos_token_id"]],
        eos_token=tokens[fields["tokenizer.ggml.eos_token_id"]],
        chat_template=fields["tokenizer.chat_template"],
        clean_up_tokenization_spaces=False,
    )


def load_llama_gguf(path: Path) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Return the model in float32, ready for inference, and its tokenizer.

    Args:
        path: a GGUF file of the `llama` architecture with a GPT-2 style tokenizer.

    Raises:
        ArtsoundError: the file cannot be read, or holds another architecture.
    """
    try:
        reader = gguf.GGUFReader(path)
    except (OSError, ValueError) as error:
        raise ArtsoundError(f"{path}: not a readable GGUF file ({error}); reinstall it") from error
    fields = {name: field.contents() for name, field in reader.fields.items()}
    kinds = (fields.get("general.architecture"), fields.get("tokenizer.ggml.model"))
    if kinds != ("llama", "gpt2"):
        raise ArtsoundError(f"{path}: holds a {kinds[0]} model; expected a llama model")
    config, heads = _config(fields), int(fields["llama.attention.head_count"])
    weights = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        weight = torch.from_numpy(values.copy())
        if tensor.name.endswith("attn_q.weight"):
            weight = _unpermute(weight, heads)
        elif tensor.name.endswith("attn_k.weight"):
            weight = _unpermute(weight, fields.get("llama.attention.head_count_kv", heads))
        weights[_parameter_name(tensor.name)] = weight
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    missing, unexpected = model.load_state_dict(weights, strict=False, assign=True)
    if set(missing) - {"lm_head.weight"} or unexpected:
        raise ArtsoundError(f"{path}: tensors do not fit the model: {missing or unexpected}")
    model.tie_weights()
    # Its tables are computed, not stored, so they are still on the meta device.
    model.model.rotary_emb = LlamaRotaryEmbedding(config)
    model.requires_grad_(False).train(False)
    return speed_up(model), _tokenizer(fields)
