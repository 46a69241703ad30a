"""The whole network of LP-MusicCaps, and its weights as the authors store them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn
from transformers import BartConfig, BartForConditionalGeneration

from artsound.models.checkpoints import load_into, read_tensors
from artsound.models.fast_linear import speed_up
from artsound.models.lp_musiccaps.encoder import AudioEncoder
from artsound.models.lp_musiccaps.mel import LogMel
from artsound.models.pretrained import model_type, read_json

# What of a BART configuration says how the network is built; the rest is about training and tasks.
_ARCHITECTURE: Final = (
    "activation_function",
    "d_model",
    "decoder_attention_heads",
    "decoder_ffn_dim",
    "decoder_layers",
    "encoder_attention_heads",
    "encoder_ffn_dim",
    "encoder_layers",
    "max_position_embeddings",
    "pad_token_id",
    "scale_embedding",
    "vocab_size",
)
# One matrix under four names.
_TIED: Final = tuple(
    f"bart.{name}.weight"
    for name in (
        "model.shared",
        "model.encoder.embed_tokens",
        "model.decoder.embed_tokens",
        "lm_head",
    )
)
_RENAMED: Final = {
    "audio_encoder.mel_encoder.spec_fn.window": "mel.window",
    "audio_encoder.mel_encoder.mel_scale.fb": "mel.filters",
}


class Network(nn.Module):
    """Mel front end, audio encoder and BART.

    Args:
        config: of BART.
    """

    def __init__(self, config: BartConfig) -> None:
        super().__init__()
        self.mel = LogMel()
        self.audio_encoder = AudioEncoder(config.hidden_size)
        self.bart = BartForConditionalGeneration(config)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Return the output of BART's encoder.

        Args:
            waveforms: float32 samples at 16 kHz, shape (n, 160000).

        Returns:
            Shape (n, 32, d_model), in the dtype of the weights; the spectrogram is float32 always.
        """
        mel = self.mel(waveforms).to(self.audio_encoder.conv1.weight.dtype)
        encoder: Any = self.bart.model.encoder
        encoded: torch.Tensor = encoder(inputs_embeds=self.audio_encoder(mel)).last_hidden_state
        return encoded


def read_config(folder: Path) -> BartConfig:
    """Return how BART is built, from the config.json of a Hub repository's folder.

    Raises:
        CheckpointError: there is none, or it is another model's.
    """
    model_type(folder, {"bart"})
    return bart_config(read_json(folder, "config.json"))


def bart_config(content: Mapping[str, Any]) -> BartConfig:
    """Return how BART is built, from the content of a config.json."""
    return BartConfig(**{name: content[name] for name in _ARCHITECTURE if name in content})


def load_network(
    path: Path, config: BartConfig, *, device: torch.device | str, dtype: torch.dtype
) -> Network:
    """Return the network with the weights of a file.

    Args:
        path: the authors' `transfer.pth` (or another stage of their training), which holds the
            weights under `state_dict` and an optimiser's state beside them; or a state dict alone.
        config: of BART.
        device: where it computes.
        dtype: of the weights; the mel front end's stay float32.

    Raises:
        CheckpointError: the file is missing, damaged, unsafe or another model's.
    """
    with torch.device("meta"):
        network = Network(config)
    load_into(network, _named(read_tensors(path)), path)
    network.bart.tie_weights()
    network.audio_encoder.to(dtype)
    bart: nn.Module = network.bart
    bart.to(dtype)
    return speed_up(network.to(device).eval())


def _named(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of a file by the network's names."""
    inner = {name for name in tensors if name.startswith("state_dict.")}
    named = {}
    for name in inner or tensors:
        short = name.removeprefix("state_dict.").removeprefix("module.")
        named[_RENAMED.get(short, short)] = tensors[name]
    return named | {
        name: named[_TIED[-1]] for name in _TIED if name in named and _TIED[-1] in named
    }
