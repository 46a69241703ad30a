"""Finding the few artworks that a track could want, by matrix products with a known error.

A product says approximately how similar a block of tracks is to all artworks, and of each row the
best entries are kept, each with an upper bound of its true value, and one bound for all the rest.
Whoever computes the kept ones by the definition (`similarity.dot`) and never goes below the bound
gets the same result from every product: in float32 or bfloat16, on a CPU or a GPU, or by FAISS.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from artsound.cpuinfo import cpuinfo
from artsound.errors import UsageError
from artsound.pairing.faiss_product import FaissProduct
from artsound.pairing.shortlist import Product
from artsound.pairing.similarity import Vectors

BACKENDS: Final = ("auto", "float32", "bfloat16", "cuda", "faiss")

# Below this many multiplications a bfloat16 product saves nothing.
_SMALL: Final = 2**31
# Similarities in memory at a time, and the rows that they are cut to at the most.
_BLOCK_PAIRS: Final = 2**26
_MOST_ROWS: Final = 1024


def rows_in_block(columns: int, wanted: int = 0) -> int:
    """Return how many rows of similarities with that many columns to hold at a time."""
    return wanted or int(np.clip(_BLOCK_PAIRS // columns, 1, _MOST_ROWS))


def product_for(columns: Vectors, backend: str, rows: int) -> Product:
    """Return the product that a backend's name stands for.

    Args:
        columns: unit vectors, shape (m, d).
        backend: `auto` takes a GPU where there is one, else bfloat16 where the CPU computes in it,
            else float32; all give the same pairs.
        rows: how many rows will be scored, to see whether bfloat16 pays.

    Raises:
        UsageError: no such backend, or no GPU.
        MissingDependency: FAISS is not installed.
    """
    if backend not in BACKENDS:
        raise UsageError(f"unknown pairing backend {backend!r}: available: {', '.join(BACKENDS)}")
    if backend == "faiss":
        return FaissProduct(columns)

    # Seconds, which a command that pairs nothing does not wait for.
    import torch

    from artsound.pairing.torch_product import TorchProduct

    if backend == "cuda" and not torch.cuda.is_available():
        raise UsageError("pairing backend cuda: torch sees no GPU; use auto")
    large = rows * columns.size > _SMALL
    if backend == "cuda" or (backend == "auto" and large and torch.cuda.is_available()):
        return TorchProduct(columns, torch.float32, torch.device("cuda"))
    if backend == "bfloat16" or (backend == "auto" and large and computes_in_bfloat16()):
        return TorchProduct(columns, torch.bfloat16, torch.device("cpu"))
    return TorchProduct(columns, torch.float32, torch.device("cpu"))


def computes_in_bfloat16() -> bool:
    """Return whether the CPU multiplies bfloat16 itself; without that it is slower than float32."""
    flags = cpuinfo().split()
    return "avx512_bf16" in flags or "amx_bf16" in flags
