"""Reading ahead: a generator that works in a thread while its results are used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

_AHEAD: Final = 2


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield items in order, made in another thread, a few before they are asked for.

    Files are read and checked while others are compressed and written. What the items raise is
    raised here. If the caller stops early, the thread ends after the item it is at.
    """
    ready: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(_AHEAD)
    stop = threading.Event()

    def put(item: tuple[T] | BaseException | None) -> None:
        while not stop.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in items:
                put((item,))
                if stop.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is awaited
            put(error)
        else:
            put(None)

    worker = threading.Thread(target=work, name="ahead", daemon=True)
    worker.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        stop.set()
        worker.join()
