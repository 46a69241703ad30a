"""EnCodec and MERT from tiny checkpoints in their repositories' layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import EncodecConfig, EncodecModel, HubertConfig, HubertModel

from art2mus.benchmark.embedders import registry
from artsound.models.checkpoints import CheckpointError
from tests.art2mus.benchmark.music import tone


def write_encodec(folder: Path, channels: int = 1) -> Path:
    torch.manual_seed(0)
    config = EncodecConfig(
        hidden_size=8,
        num_filters=4,
        upsampling_ratios=[8, 5, 4, 2],
        num_lstm_layers=1,
        codebook_size=16,
        codebook_dim=8,
        audio_channels=channels,
    )
    EncodecModel(config).save_pretrained(folder)
    return folder


def write_mert(folder: Path, **settings: object) -> Path:
    torch.manual_seed(0)
    config = HubertConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
    )
    model: Any = HubertModel(config)
    folder.mkdir(parents=True)
    # As published: the weights as a pickle, the normalised weight's parts by their older names.
    old = {"original0": "weight_g", "original1": "weight_v"}
    tensors = {}
    for name, tensor in model.state_dict().items():
        for new, before in old.items():
            name = name.replace(f"parametrizations.weight.{new}", before)
        tensors[name] = tensor
    assert "encoder.pos_conv_embed.conv.weight_g" in tensors
    torch.save(tensors, folder / "pytorch_model.bin")
    (folder / "config.json").write_text(
        json.dumps({**config.to_dict(), "model_type": "mert_model", **settings})
    )
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"sampling_rate": 24_000, "do_normalize": True})
    )
    return folder


def test_encodec(tmp_path: Path) -> None:
    folder = write_encodec(tmp_path / "encodec")
    model = registry.load("encodec", {"encodec": str(folder)}).embedder
    assert model.sample_rate == 24_000
    found = model.hear(tone(24_000))["frames"]
    assert found.shape == (150, 8)
    reference: Any = EncodecModel.from_pretrained(folder)
    with torch.inference_mode():
        expected = reference.encoder(torch.from_numpy(tone(24_000))[None, None])[0].T.numpy()
    np.testing.assert_array_equal(found, expected)
    stereo = write_encodec(tmp_path / "stereo", channels=2)
    with pytest.raises(CheckpointError, match="takes stereo"):
        registry.load("encodec", {"encodec": str(stereo)})


def test_mert(tmp_path: Path) -> None:
    folder = write_mert(tmp_path / "mert")
    model = registry.load("mert", {"mert": str(folder)}).embedder
    found = model.hear(tone(24_000))["frames"]
    assert found.shape == (149, 16)
    assert np.isfinite(found).all()
    louder = model.hear(0.5 * tone(24_000))["frames"]
    np.testing.assert_allclose(found, louder, atol=1e-3)  # its input is normalised


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"feature_extractor_cqt": True}, "CQT"),
        ({"model_type": "bert"}, "bert model"),
    ],
)
def test_another_mert(settings: dict[str, object], said: str, tmp_path: Path) -> None:
    folder = write_mert(tmp_path / "mert", **settings)
    with pytest.raises(CheckpointError, match=said):
        registry.load("mert", {"mert": str(folder)})
