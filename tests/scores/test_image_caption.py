from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from artsound.errors import ArtsoundError
from artsound.scores import clip_score, ic_score, pac_score
from artsound.scores.image_caption import ic_score_basis

unit = st.floats(0, 1)
features = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.floats(-1e3, 1e3)
)


@given(features, st.floats(0, 5), st.integers(0, 99))
def test_clip_score_is_the_clipped_cosine(
    images: NDArray[np.float64], weight: float, seed: int
) -> None:
    texts = np.random.default_rng(seed).standard_normal(images.shape)
    scores = clip_score(images, texts, weight)
    assert scores.dtype == np.float64
    assert scores.shape == (len(images),)
    for image, text, score in zip(images, texts, scores, strict=True):
        length = math.hypot(*image) * math.hypot(*text)
        cosine = math.fsum(image * text) / length if length > 0 else 0.0
        assert score == pytest.approx(min(max(weight * cosine, 0.0), 1.0), abs=1e-9)


def test_clip_and_pac_weights() -> None:
    image, text = [[1.0, 0.0]], [[0.3, math.sqrt(1 - 0.09)]]
    assert clip_score(image, text)[0] == pytest.approx(0.75)
    assert pac_score(image, text)[0] == pytest.approx(0.60)
    assert clip_score(image, image)[0] == 1.0


def test_length_does_not_matter_and_zero_scores_zero() -> None:
    text = [[1.0, 2.0]]
    base = clip_score([[1.0, 0.5]], text, 1.0)
    for scale in (1e-200, 1e-3, 1e200):
        np.testing.assert_allclose(clip_score([[scale, 0.5 * scale]], text, 1.0), base)
    assert clip_score([[0.0, 0.0]], text)[0] == 0.0
    assert clip_score([[-1.0, -2.0]], text)[0] == 0.0


@given(unit, unit, unit, unit)
def test_ic_score_lies_between_and_grows(clip: float, pac: float, more: float, g: float) -> None:
    score = float(ic_score(clip, pac, g))
    assert min(clip, pac) - 1e-12 <= score <= max(clip, pac) + 1e-12
    assert ic_score(max(clip, more), pac, g) >= score
    assert ic_score(clip, max(pac, more), g) >= score


def test_ic_score_of_the_paper() -> None:
    # Table 1: equation 1 is linear, so it holds of the means.
    assert float(ic_score(0.7821, 0.8431)) == pytest.approx(0.8217, abs=1e-4)
    assert float(ic_score(1.0, 1.0)) == pytest.approx(1.0)
    np.testing.assert_allclose(ic_score([0.0, 1.0], [1.0, 0.0]), [0.65, 0.35])


def test_ic_score_without_pac_is_clip() -> None:
    assert float(ic_score(0.4, None)) == 0.4
    assert ic_score_basis(None) == "clip"
    assert ic_score_basis(0.5) == "clip+pac"


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ArtsoundError, match=r"\(1, 2\) do not fit text features of shape \(2, 2\)"):
        clip_score([[1.0, 2.0]], [[1.0, 2.0], [1.0, 2.0]])
    with pytest.raises(ArtsoundError, match=r"expected \(n, d\)"):
        clip_score([1.0], [1.0])
    with pytest.raises(ArtsoundError, match="text features, row 1: not finite"):
        clip_score(np.ones((2, 2)), [[1.0, 1.0], [1.0, math.nan]])
    with pytest.raises(ArtsoundError, match="do not fit PAC-Scores"):
        ic_score([0.1, 0.2], [0.1])
    with pytest.raises(ArtsoundError, match="a CLIP-Score is not finite"):
        ic_score(math.nan, 0.5)
