"""VisualEncoder: the registry's embedders, for artworks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from art2mus.encoder_names import encoder_licence, encoder_name
from art2mus.encoders import VisualEncoder
from artsound.errors import ArtsoundError, UsageError
from tests.models.imagebind.tiny import CONFIG, write_checkpoint, write_merges
from tests.models.tiny_clip import DIMENSION, write_clip


def _images(count: int) -> list[Image.Image]:
    random = np.random.default_rng(0)
    return [
        Image.fromarray(random.integers(0, 255, (40, 56, 3), dtype=np.uint8)) for _ in range(count)
    ]


def _change(weights: Path, number: float) -> None:
    tensors = load_file(weights)
    tensors["visual_projection.weight"][0, 0] = number
    save_file(tensors, weights, {"format": "pt"})


def test_lite_encoder_embeds_artworks() -> None:
    encoder = VisualEncoder.load("lite")
    found = encoder.embed(_images(3))
    assert (encoder.name, found.dtype, found.shape) == (
        "lite-conse",
        torch.float32,
        (3, encoder.dimension),
    )
    assert torch.allclose(found.norm(dim=-1), torch.ones(3), atol=1e-5)
    grey = [image.convert("L") for image in _images(1)]
    assert torch.equal(encoder.embed(grey), encoder.embed([grey[0].convert("RGB")]))


def test_clip_from_a_folder(tmp_path: Path) -> None:
    at, other = (write_clip(tmp_path / name) for name in ("a", "b"))
    _change(other / "model.safetensors", 2.0)
    encoder = VisualEncoder.load("clip", checkpoint=str(at))
    found = encoder.embed(_images(2))
    assert (encoder.name, found.shape) == ("clip-vit-b-32", (2, DIMENSION))
    assert encoder.fingerprint == VisualEncoder.load("clip", checkpoint=str(at)).fingerprint
    assert encoder.fingerprint != VisualEncoder.load("clip", checkpoint=str(other)).fingerprint
    half = VisualEncoder.load("clip", checkpoint=str(at), dtype=torch.bfloat16)
    assert half.fingerprint == f"{encoder.fingerprint}-bfloat16"
    assert half.embed(_images(2)).dtype == torch.float32


def test_imagebind_with_its_options(tmp_path: Path) -> None:
    at = write_checkpoint(tmp_path / "imagebind_tiny.pth")
    encoder = VisualEncoder.load(
        "imagebind",
        checkpoint=str(at),
        companions={"tokenizer": str(write_merges(tmp_path / "bpe.txt.gz"))},
        options=asdict(CONFIG),
    )
    assert encoder.embed(_images(2)).shape == (2, CONFIG.out_embed_dim)


def test_weights_that_are_damaged_are_found_out(tmp_path: Path) -> None:
    at = write_clip(tmp_path)
    _change(at / "model.safetensors", torch.nan)
    with pytest.raises(ArtsoundError, match="not finite: is its checkpoint damaged"):
        VisualEncoder.load("clip", checkpoint=str(at)).embed(_images(1))


def test_refuses() -> None:
    with pytest.raises(UsageError, match="did you mean 'imagebind'"):
        encoder_name("imagebnd")
    with pytest.raises(UsageError, match="clap-music does not embed images: name one of clip-vit"):
        VisualEncoder.load("clap-music")
    with pytest.raises(UsageError, match="no such file or folder"):
        VisualEncoder.load("clip", checkpoint="/nowhere/at/all")
    with pytest.raises(UsageError, match="float32 or bfloat16"):
        VisualEncoder.load("lite", dtype=torch.float16)
    with pytest.raises(UsageError, match="encoder lite-conse: device"):
        VisualEncoder.load("lite", device="tpu")


def test_licences_are_the_registrys() -> None:
    assert encoder_licence("imagebind") == "CC-BY-NC-SA-4.0"
    assert encoder_licence("clip") == "MIT"
