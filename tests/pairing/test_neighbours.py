from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artsound.pairing import ranks
from artsound.pairing.matching import both_sides
from artsound.pairing.neighbours import nearest_neighbours, occurrences
from artsound.pairing.ranks import neighbour_ranks
from tests.pairing.brute_force import Vectors, similarities
from tests.pairing.test_match import sides

Sides = tuple[Vectors, Vectors]


@given(sides(), st.integers(1, 6), st.sampled_from(["float32", "bfloat16", "faiss"]))
@settings(max_examples=200)
def test_nearest_neighbours_equal_sorting(given_sides: Sides, count: int, backend: str) -> None:
    audio, images = given_sides
    matrix = similarities(audio, images)
    tracks, artworks = both_sides(audio, images)
    near, value = nearest_neighbours(tracks, artworks, count, backend=backend, block_rows=4)
    order = np.lexsort((np.broadcast_to(np.arange(len(images)), matrix.shape), -matrix), axis=-1)
    np.testing.assert_array_equal(near[tracks.group], order[:, :count])
    expected = np.take_along_axis(matrix, order[:, :count], axis=1)
    np.testing.assert_array_equal(value[tracks.group], expected)


@given(sides(), st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=200)
def test_ranks_count_what_is_nearer(given_sides: Sides, random: object, coarse: bool) -> None:
    audio, images = given_sides
    matrix = similarities(audio, images)
    image = np.array([random.randrange(-1, len(images)) for _ in audio])  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "computes_in_bfloat16", lambda: coarse)
        artwork_rank, track_rank = neighbour_ranks(*both_sides(audio, images), image)
    for track, artwork in enumerate(image):
        if artwork < 0:
            assert artwork_rank[track] == track_rank[track] == 0
        else:
            value = matrix[track, artwork]
            assert artwork_rank[track] == 1 + (matrix[track] > value).sum()
            assert track_rank[track] == 1 + (matrix[:, artwork] > value).sum()


def test_occurrences_show_a_hub() -> None:
    rng = np.random.default_rng(0)
    audio, images = rng.standard_normal((50, 8)) + 2.0, rng.standard_normal((40, 8))
    images[7] = 1.0
    counts = occurrences(audio, images, count=3)
    assert counts.sum() == 150
    assert counts[7] == 50
