"""Candidate search by FAISS."""

from __future__ import annotations

from typing import Final

import numpy as np

from artsound.errors import MissingDependency, UsageError
from artsound.pairing.shortlist import Indices, Shortlist, View, of_columns, of_whole, padded
from artsound.pairing.similarity import FLOAT32_ROUNDOFF, Vectors

# FAISS cannot leave out, row by row, what a row would not get, so it looks further down.
_DEPTH: Final = 4


class FaissProduct:
    """Candidate search by FAISS, for those who run it anyway; it looks wider where it has to.

    Args:
        columns: unit vectors, shape (m, d).
    """

    def __init__(self, columns: Vectors) -> None:
        try:
            import faiss
        except ImportError as error:
            raise MissingDependency("pairing backend faiss", "pip install faiss-cpu") from error
        self._faiss = faiss
        self.columns = columns
        self.subset: Indices | None = None
        self.slack = 2.0 * (columns.shape[1] + 8) * FLOAT32_ROUNDOFF + 2e-6
        self._rows = columns[:0]
        self._chosen = columns

    def score(self, rows: Vectors, columns: Indices | None = None) -> int:
        """See `Product.score`; the work is done by each `shortlist`."""
        self.subset, self._rows = columns, rows
        self._chosen = self.columns if columns is None else self.columns[columns]
        return len(rows) * len(self._chosen)

    def shortlist(self, within: Indices, rows: Indices, view: View, count: int) -> Shortlist:
        """See `Product.shortlist`.

        Shifts and prices are one more dimension of the vectors: FAISS ranks by s - shift - price.
        """
        if self.subset is not None:
            view = of_columns(view, self.subset)
        if view.tail:
            raise UsageError("pairing backend faiss: not for tail-averse pairing; use auto")
        offset = (view.column_shift + view.price).astype(np.float32)
        queries, base = self._rows[within], self._chosen
        if offset.any():
            base = np.hstack([base, -offset[:, None]])
            queries = np.hstack([queries, np.ones((len(queries), 1), np.float32)])
        depth = min(len(base), _DEPTH * count)
        scores, found = self._faiss.knn(
            np.ascontiguousarray(queries),
            np.ascontiguousarray(base),
            depth,
            metric=self._faiss.METRIC_INNER_PRODUCT,
        )
        slack = self.slack * (1 + np.abs(offset).max(initial=0.0))
        upper = scores - view.row_shift[rows].astype(np.float32)[:, None] + np.float32(slack)
        column = found.astype(np.int32)
        # What FAISS did not return is no better than the last that it did.
        rest = upper[:, -1].copy() if depth < len(base) else np.full(len(within), -np.inf)
        wanted = (column >= 0) & (upper >= view.floor[column])
        place = np.argsort(~wanted, axis=1, kind="stable")
        column = np.take_along_axis(np.where(wanted, column, -1), place, axis=1)
        upper = np.take_along_axis(np.where(wanted, upper, -np.inf), place, axis=1)
        column, upper, left_out = padded(column, upper.astype(np.float32), count)
        rest = np.maximum(rest, left_out).astype(np.float32)
        return of_whole(Shortlist(column, upper, rest), self.subset)
