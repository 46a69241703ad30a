"""Embeddings, read a part at a time: at the paper's size a table of them is half a gigabyte."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from artsound.errors import ArtsoundError
from artsound.report.columns import usable
from artsound.workspace import Workspace


def read_unit_vectors(
    workspace: Workspace, table: str, model: str
) -> tuple[list[Any], NDArray[np.float32]] | None:
    """Return the ids and vectors, shape (n, d), of the usable rows of an embeddings table.

    Memory holds the result and one part beside it.

    Returns:
        None if nothing was embedded.

    Raises:
        ArtsoundError: a row was made by another model than `model`.
    """
    paths = [workspace.part(table, shard) for shard in workspace.shards(table)]
    if not paths or "vector" not in pq.read_schema(paths[0]).names:
        return None
    dimension = pq.read_schema(paths[0]).field("vector").type.list_size
    found = np.empty(
        (sum(pq.read_metadata(path).num_rows for path in paths), dimension), np.float32
    )
    ids: list[Any] = []
    for path in paths:
        rows = usable(pq.read_table(path))
        others = set(pa.compute.unique(rows["model"]).to_pylist()) - {model}
        if others:
            raise ArtsoundError(
                f"{path}: embedded by {sorted(map(str, others))[0]}, not by {model}; run the build"
                f" with --redo-from {table}"
            )
        flat = rows["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        found[len(ids) : len(ids) + len(rows)] = flat.reshape(-1, dimension)
        ids += rows.column(0).to_pylist()
    return (ids, found[: len(ids)]) if ids else None
