"""Compiling the inner loops of pairing with numba.

The compiled code is cached beside the module, or in the user's cache folder where the package is
read-only, so that only the first run on a machine waits for the compiler.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

_F = TypeVar("_F", bound=Callable[..., object])

# Iterates in parallel inside a function compiled by `compiled_parallel`, like `range` elsewhere.
prange = numba.prange


def compiled(function: _F) -> _F:
    """Compile a function to machine code on its first call; floats keep IEEE semantics."""
    return cast(_F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def compiled_parallel(function: _F) -> _F:
    """Compile a function whose `prange` loops run on all of the process's threads."""
    return cast(
        _F, numba.njit(cache=True, nogil=True, error_model="numpy", parallel=True)(function)
    )
