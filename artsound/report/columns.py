"""Small things that every table of the report does with columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from artsound.schema import Status


def usable(table: pa.Table) -> pa.Table:
    """Return the rows whose status is `ok`."""
    return table.filter(pc.equal(table["status"], Status.OK.value))


def numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column without its nulls, shape (rows,)."""
    column = table[name].drop_null().cast(pa.float64())
    return np.asarray(column.to_numpy(), np.float64)


def beside(keys: pa.ChunkedArray, table: pa.Table, name: str) -> pa.ChunkedArray:
    """Return what a table says of each key, in the keys' order; null where it has no such key.

    Args:
        keys: ids, as in the table's first column.
        table: with one row a key.
        name: the column that is wanted.
    """
    return table[name].take(pc.index_in(keys, value_set=table.column(0).combine_chunks()))


def counted(values: pa.ChunkedArray | pa.Array, unsaid: str) -> list[tuple[str, int]]:
    """Count values, the most frequent first and equal ones by name; nulls under `unsaid`."""
    found = pc.value_counts(pc.fill_null(values, unsaid)).to_pylist()
    pairs = [(str(one["values"]), int(one["counts"])) for one in found]
    return sorted(pairs, key=lambda one: (-one[1], one[0]))


def percent(part: float, whole: float) -> float | None:
    """Return a share in per cent; None of nothing."""
    return 100 * part / whole if whole else None


def by_order(pairs: pa.Table) -> NDArray[np.float64]:
    """Return the similarities of the pairs that were made, the first made first."""
    made = usable(pairs).sort_by("order")
    return numbers(made, "similarity")
