"""Batches for models, such that one bad item costs that item only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from artsound.errors import ArtsoundError

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_batches(
    items: Sequence[Item], size: int, call: Callable[[Sequence[Item]], Iterable[Result]]
) -> list[Result | Exception]:
    """Call a model on batches; where a batch fails, call it again on each of its items.

    Args:
        items: the inputs.
        size: items a batch.
        call: returns one result an input.

    Returns:
        One entry an item, in order: the result, or the exception that the item raised alone.

    Raises:
        ArtsoundError: from the model itself (weights missing, wrong file): no item is at fault.
    """
    results: list[Result | Exception] = []
    for start in range(0, len(items), size):
        batch = items[start : start + size]
        made: list[Result | Exception]
        try:
            made = list(call(batch))
        except (ArtsoundError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - the item's fault, kept as its row's reason
            made = [error] if len(batch) == 1 else in_batches(batch, 1, call)
        if len(made) != len(batch):
            raise ArtsoundError(f"the model gave {len(made)} results for {len(batch)} inputs")
        results.extend(made)
    return results
