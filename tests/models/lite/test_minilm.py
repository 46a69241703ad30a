from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artsound.models.lite import minilm

TEXTS = ["a boat on the sea", "a ship sails", "", "a piano", "slow, sad music " * 30]


def test_vectors_are_unit_and_empty_text_is_zero() -> None:
    vectors = minilm.load().embed([*TEXTS, "  \n"])
    assert vectors.shape == (6, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0, 1, 1, 0], atol=1e-6)


def test_meaning_is_near() -> None:
    boat, ship, _, piano, _ = minilm.load().embed(TEXTS)
    assert boat @ ship > 0.5 > boat @ piano


def test_no_texts() -> None:
    assert minilm.load().embed([]).shape == (0, 384)


@settings(max_examples=10)
@given(st.permutations(range(len(TEXTS))), st.integers(1, len(TEXTS)))
def test_a_vector_does_not_depend_on_its_batch(order: list[int], count: int) -> None:
    alone = np.concatenate([minilm.load().embed([text]) for text in TEXTS])
    picked = order[:count]
    together = minilm.load().embed([TEXTS[i] for i in picked])
    np.testing.assert_allclose(together, alone[picked], atol=2e-6)


def test_reading_stops_at_256_word_pieces() -> None:
    model = minilm.load()
    long = "music " * 254
    assert model.fits(long)
    assert not model.fits(long + "music")
    np.testing.assert_allclose(model.embed([long]), model.embed([long + "train " * 50]), atol=2e-6)


def test_loading_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    minilm.MiniLM()
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""
