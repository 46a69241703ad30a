from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file

from artsound.errors import ArtsoundError, UsageError
from artsound.models import pixels
from artsound.models.base import Embedder, ImageTextScorer
from artsound.models.clip import PREFIX, CLIPEmbedder, CLIPEncoder, CLIPScorer, PacScorer
from artsound.models.openai_clip import clean
from artsound.models.registry import Models
from artsound.models.settings import ModelSettings
from artsound.scores.image_caption import clip_score, pac_score
from tests.models import tiny_clip

# What the authors' code (clipscore.py, pac_score.py, openai/CLIP) makes of the tiny model.
EXPECTED = np.load(Path(__file__).parent / "data" / "clip.npz")
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip.write_clip(tmp_path_factory.mktemp("clip") / "base")


@pytest.fixture(scope="module")
def pac(folder: Path) -> Path:
    return tiny_clip.write_pac(folder.parent / "clip_ViT-B-32.pth")


@pytest.fixture(scope="module")
def scorer(folder: Path) -> CLIPScorer:
    return CLIPScorer.from_checkpoint(folder)


def test_pixels_are_the_authors() -> None:
    views = [pixels.cropped(image, tiny_clip.SIDE) for image in tiny_clip.images()]
    np.testing.assert_array_equal(np.stack(views), EXPECTED["pixels"])


def test_tokens_are_the_authors(folder: Path) -> None:
    encoder = CLIPEncoder.from_checkpoint(folder, device="cpu", dtype=torch.float32)
    for ours, theirs in zip(
        encoder.tokens([PREFIX + text for text in tiny_clip.TEXTS]),
        EXPECTED["tokens"],
        strict=True,
    ):
        assert ours == theirs[: len(ours)].tolist()
        assert not theirs[len(ours) :].any()


def test_features_and_scores_are_the_authors(scorer: CLIPScorer) -> None:
    assert isinstance(scorer, ImageTextScorer)
    images = scorer.image_features(tiny_clip.images())
    texts = scorer.text_features(tiny_clip.TEXTS)
    np.testing.assert_allclose(images, EXPECTED["image_features"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(texts, EXPECTED["text_features"], rtol=0, atol=TOLERANCE)
    scores = clip_score(images[: len(texts)], texts, scorer.weight)
    expected = np.clip(EXPECTED["scores"], 0, 1)  # theirs have no upper limit
    np.testing.assert_allclose(scores, expected, rtol=0, atol=TOLERANCE)


def test_pac_features_and_scores_are_the_authors(folder: Path, pac: Path) -> None:
    scorer = PacScorer.from_checkpoint(pac, base=folder)
    assert isinstance(scorer, ImageTextScorer)
    images = scorer.image_features(tiny_clip.images())
    texts = scorer.text_features(tiny_clip.TEXTS)
    np.testing.assert_allclose(images, EXPECTED["pac_image_features"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(texts, EXPECTED["pac_text_features"], rtol=0, atol=TOLERANCE)
    scores = pac_score(images[: len(texts)], texts, scorer.weight)
    expected = np.clip(EXPECTED["pac_scores"], 0, 1)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=TOLERANCE)


def test_the_registry_loads_them(folder: Path, pac: Path) -> None:
    models = Models(
        {
            "clip-score": ModelSettings(checkpoint=str(folder)),
            "pac-score": ModelSettings(checkpoint=str(pac), companions={"base": str(folder)}),
            "clip-vit-b-32": ModelSettings(checkpoint=str(folder)),
        }
    )
    assert models.load("image_text_scorer", "clip-score").weight == 2.5
    assert models.load("image_text_scorer", "pac-score").weight == 2.0
    assert models.load("embedder", "clip-vit-b-32").dimension == tiny_clip.DIMENSION


def test_a_feature_depends_on_its_own_input(scorer: CLIPScorer) -> None:
    texts = [*tiny_clip.TEXTS, *(f"a photo of {number} boats" for number in range(60))]
    together = scorer.text_features(texts)
    alone = np.concatenate([scorer.text_features([text]) for text in texts])
    np.testing.assert_allclose(together, alone, rtol=0, atol=TOLERANCE)
    images = tiny_clip.images()
    np.testing.assert_allclose(
        scorer.image_features(images)[2], scorer.image_features([images[2]])[0], atol=TOLERANCE
    )
    assert scorer.text_features([]).shape == scorer.image_features([]).shape == (0, 48)


def test_the_embedder_gives_unit_vectors(folder: Path) -> None:
    embedder = CLIPEmbedder.from_checkpoint(folder)
    assert isinstance(embedder, Embedder)
    images = embedder.embed_images(tiny_clip.images())
    texts = embedder.embed_text(["a boat", "  "])
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, atol=TOLERANCE)
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), [1, 0], atol=TOLERANCE)
    with pytest.raises(UsageError, match="does not embed audio, only image and text"):
        embedder.embed_audio([np.zeros(10, np.float32)], 16_000)


def test_bfloat16_is_close(folder: Path, scorer: CLIPScorer) -> None:
    half = CLIPScorer.from_checkpoint(folder, dtype=torch.bfloat16)
    texts = half.text_features(tiny_clip.TEXTS)
    assert texts.dtype == np.float32
    cosines = clip_score(texts, scorer.text_features(tiny_clip.TEXTS), 1.0)
    assert cosines.min() > 0.999


