from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from artsound.pairing.similarity import similarity, similarity_block, unit_vectors

finite = st.floats(-1e300, 1e300, allow_subnormal=True)


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=finite))
@settings(deadline=None)
def test_unit_vectors_have_length_one_or_zero(values: NDArray[np.float64]) -> None:
    unit = unit_vectors(values, "x")
    assert unit.dtype == np.float32
    lengths = np.linalg.norm(unit.astype(np.float64), axis=1)
    np.testing.assert_allclose(lengths, values.any(axis=1).astype(float), atol=1e-6)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 70), st.booleans(), st.integers(0, 9))
@settings(deadline=None, max_examples=60)
def test_block_equals_the_definition_to_the_bit(
    n: int, m: int, dimension: int, coarse: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((n, dimension)), rng.standard_normal((m, dimension))
    if coarse:  # exact zeros and values on the edge of rounding
        a, b = a.round(), b.round()
    x, y = unit_vectors(a, "a"), unit_vectors(b, "b")
    block = similarity_block(x, y)
    expected = similarity(np.repeat(x, m, axis=0), np.tile(y, (n, 1))).reshape(n, m)
    np.testing.assert_array_equal(block.view(np.uint32), expected.view(np.uint32))


def test_value_does_not_depend_on_the_block() -> None:
    rng = np.random.default_rng(3)
    x = unit_vectors(rng.standard_normal((300, 257)), "x")
    y = unit_vectors(np.repeat(rng.standard_normal((7, 257)), 900, axis=0), "y")
    whole = similarity_block(x, y)
    for start, stop in [(0, 1), (5, 8), (100, 300)]:
        np.testing.assert_array_equal(similarity_block(x[start:stop], y), whole[start:stop])
    # Equal artworks are equally similar, wherever they stand.
    np.testing.assert_array_equal(whole.reshape(300, 7, 900), whole[:, ::900, None].repeat(900, 2))


def test_is_the_cosine() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((20, 30)), rng.standard_normal((20, 30))
    expected = [
        math.fsum(p * q for p, q in zip(u, v, strict=True)) / math.sqrt(u @ u) / math.sqrt(v @ v)
        for u, v in zip(a, b, strict=True)
    ]
    values = similarity(unit_vectors(a, "a"), unit_vectors(b, "b"))
    assert values == pytest.approx(expected, abs=1e-6)
