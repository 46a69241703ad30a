"""Batches for models, such that one bad item costs that item only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from artsound.errors import ArtsoundError

Item = TypeVar("Item")
Result = TypeVar("Result")

# How many equal failures in a row are taken for the model's fault rather than the items'.
_SEVERAL: Final = 4


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
        ArtsoundError: from the model itself (weights missing, wrong file), or because every one of
            several items failed in the same way: no item is at fault.
    """
    results = _called(items, size, call)
    failures = {f"{type(found).__name__}: {found}" for found in results if _failed(found)}
    if len(results) >= _SEVERAL and len(failures) == 1 and all(map(_failed, results)):
        raise ArtsoundError(f"the model fails on every item it is given: {failures.pop()}")
    return results


def _called(
    items: Sequence[Item], size: int, call: Callable[[Sequence[Item]], Iterable[Result]]
) -> list[Result | Exception]:
    results: list[Result | Exception] = []
    for start in range(0, len(items), size):
        batch = items[start : start + size]
        made: list[Result | Exception]
        try:
            made = list(call(batch))
        except (ArtsoundError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - the item's fault, kept as its row's reason
            made = [error] if len(batch) == 1 else _called(batch, 1, call)
        if len(made) != len(batch):
            raise ArtsoundError(f"the model gave {len(made)} results for {len(batch)} inputs")
        results.extend(made)
    return results


def _failed(result: object) -> bool:
    return isinstance(result, Exception)
