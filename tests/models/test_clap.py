from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import ClapFeatureExtractor, ClapModel, RobertaTokenizer

from artsound.errors import ArtsoundError
from artsound.models.base import Embedder, FloatArray
from artsound.models.clap import ClapEmbedder
from artsound.models.registry import Models
from artsound.models.settings import ModelSettings
from tests.models.tiny_clap import write_clap

RATE = 16_000


def _music(seconds: float, seed: int = 0, rate: int = RATE) -> FloatArray:
    random = np.random.RandomState(seed)
    times = np.arange(int(seconds * rate)) / rate
    tones = sum(np.sin(2 * np.pi * pitch * times) for pitch in random.uniform(100, 4000, 4))
    return np.asarray(0.1 * tones * np.exp(-times % 0.5), np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clap(tmp_path_factory.mktemp("clap") / "model")


@pytest.fixture(scope="module")
def embedder(folder: Path) -> ClapEmbedder:
    return ClapEmbedder.from_checkpoint(folder)


def _by_transformers(folder: Path, waveform: FloatArray) -> FloatArray:
    model: Any = ClapModel.from_pretrained(folder).eval()  # type: ignore[no-untyped-call]
    inputs = ClapFeatureExtractor.from_pretrained(folder)(
        waveform, sampling_rate=RATE, return_tensors="pt"
    )
    with torch.inference_mode():
        found = model.get_audio_features(**inputs).pooler_output[0].numpy()
    vector: FloatArray = found / np.linalg.norm(found)
    return vector


def test_a_short_clip_is_as_transformers_hears_it(folder: Path, embedder: ClapEmbedder) -> None:
    assert isinstance(embedder, Embedder)
    for seconds in (0.3, 0.7, 1.0):
        clip = _music(seconds)
        np.testing.assert_allclose(
            embedder.embed_audio([clip], RATE)[0], _by_transformers(folder, clip), atol=1e-5
        )


def test_a_long_clip_is_the_mean_of_its_windows(folder: Path, embedder: ClapEmbedder) -> None:
    clip = _music(2.6)
    windows = [clip[:RATE], clip[RATE : 2 * RATE], clip[-RATE:]]
    mean = np.mean([_by_transformers(folder, window) for window in windows], axis=0)
    expected = mean / np.linalg.norm(mean)
    for _ in range(2):
        np.testing.assert_allclose(embedder.embed_audio([clip], RATE)[0], expected, atol=1e-5)


def test_a_vector_depends_on_its_own_input(embedder: ClapEmbedder) -> None:
    clips = [_music(seconds, seed) for seed, seconds in enumerate((0.4, 2.6, 1.0, 3.3, 0.9))]
    alone = np.concatenate([embedder.embed_audio([clip], RATE) for clip in clips])
    np.testing.assert_allclose(embedder.embed_audio(clips, RATE), alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), 1, atol=1e-5)
    assert len(np.unique(alone.round(4), axis=0)) == len(clips)
    assert embedder.embed_audio([], RATE).shape == (0, 24)


def test_other_rates_are_resampled(embedder: ClapEmbedder) -> None:
    ours = embedder.embed_audio([_music(1.5)], RATE)
    other = embedder.embed_audio([_music(1.5, rate=48_000)], 48_000)
    assert (ours * other).sum() > 0.98


def test_texts_are_read_to_the_77th_token(folder: Path, embedder: ClapEmbedder) -> None:
    texts = ["calm piano", "fast drums " * 90, " ", "a"]
    vectors = embedder.embed_text(texts)
    assert not vectors[2].any()
    model: Any = ClapModel.from_pretrained(folder).eval()  # type: ignore[no-untyped-call]
    tokenizer = RobertaTokenizer.from_pretrained(folder)
    for row in (0, 1, 3):
        tokens = tokenizer(texts[row], truncation=True, max_length=77, return_tensors="pt")
        assert row != 1 or tokens["input_ids"].shape[1] == 77
        with torch.inference_mode():
            found = model.get_text_features(**tokens).pooler_output[0].numpy()
        np.testing.assert_allclose(vectors[row], found / np.linalg.norm(found), atol=1e-5)


def test_bad_audio_is_that_item_s_fault(embedder: ClapEmbedder) -> None:
    for waveform in (np.zeros(0), np.zeros((2, 9)), np.array([0.0, np.nan])):
        with pytest.raises(ValueError, match="a waveform"):
            embedder.embed_audio([waveform.astype(np.float32)], RATE)


def test_the_registry_loads_it(folder: Path) -> None:
    models = Models({"clap-music": ModelSettings(checkpoint=str(folder))})
    assert models.load("embedder", "clap-music").sample_rate == RATE


def test_bad_folders_are_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtsoundError, match="feature fusion, whose input is drawn at random"):
        ClapEmbedder.from_checkpoint(write_clap(tmp_path / "fused", fused=True))
    bad = write_clap(tmp_path / "bad")
    (bad / "preprocessor_config.json").write_text("[]")
    with pytest.raises(ArtsoundError, match=r"preprocessor_config\.json holds no JSON object"):
        ClapEmbedder.from_checkpoint(bad)
    (bad / "preprocessor_config.json").unlink()
    with pytest.raises(ArtsoundError, match=r"has no preprocessor_config\.json"):
        ClapEmbedder.from_checkpoint(bad)
