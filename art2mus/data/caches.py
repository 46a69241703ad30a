"""Arrays on disk by key: appended in batches, each wholly or not at all, and read as a memory map.

A cache is a folder::

    cache.json   format, shape and type of a row
    keys.txt     one line a batch: the keys of its rows, in order
    rows.bin     the rows, one after another

A batch is written to `rows.bin` first, and counts once its line in `keys.txt` has its end. So a
process that is killed leaves whole batches, and rows or a piece of a line after them that the next
writer cuts off. Nothing that counts is ever changed, so readers need no lock.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock
from numpy.typing import DTypeLike, NDArray

from artsound.errors import ArtsoundError

FORMAT: Final = 1
_ABOUT: Final = "cache.json"
_KEYS: Final = "keys.txt"
_ROWS: Final = "rows.bin"


class ArrayCache:
    """Arrays of one shape and type, by key.

    Args:
        folder: where it is; made with the first batch.
        shape: of a row. What a folder holds already must have the same.
        dtype: of a row, likewise.

    Raises:
        ArtsoundError: the folder holds a cache of another shape or type, or a damaged one.
    """

    def __init__(self, folder: Path, shape: Sequence[int], dtype: DTypeLike) -> None:
        self.folder = folder
        self.shape = tuple(int(size) for size in shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._index: dict[str, int] = {}
        self._read_bytes = 0
        self._lock = FileLock(folder / ".lock")
        held = self.stored(folder)
        if held is not None and held != (self.shape, self.dtype):
            raise ArtsoundError(
                f"{folder} holds rows of {held[1]} {held[0]}, not of {self.dtype} {self.shape}:"
                " delete it"
            )
        self.refresh()

    @staticmethod
    def stored(folder: Path) -> tuple[tuple[int, ...], np.dtype[Any]] | None:
        """Return the shape and type of the rows in a folder; None if it holds no cache.

        Raises:
            ArtsoundError: its cache.json is damaged or of another format.
        """
        path = folder / _ABOUT
        if not path.is_file():
            return None
        try:
            about = json.loads(path.read_text("utf-8"))
            if about["format"] == FORMAT:
                return tuple(about["shape"]), np.dtype(about["dtype"])
        except (ValueError, KeyError, TypeError) as error:
            raise ArtsoundError(f"{path} is damaged: delete {folder}") from error
        raise ArtsoundError(f"{path} has another format than {FORMAT}: delete {folder}")

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, key: str) -> bool:
        return key in self._index

    def refresh(self) -> None:
        """Read which rows were added since, by this or another process.

        Raises:
            ArtsoundError: rows are missing from the file.
        """
        path = self.folder / _KEYS
        if not path.is_file():
            return
        with path.open("rb") as stream:
            stream.seek(self._read_bytes)
            added = stream.read()
        whole = added[: added.rfind(b"\n") + 1]
        for key in whole.decode("ascii").split():
            self._index.setdefault(key, len(self._index))
        self._read_bytes += len(whole)
        held = _size(self.folder / _ROWS)
        if held < len(self) * self._row_bytes:
            raise ArtsoundError(
                f"{self.folder / _ROWS} has {held} bytes, which are less than {len(self)} rows:"
                f" delete {self.folder}"
            )

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Return the keys that have no row, each once, in order."""
        return [key for key in dict.fromkeys(keys) if key not in self._index]

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer; waits while another process is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            if self.stored(self.folder) is None:
                about = {"format": FORMAT, "shape": self.shape, "dtype": self.dtype.str}
                temporary = self.folder / f".{_ABOUT}.{os.getpid()}"
                temporary.write_text(f"{json.dumps(about)}\n", "utf-8")
                temporary.replace(self.folder / _ABOUT)
            self.refresh()
            yield

    def append(self, keys: Sequence[str], arrays: NDArray[Any]) -> None:
        """Add rows as one batch: after a crash all of them are there, or none.

        Keys that have a row keep it.

        Args:
            keys: without spaces, ASCII.
            arrays: shape (keys, *shape); converted to the cache's type.

        Raises:
            ValueError: a key or the shape does not fit.
        """
        if np.shape(arrays) != (len(keys), *self.shape):
            raise ValueError(f"{len(keys)} keys and arrays of the shape {np.shape(arrays)}")
        if any(not key or not key.isascii() or key.split() != [key] for key in keys):
            raise ValueError("a key is one word of ASCII")
        with self.writing():
            new = self.missing(keys)
            if not new:
                return
            first = {key: place for place, key in reversed(list(enumerate(keys)))}
            rows = np.ascontiguousarray(arrays[[first[key] for key in new]], self.dtype)
            self._write(_ROWS, rows.tobytes(), len(self) * self._row_bytes)
            self._write(_KEYS, (" ".join(new) + "\n").encode("ascii"), self._read_bytes)
            self.refresh()

    def rows(self, keys: Sequence[str]) -> Rows:
        """Return the rows of keys, in order, as a view of the file.

        Raises:
            KeyError: a key has no row.
        """
        return Rows(
            self.folder / _ROWS,
            len(self),
            self.shape,
            self.dtype,
            np.fromiter((self._index[key] for key in keys), np.int64, len(keys)),
        )

    @property
    def _row_bytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def _write(self, name: str, data: bytes, at: int) -> None:
        """Write at a place, and nothing after it: what a killed writer left there goes."""
        with (self.folder / name).open("ab") as stream:
            stream.truncate(at)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())


class Rows(Sequence[Any]):
    """Rows of a cache, by number; memory holds the numbers, and the file is mapped when it is read.

    It is small to send to another process, which maps the file anew.

    Args:
        path: the file.
        count: how many rows it has, at least.
        shape: of a row.
        dtype: of a row.
        places: which rows of the file these are, in order.
    """

    def __init__(
        self,
        path: Path,
        count: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        places: NDArray[np.int64],
    ) -> None:
        self.path = path
        self.shape = shape
        self.dtype = dtype
        self._count = count
        self._places = places
        self._map: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        """Return a row, shape `shape`; or several rows, of a slice or an array of numbers."""
        if self._map is None:
            self._map = np.memmap(self.path, self.dtype, "r", shape=(self._count, *self.shape))
        return np.asarray(self._map[self._places[index]])

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_map": None}


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
