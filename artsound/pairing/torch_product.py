"""Products by torch or BLAS, on a CPU or a GPU; what a product is, see `shortlist.Product`."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from artsound.pairing.shortlist import (
    Floats,
    Indices,
    Shortlist,
    View,
    best_entries,
    of_columns,
    of_whole,
    padded,
)
from artsound.pairing.similarity import FLOAT32_ROUNDOFF, Vectors

_BFLOAT16_ROUNDOFF: Final = 2.0**-8
# Rows that fit a cache, where something is done with them in several steps.
_ROWS_AT_ONCE: Final = 16
_TAIL_ROWS: Final = 192


class TorchProduct:
    """Products by torch or BLAS, with entries chosen by a compiled loop, or by torch on a GPU.

    Args:
        columns: unit vectors, shape (m, d).
        kind: torch.float32 or torch.bfloat16.
        device: where to multiply.
    """

    def __init__(self, columns: Vectors, kind: torch.dtype, device: torch.device) -> None:
        self.kind, self.device = kind, device
        self.columns = torch.from_numpy(columns).to(device=device, dtype=kind)
        dimension = columns.shape[1]
        # |x'.y' - x.y| <= |x' - x||y'| + |x||y' - y|, and the sum's own rounding, for unit vectors.
        self.slack = 2.0 * (dimension + 8) * FLOAT32_ROUNDOFF + 1e-6
        self.relative = 0.0
        if kind is torch.bfloat16:
            self.slack += 1.01 * self._largest_error(columns)
            self.relative = _BFLOAT16_ROUNDOFF
        self.subset: Indices | None = None
        self._block = torch.empty(0)
        self._buffer = torch.empty(0, dtype=kind, device=device)
        self._rows_error = 0.0

    def _largest_error(self, vectors: Vectors) -> float:
        """Return how far rounding moves a vector at the most."""
        largest = 0.0
        for start in range(0, len(vectors), 8192):
            part = torch.from_numpy(vectors[start : start + 8192])
            moved = torch.linalg.vector_norm(part - part.to(self.kind).float(), dim=1)
            largest = max(largest, float(moved.max()))
        return largest

    def score(self, rows: Vectors, columns: Indices | None = None) -> int:
        """See `Product.score`."""
        self.subset = columns
        chosen = self.columns
        if columns is not None:
            chosen = chosen[torch.from_numpy(columns).to(self.device)]
        size = len(rows) * len(chosen)
        if self._buffer.numel() < size:
            self._buffer = torch.empty(size, dtype=self.kind, device=self.device)
        self._block = self._buffer[:size].view(len(rows), len(chosen))
        if self.kind is torch.bfloat16:
            self._rows_error = 1.01 * self._largest_error(rows)
        if self.kind is torch.float32 and self.device.type == "cpu":
            # numpy's BLAS: torch's is slow on CPUs that its vendor does not make.
            np.matmul(rows, chosen.numpy().T, out=self._block.numpy())
        else:
            part = torch.from_numpy(rows).to(device=self.device, dtype=self.kind)
            torch.mm(part, chosen.T, out=self._block)
        return size

    def shortlist(self, within: Indices, rows: Indices, view: View, count: int) -> Shortlist:
        """See `Product.shortlist`."""
        if self.subset is not None:
            view = of_columns(view, self.subset)
        slack = self.slack + self._rows_error
        shift = view.row_shift[rows]
        if self.device.type != "cpu":
            found = self._on_device(within, shift, view, count, slack)
        elif view.tail:
            found = self._tail_averse(within, shift, view, count, slack)
        else:
            floats, bits, slack32, relative = self.block()
            found = best_entries(
                floats,
                bits,
                within,
                shift.astype(np.float32),
                (view.column_shift + view.price).astype(np.float32),
                view.floor,
                slack32,
                relative,
                min(count, self._block.shape[1]),
            )
        return of_whole(Shortlist(*found), self.subset)

    def block(self) -> tuple[Floats, NDArray[np.uint16], np.float32, np.float32]:
        """Return the last block, on a CPU, and how far its entries x may be off.

        Returns:
            The block as float32, or else the bits of its bfloat16, shape (b, m), the other one
            empty; the absolute error, and the error in terms of |x| that comes on top.
        """
        floats, bits = np.empty((0, 0), np.float32), np.empty((0, 0), np.uint16)
        if self.kind is torch.bfloat16:
            bits = self._block.view(torch.uint16).numpy()
        else:
            floats = self._block.numpy()
        slack = self.slack + self._rows_error + 1e-6
        return floats, bits, np.float32(slack), np.float32(self.relative)

    def _tail_averse(
        self, within: Indices, shift: NDArray[np.float64], view: View, count: int, slack: float
    ) -> tuple[NDArray[np.int32], Floats, Floats]:
        columns = torch.from_numpy((view.column_shift - slack).astype(np.float32))
        values = torch.empty((min(_TAIL_ROWS, len(within)), self._block.shape[1]))
        price = view.price.astype(np.float32)
        found = []
        for first in range(0, len(within), _TAIL_ROWS):
            rows = within[first : first + _TAIL_ROWS]
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                chosen = rows[start : start + _ROWS_AT_ONCE]
                part = values[start : start + len(chosen)]
                part.copy_(self._block[torch.from_numpy(chosen)])
                if self.relative:
                    part.add_(part.abs(), alpha=self.relative)
                its_shift = shift[first + start :][: len(chosen)].astype(np.float32)
                part.sub_(columns).sub_(torch.from_numpy(its_shift)[:, None])
                part.mul_(-1.0 / view.tail).exp_().mul_(-view.tail)
            found.append(
                best_entries(
                    values.numpy(),
                    np.empty((0, 0), np.uint16),
                    np.arange(len(rows)),
                    np.zeros(len(rows), np.float32),
                    price,
                    view.floor,
                    np.float32(2e-6),
                    np.float32(1e-6),
                    min(count, values.shape[1]),
                )
            )
        column, upper, rest = (np.concatenate(part) for part in zip(*found, strict=True))
        return column, upper, rest

    def _on_device(
        self, within: Indices, shift: NDArray[np.float64], view: View, count: int, slack: float
    ) -> tuple[NDArray[np.int32], Floats, Floats]:
        def there(values: NDArray[np.generic]) -> torch.Tensor:
            return torch.from_numpy(np.asarray(values, np.float32)).to(self.device)

        values = self._block[torch.from_numpy(within).to(self.device)].float()
        values += self.relative * values.abs() + slack
        values -= there(shift)[:, None] + there(view.column_shift)
        if view.tail:
            values.mul_(-1.0 / view.tail).exp_().mul_(-view.tail)
        values -= there(view.price)
        values += 2e-6 * (1 + values.abs())
        values.masked_fill_(values < there(view.floor), -torch.inf)
        best = values.topk(min(count + 1, values.shape[1]), dim=1)
        upper, column = best.values.cpu().numpy(), best.indices.cpu().numpy().astype(np.int32)
        column[upper == -np.inf] = -1
        return padded(column, upper, count)
