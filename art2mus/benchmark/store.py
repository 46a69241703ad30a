"""The features of clips, artworks and captions, kept by content and embedder in one SQLite file.

A feature's key is the checksum of what it was made from and of how much of it was heard; its
embedder is told by the content of its weights and its version. So features outlive a killed run,
are shared by the benchmark's runs on one release, and never go stale.
"""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, overload

import numpy as np
from numpy.typing import NDArray

from artsound.errors import ArtsoundError

_FILE: Final = "features.sqlite"
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS features (embedder TEXT NOT NULL, key TEXT NOT NULL,"
    " name TEXT NOT NULL, array BLOB NOT NULL, PRIMARY KEY (embedder, key, name)) WITHOUT ROWID"
)
_WAIT_S: Final = 120.0


class FeatureStore:
    """The store of a cache folder; in memory's reach is only what is asked for.

    Args:
        folder: where it is, and is made; processes may share it.

    Raises:
        ArtsoundError: there is a file of that name that is no store.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / _FILE
        try:
            self._database = sqlite3.connect(self.path, timeout=_WAIT_S)
            self._database.execute(_TABLE)
        except sqlite3.Error as error:
            raise ArtsoundError(
                f"{self.path} is no cache of features ({error}): delete it, it is made again"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    def has(self, embedder: str, key: str) -> bool:
        """Say whether an embedder's features of a content are kept."""
        query = "SELECT 1 FROM features WHERE embedder = ? AND key = ? LIMIT 1"
        return self._database.execute(query, (embedder, key)).fetchone() is not None

    def put(self, embedder: str, key: str, features: Mapping[str, NDArray[Any]]) -> None:
        """Keep the features of a content, all of them or none."""
        rows = [(embedder, key, name, _packed(array)) for name, array in features.items()]
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?, ?)", rows)

    def get(self, embedder: str, key: str, name: str) -> NDArray[Any]:
        """Return a feature.

        Raises:
            KeyError: it is not kept.
        """
        query = "SELECT array FROM features WHERE embedder = ? AND key = ? AND name = ?"
        row = self._database.execute(query, (embedder, key, name)).fetchone()
        if row is None:
            raise KeyError(f"{embedder} {key} {name}")
        made: NDArray[Any] = np.load(io.BytesIO(row[0]), allow_pickle=False)
        return made

    def column(self, embedder: str, keys: Sequence[str], name: str) -> Column:
        """Return the features of several contents as a sequence, read as they are asked for."""
        return Column(self, embedder, tuple(keys), name)


class Column(Sequence[NDArray[Any]]):
    """One feature of several contents."""

    def __init__(self, store: FeatureStore, embedder: str, keys: tuple[str, ...], name: str):
        self._store = store
        self._embedder = embedder
        self._keys = keys
        self._name = name

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, place: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, place: slice) -> Column: ...
    def __getitem__(self, place: int | slice) -> NDArray[Any] | Column:
        """Return the feature of one content, or the column of a slice."""
        if isinstance(place, slice):
            return Column(self._store, self._embedder, self._keys[place], self._name)
        return self._store.get(self._embedder, self._keys[place], self._name)


def _packed(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()