@given(st.integers(16, 90), st.integers(16, 90), st.integers(8, 40))
@settings(max_examples=40)
def test_a_view_is_square_and_keeps_a_plain_colour(width: int, height: int, side: int) -> None:
    image = Image.new("RGB", (width, height), (10, 200, 90))
    view = pixels.cropped(image, side)
    assert view.shape == pixels.squashed(image, side).shape == (3, side, side)
    assert np.ptp(view.reshape(3, -1), axis=1).max() == 0


@given(st.text(max_size=60))
@settings(max_examples=100)
def test_cleaning_leaves_single_spaces(text: str) -> None:
    cleaned = clean(text)
    assert cleaned == " ".join(cleaned.split())


def test_an_elongated_image_is_that_item_s_fault() -> None:
    with pytest.raises(ValueError, match=r"16 x 3300 pixels is too elongated"):
        pixels.cropped(Image.new("RGB", (16, 3300)), 224)


def _copy(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / "model"))


def _refused(folder: Path, message: str) -> None:
    with pytest.raises(ArtsoundError, match=message) as caught:
        CLIPScorer.from_checkpoint(folder)
    assert "\n" not in str(caught.value)


def test_bad_folders_are_one_line(folder: Path, tmp_path: Path) -> None:
    _refused(tmp_path / "nowhere", "nowhere does not exist: give the folder")
    _refused(folder / "config.json", "is a file: give the folder")
    copy = _copy(folder, tmp_path)
    weights, config = copy / "model.safetensors", copy / "config.json"
    whole, settings_ = weights.read_bytes(), config.read_text()

    weights.write_bytes(whole[: len(whole) // 2])
    _refused(copy, r"model\.safetensors is damaged")
    weights.unlink()
    _refused(copy, r"holds no weights: it needs model\.safetensors or pytorch_model\.bin")
    weights.write_bytes(whole)

    config.write_text(settings_.replace('"model_type": "clip"', '"model_type": "clip_text_model"'))
    _refused(copy, "is of a clip_text_model model, not of clip")
    config.write_text(settings_[:40])
    _refused(copy, r"config\.json is damaged")
    config.unlink()
    _refused(copy, r"has no config\.json")
    config.write_text(settings_)

    tensors = load_file(weights)
    blind = {name: tensor for name, tensor in tensors.items() if "vision" not in name}
    save_file(blind, weights)
    _refused(copy, r"CLIPModel: vision_model\..* is missing \(and \d+ more\)")
    save_file(tensors | {"more": torch.zeros(1)}, weights)
    _refused(copy, "more is not expected")
    save_file(tensors | {"logit_scale": torch.zeros(2)}, weights)
    _refused(copy, r"logit_scale has the shape \(2,\), not \(\)")


def test_bad_tokenizers_are_one_line(folder: Path, tmp_path: Path) -> None:
    copy = _copy(folder, tmp_path)
    vocabulary = copy / "vocab.json"
    whole = vocabulary.read_text()
    vocabulary.write_text(whole[:100])
    _refused(copy, "the tokenizer in .* is damaged")
    more = json.loads(whole)
    more |= {f"extra{number}": len(more) + number for number in range(5)}
    vocabulary.write_text(json.dumps(more))
    _refused(copy, r"has 719 tokens and the model 714: they are not of one model")
    vocabulary.unlink()
    _refused(copy, r"has no tokenizer: it needs tokenizer\.json")


def test_a_pytorch_bin_is_read_safely(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scorer: CLIPScorer
) -> None:
    monkeypatch.setenv("ARTSOUND_CACHE", str(tmp_path / "cache"))
    copy = _copy(folder, tmp_path)
    tensors = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    torch.save(tensors, copy / "pytorch_model.bin")
    np.testing.assert_array_equal(
        CLIPScorer.from_checkpoint(copy).text_features(["a boat"]), scorer.text_features(["a boat"])
    )
    torch.save({"weight": tensors["logit_scale"], "code": Path("x")}, copy / "pytorch_model.bin")
    _refused(copy, "more than tensors and plain values")


def test_another_pac_checkpoint_is_one_line(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "pac.pth"
    with pytest.raises(ArtsoundError, match=r"no checkpoint .*pac\.pth"):
        PacScorer.from_checkpoint(path, base=folder)
    tensors = tiny_clip.pac_state_dict()
    for change, complaint in (
        ({"visual.lora": torch.zeros(1)}, r"visual\.lora is not expected"),
        ({"visual.proj": torch.zeros(3, 3)}, r"visual_projection\.weight has the shape \(3, 3\)"),
    ):
        torch.save({"state_dict": tensors | change}, path)
        with pytest.raises(ArtsoundError, match=complaint):
            PacScorer.from_checkpoint(path, base=folder)
        path.unlink()
    del tensors["visual.proj"]
    torch.save({"state_dict": tensors, "optimizer": {"lr": torch.zeros(1)}}, path)
    with pytest.raises(ArtsoundError, match=r"visual_projection\.weight is missing \(and 1 more\)"):
        PacScorer.from_checkpoint(path, base=folder)
