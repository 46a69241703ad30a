"""What every product promises about its shortlists, whatever computes them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from artsound.errors import UsageError
from artsound.pairing import products
from artsound.pairing.faiss_product import FaissProduct
from artsound.pairing.products import product_for
from artsound.pairing.shortlist import Product, Shortlist, View
from artsound.pairing.similarity import Vectors, similarity_matrix, unit_vectors
from artsound.pairing.torch_product import TorchProduct


class OnDevice(TorchProduct):
    """Chooses entries as on a GPU, by torch, on whatever device there is."""

    def shortlist(self, within: np.ndarray, rows: np.ndarray, view: View, count: int) -> Shortlist:
        shift, slack = view.row_shift[rows], self.slack + self._rows_error
        return Shortlist(*self._on_device(within, shift, view, count, slack))


def _product(name: str, columns: Vectors) -> Product:
    cpu = torch.device("cpu")
    if name == "faiss":
        return FaissProduct(columns)
    kind = torch.bfloat16 if "bfloat16" in name else torch.float32
    return (OnDevice if "device" in name else TorchProduct)(columns, kind, cpu)


@given(
    st.sampled_from(["float32", "bfloat16", "faiss", "device float32", "device bfloat16"]),
    st.integers(1, 12),
    st.integers(1, 200),
    st.integers(1, 70),
    st.integers(1, 20),
    st.integers(0, 50),
    st.sampled_from([0.0, 0.15]),
    st.booleans(),
)
@settings(max_examples=300)
def test_bounds_hold(
    name: str, n: int, m: int, d: int, count: int, seed: int, tail: float, priced: bool
) -> None:
    if name == "faiss" and tail:
        tail = 0.0
    rng = np.random.default_rng(seed)
    rows = unit_vectors(rng.standard_normal((n, d)), "a")
    columns = unit_vectors(rng.standard_normal((m, d)), "b")
    view = View(
        rng.uniform(0, 0.3, n) if priced else np.zeros(n),
        rng.uniform(0, 0.3, m) if priced else np.zeros(m),
        rng.uniform(0, 0.5, m) if priced else np.zeros(m),
        np.where(rng.random(m) < 0.3, 0.1, -np.inf).astype(np.float32),
        tail,
    )
    value = similarity_matrix(rows, columns) - view.row_shift[:, None] - view.column_shift
    if tail:
        value = -tail * np.exp(-value / tail)
    value -= view.price
    product = _product(name, columns)
    assert product.score(rows) == n * m
    inside = np.arange(n)
    found = product.shortlist(inside, inside, view, count)
    for row in range(n):
        listed = found.column[row][found.column[row] >= 0]
        assert len(set(listed.tolist())) == len(listed) <= count
        assert (found.upper[row, : len(listed)] >= value[row, listed]).all()
        others = np.setdiff1d(np.arange(m), listed)
        # What is not listed cannot reach its floor, or is not worth more than the bound.
        reaching = others[value[row, others] >= view.floor[others]]
        assert (value[row, reaching] <= found.rest[row]).all()
        if found.rest[row] == -np.inf:
            assert not len(reaching)


def test_auto_takes_bfloat16_only_where_the_cpu_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = np.ones((4, 2), np.float32)
    monkeypatch.setattr(products, "computes_in_bfloat16", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    large, small = product_for(columns, "auto", 2**31), product_for(columns, "auto", 10)
    assert isinstance(large, TorchProduct)
    assert isinstance(small, TorchProduct)
    assert (large.kind, small.kind) == (torch.bfloat16, torch.float32)
    monkeypatch.setattr(products, "computes_in_bfloat16", lambda: False)
    plain = product_for(columns, "auto", 2**31)
    assert isinstance(plain, TorchProduct)
    assert plain.kind is torch.float32
    with pytest.raises(UsageError, match="torch sees no GPU; use auto"):
        product_for(columns, "cuda", 10)
