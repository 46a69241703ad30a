from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from artsound.pairing.similarity import (
    grouped,
    places_of,
    side_of,
    similarity,
    similarity_matrix,
    unit_vectors,
)
from tests.pairing.brute_force import defined_similarity

finite = st.floats(-1e300, 1e300, allow_subnormal=True)


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=finite))
def test_unit_vectors_have_length_one_or_zero(values: NDArray[np.float64]) -> None:
    unit = unit_vectors(values, "x")
    assert unit.dtype == np.float32
    assert not np.signbit(unit[unit == 0]).any()
    lengths = np.linalg.norm(unit.astype(np.float64), axis=1)
    np.testing.assert_allclose(lengths, values.any(axis=1).astype(float), atol=1e-6)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 200), st.booleans(), st.integers(0, 9))
@settings(max_examples=60)
def test_equals_the_definition_to_the_bit(
    n: int, m: int, dimension: int, coarse: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((n, dimension)), rng.standard_normal((m, dimension))
    if coarse:  # exact zeros and values on the edge of rounding
        a, b = a.round(), b.round()
    x, y = unit_vectors(a, "a"), unit_vectors(b, "b")
    expected = np.array([[defined_similarity(p, q) for q in y] for p in x], dtype=np.float32)
    whole = similarity_matrix(x, y)
    np.testing.assert_array_equal(whole.view(np.uint32), expected.view(np.uint32))
    # A value does not depend on what is computed beside it.
    alone = similarity(x[:1], y[:1])
    np.testing.assert_array_equal(alone, whole[:1, 0])


def test_is_the_cosine() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((20, 30)), rng.standard_normal((20, 30))
    expected = [
        math.fsum(p * q for p, q in zip(u, v, strict=True)) / math.sqrt(u @ u) / math.sqrt(v @ v)
        for u, v in zip(a, b, strict=True)
    ]
    values = similarity(unit_vectors(a, "a"), unit_vectors(b, "b"))
    assert values == pytest.approx(expected, abs=1e-6)


def test_equal_vectors_stand_once() -> None:
    side = side_of(np.array([[0.0, 2.0], [1.0, 0.0], [0.0, 1.0], [-0.0, 3.0], [0.0, 0.0]]), "x")
    np.testing.assert_array_equal(side.vectors, [[0, 1], [1, 0], [0, 0]])
    np.testing.assert_array_equal(side.group, [0, 1, 0, 0, 2])
    np.testing.assert_array_equal(side.first, [0, 1, 4])
    assert [items.tolist() for items in grouped(side.group)] == [[0, 2, 3], [1], [4]]
    item, start = places_of(side, 2)
    assert item.tolist() == [0, 0, 2, 2, 3, 3, 1, 1, 4, 4]
    assert start.tolist() == [0, 6, 8, 10]
