from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from artsound.errors import ArtsoundError, UsageError
from artsound.models.base import Embedder
from artsound.models.registry import Models
from artsound.models.settings import ModelSettings
from artsound.models.text import MeanPooledEmbedder, ModernBertEmbedder, RobertaEmbedder
from tests.models.tiny_text import write_modernbert, write_roberta

TEXTS = (
    "A calm piano melody",
    "fast drums and a deep bass line " * 20,
    "b",
    "",
    "A photo of boats",
)


@pytest.fixture(scope="module", params=["roberta", "modernbert"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    write = write_roberta if request.param == "roberta" else write_modernbert
    return write(tmp_path_factory.mktemp("text") / request.param)


def _load(folder: Path) -> MeanPooledEmbedder:
    kind = RobertaEmbedder if folder.name == "roberta" else ModernBertEmbedder
    return kind.from_checkpoint(folder)


def test_a_vector_is_the_mean_of_its_tokens(folder: Path) -> None:
    embedder = _load(folder)
    assert isinstance(embedder, Embedder)
    vectors = embedder.embed_text(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimension)
    model = AutoModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for text, vector in zip(TEXTS, vectors, strict=True):
        if not text:
            assert not vector.any()
            continue
        tokens = tokenizer(text, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            mean = model(**tokens).last_hidden_state[0].mean(dim=0)
        expected = torch.nn.functional.normalize(mean, dim=0).numpy()
        np.testing.assert_allclose(vector, expected, rtol=0, atol=1e-5)


def test_a_vector_depends_on_its_own_text(folder: Path) -> None:
    embedder = _load(folder)
    alone = np.concatenate([embedder.embed_text([text]) for text in TEXTS])
    np.testing.assert_allclose(embedder.embed_text(TEXTS), alone, rtol=0, atol=1e-5)
    assert embedder.embed_text([]).shape == (0, embedder.dimension)


def test_the_registry_loads_them(folder: Path) -> None:
    name = {"roberta": "roberta-large", "modernbert": "modernbert-base"}[folder.name]
    models = Models({name: ModelSettings(checkpoint=str(folder))})
    embedder = models.load("embedder", name)
    assert embedder.name == name
    with pytest.raises(UsageError, match=f"{name} does not embed images, only text"):
        embedder.embed_images([])


def test_bad_folders_are_one_line(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / folder.name))
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ArtsoundError, match=r"model\.safetensors is damaged"):
        _load(copy)
    other = ModernBertEmbedder if folder.name == "roberta" else RobertaEmbedder
    with pytest.raises(ArtsoundError, match=f"is of a {folder.name} model, not of"):
        other.from_checkpoint(folder)
