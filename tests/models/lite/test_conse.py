from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from artsound.models.base import Embedder, FloatArray, ImageTextScorer
from artsound.models.lite import musicnn
from artsound.models.lite.conse import ConseEmbedder, ConseScorer, conse, tag_phrase
from tests.models.lite.artworks import CATALOGUES, artwork

PROBABILITIES = hnp.arrays(np.float32, (3, 6), elements=st.floats(0, 1, width=32))
NAMES = np.eye(6, 8, dtype=np.float32)


@given(PROBABILITIES, st.integers(1, 6))
def test_conse_is_the_normalised_mean_of_the_top_names(rows: FloatArray, top: int) -> None:
    vectors = conse(rows, NAMES, top)
    for row, vector in zip(rows, vectors, strict=True):
        kept = np.zeros(6)
        best = sorted(range(6), key=lambda i: (-row[i], i))[:top]
        kept[best] = row[best]
        norm = np.linalg.norm(kept)
        expected = kept / norm if norm > 0 else kept
        if norm == 0 or norm > 1e-18:
            np.testing.assert_allclose(vector[:6], expected, atol=1e-5)


def test_negative_tags_are_silent_and_short_tags_speak_of_music() -> None:
    assert tag_phrase("no vocals") == tag_phrase("no voice") == ""
    assert tag_phrase("rock") == "rock music"
    phrases = {tag_phrase(tag) for tag in (*musicnn.MTT_LABELS, *musicnn.MSD_LABELS)}
    assert not any(phrase.startswith("no ") for phrase in phrases)


def test_embedder_puts_three_modalities_into_one_space() -> None:
    embedder = ConseEmbedder()
    assert isinstance(embedder, Embedder)
    seconds = np.arange(4 * 16_000) / 16_000
    tone = (0.3 * np.sin(2 * np.pi * 220 * seconds)).astype(np.float32)
    images = embedder.embed_images([artwork(stem) for stem in CATALOGUES])
    audio = embedder.embed_audio([tone], 16_000)
    text = embedder.embed_text(["a ship at sea", ""])
    for vectors, rows in ((images, len(CATALOGUES)), (audio, 1), (text, 2)):
        assert vectors.shape == (rows, 384)
        assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(np.vstack([images, audio]), axis=1), 1, atol=1e-5)
    ships = images @ text[0]
    assert list(CATALOGUES)[int(ships.argmax())] == "katsushika-hokusai_at-sea-off-kazusa"
    assert not text[1].any()


def test_empty_batches() -> None:
    embedder, scorer = ConseEmbedder(), ConseScorer()
    assert embedder.embed_images([]).shape == (0, 384)
    assert embedder.embed_audio([], 16_000).shape == (0, 384)
    assert scorer.image_features([]).shape == (0, 384)
    assert scorer.text_features([]).shape == (0, 384)


def test_scorer_prefers_the_right_caption() -> None:
    scorer = ConseScorer()
    assert isinstance(scorer, ImageTextScorer)
    stems = list(CATALOGUES)[:3]
    images = scorer.image_features([artwork(stem) for stem in stems])
    captions = ["A picture of a lion.", "Ships on the open sea.", "An old village church."]
    assert (images @ scorer.text_features(captions).T).argmax(axis=1).tolist() == [0, 1, 2]


def test_a_caption_longer_than_the_model_reads_counts_to_its_end() -> None:
    scorer = ConseScorer()
    long = "The sea is calm. " * 80
    ends = scorer.text_features([long + "A lion roars. " * 40, long + "A piano plays. " * 40])
    assert not np.allclose(ends[0], ends[1])
