"""`artsound diff`: what changed between two releases: rows, captions, pairs, splits."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from artsound.release.lookup import read_tables
from artsound.release.manifest import read_manifest
from artsound.release.tables import DEFAULT, Part, by_config, parts

# What identifies a row; of pairs of other strategies it is the track, which each has once.
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    DEFAULT: ("pair_id",),
    "artworks": ("artwork_id",),
    "tracks": ("track_id",),
    "caption_attempts": ("modality", "id", "attempt"),
}
_PAIRS_KEY: Final = ("track_id",)
_MEDIA: Final = ("image", "audio")
_NAMES: Final = {"artworks": "artwork captions", "tracks": "music captions"}
# Facts of the manifest that say what made the release. The versions of libraries are not among
# them: they leave the tables as they are.
_FACTS: Final = ("artsound", "recipe", "sources", "models", "licenses")

Key = tuple[Any, ...]


@dataclass
class TableDifference:
    """What changed in one configuration.

    Attributes:
        rows: how many there were and are.
        added: rows that are new.
        removed: rows that are gone.
        changed: rows in both of which any value differs, media aside.
        columns_added: columns that are new.
        columns_removed: columns that are gone.
        values: for each column, rows in both whose value differs.
        moved: rows in both that are in another split, by `from -> to`.
        paired_anew: tracks in both that have another artwork (`pairs_*` and `default`).
        keys: which rows were `added`, `removed`, `changed` and `moved`.
    """

    rows: tuple[int, int] = (0, 0)
    added: int = 0
    removed: int = 0
    changed: int = 0
    columns_added: list[str] = field(default_factory=list)
    columns_removed: list[str] = field(default_factory=list)
    values: dict[str, int] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)
    paired_anew: int = 0
    keys: dict[str, list[str]] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Whether anything did."""
        return bool(
            self.added
            or self.removed
            or self.changed
            or self.columns_added
            or self.columns_removed
            or self.moved
        )


@dataclass
class Difference:
    """What changed from one release to another.

    Attributes:
        versions: of the two.
        media: `embed` or `none`, of the two.
        tables: what changed in each configuration that both have.
        configs_added: configurations that are new.
        configs_removed: configurations that are gone.
        facts: settings of the manifest that differ, by dotted name: before and after.
    """

    versions: tuple[str | None, str | None] = (None, None)
    media: tuple[str, str] = ("embed", "embed")
    tables: dict[str, TableDifference] = field(default_factory=dict)
    configs_added: list[str] = field(default_factory=list)
    configs_removed: list[str] = field(default_factory=list)
    facts: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether any table did."""
        tables = any(table.differs for table in self.tables.values())
        return tables or bool(self.configs_added or self.configs_removed)

    @property
    def breaks(self) -> bool:
        """Whether something that users may rely on is gone, or a row is in another split."""
        found = self.tables.get(DEFAULT, TableDifference())
        columns = any(table.columns_removed for table in self.tables.values())
        return bool(found.removed or found.moved or columns or self.configs_removed)

    def captions(self) -> dict[str, int]:
        """Return how many captions differ, of items in both releases."""
        return {
            label: self.tables[name].values.get("caption", 0)
            for name, label in _NAMES.items()
            if name in self.tables
        }

    def as_dict(self) -> dict[str, Any]:
        """Return it all as JSON takes it."""
        return {**asdict(self), "changed": self.changed, "captions": self.captions()}

    def lines(self) -> list[str]:
        """Return it in lines for people, media aside."""
        found: list[str] = []
        for name in self.configs_added:
            found.append(f"new configuration `{name}`")
        for name in self.configs_removed:
            found.append(f"configuration `{name}` is gone")
        for name, table in self.tables.items():
            found += [f"`{name}`: {line}" for line in _lines(table)]
        captions = [f"{count:,} {label}" for label, count in self.captions().items() if count]
        if captions:
            found.append(f"captions that differ: {', '.join(captions)}")
        for name, (old, new) in self.facts.items():
            found.append(f"`{name}`: {_short(old)} -> {_short(new)}")
        return found


def diff(before: Path, after: Path) -> Difference:
    """Compare two releases.

    Memory holds eight bytes for each value of the configuration that is being compared, and its
    keys.

    Args:
        before: a release's folder.
        after: another one's.

    Raises:
        UsageError: a folder is no release.
    """
    old, new = read_manifest(before), read_manifest(after)
    found = compare_tables(before, after)
    found.versions = (old.get("version"), new.get("version"))
    found.media = (old.get("media", "embed"), new.get("media", "embed"))
    found.facts = compare_facts(old, new)
    return found


def compare_tables(before: Path, after: Path) -> Difference:
    """Compare the tables of two folders, of which the second need not have a manifest yet."""
    old, new = by_config(parts(before)), by_config(parts(after))
    return Difference(
        tables={name: _compare(name, old[name], new[name]) for name in new if name in old},
        configs_added=[name for name in new if name not in old],
        configs_removed=[name for name in old if name not in new],
    )


def compare_facts(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the facts of two manifests that differ, by dotted name."""
    before, after = (
        _flat({name: facts[name] for name in _FACTS if name in facts}) for facts in (old, new)
    )
    names = sorted(before.keys() | after.keys())
    pairs = {name: (before.get(name), after.get(name)) for name in names}
    return {name: values for name, values in pairs.items() if values[0] != values[1]}


@dataclass
class _Table:
    """One configuration, made small: keys, splits, artworks, and a digest of every value."""

    columns: list[str]
    rows: dict[Key, int]
    splits: list[str]
    artworks: dict[Any, Any]
    digests: NDArray[np.uint64]


def _compare(name: str, old: Sequence[Part], new: Sequence[Part]) -> TableDifference:
    was, now = _read(name, old), _read(name, new)
    pairs = [(key, (was.rows[key], at)) for key, at in now.rows.items() if key in was.rows]
    keys, both = [key for key, _ in pairs], [ats for _, ats in pairs]
    found = TableDifference((len(was.rows), len(now.rows)))
    found.added, found.removed = len(now.rows) - len(both), len(was.rows) - len(both)
    found.columns_added = [column for column in now.columns if column not in was.columns]
    found.columns_removed = [column for column in was.columns if column not in now.columns]
    left, right = (np.array([pair[side] for pair in both], np.int64) for side in (0, 1))
    any_differs = np.zeros(len(both), bool)
    for column in now.columns:
        if column in was.columns and both:
            olds = was.digests[was.columns.index(column)][left]
            differs = olds != now.digests[now.columns.index(column)][right]
            any_differs |= differs
            if differs.any():
                found.values[column] = int(differs.sum())
    found.changed = int(any_differs.sum())
    moves = ((was.splits[a], now.splits[b]) for a, b in both)
    found.moved = dict(sorted(Counter(f"{a} -> {b}" for a, b in moves if a != b).items()))
    tracks = was.artworks.keys() & now.artworks.keys()
    found.keys = {
        "added": [_name(key) for key in now.rows if key not in was.rows],
        "removed": [_name(key) for key in was.rows if key not in now.rows],
        "changed": [_name(keys[at]) for at in np.flatnonzero(any_differs)],
        "moved": [_name(key) for key, (a, b) in pairs if was.splits[a] != now.splits[b]],
    }
    found.paired_anew = sum(was.artworks[track] != now.artworks[track] for track in tracks)
    return found


def _read(name: str, held: Sequence[Part]) -> _Table:
    keys = _KEYS.get(name, _PAIRS_KEY)
    pairs = name == DEFAULT or name.startswith("pairs_")
    columns = [column for column in held[0].schema.names if column not in _MEDIA]
    rows: dict[Key, int] = {}
    splits: list[str] = []
    artworks: dict[Any, Any] = {}
    seen: Counter[Key] = Counter()
    digests: list[list[NDArray[np.uint64]]] = [[] for _ in columns]
    for part in held:
        for table in read_tables(part.files, columns):
            for plain in zip(*(table[key].to_pylist() for key in keys), strict=True):
                # A source may list an item twice; the second of them is another row.
                rows[(*plain, seen[plain])] = len(splits)
                seen[plain] += 1
                splits.append(part.split)
            if pairs and {"track_id", "artwork_id"} <= set(columns):
                ids = (table[column].to_pylist() for column in ("track_id", "artwork_id"))
                artworks |= dict(zip(*ids, strict=True))
            for at, column in enumerate(table.columns):
                digests[at].append(_digests(column))
    whole = [np.concatenate(pieces) if pieces else np.zeros(0, np.uint64) for pieces in digests]
    return _Table(columns, rows, splits, artworks, np.array(whole, np.uint64))


def _name(key: Key) -> str:
    *plain, again = key
    return "/".join(map(str, plain)) + (f"#{again + 1}" if again else "")


def _digests(column: pa.ChunkedArray) -> NDArray[np.uint64]:
    """Return 64 bits for each value; equal values have equal ones."""
    hashes = (
        hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for value in column.to_pylist()
    )
    return np.frombuffer(b"".join(hashes), np.uint64)


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        items = [
            (f"{one.get('role', at)}/{one.get('name', '')}", one) for at, one in enumerate(value)
        ]
    else:
        return {path: value}
    found: dict[str, Any] = {}
    for key, item in items:
        found |= _flat(item, f"{path}.{key}" if path else key)
    return found


def _lines(table: TableDifference) -> list[str]:
    found = []
    if table.added or table.removed:
        found.append(
            f"{table.rows[0]:,} -> {table.rows[1]:,} rows, {table.added:,} added and"
            f" {table.removed:,} removed"
        )
    found += [f"new column `{column}`" for column in table.columns_added]
    found += [f"column `{column}` is gone" for column in table.columns_removed]
    if table.paired_anew:
        found.append(f"{table.paired_anew:,} tracks have another artwork")
    if table.changed:
        values = ", ".join(f"`{column}` {count:,}" for column, count in table.values.items())
        found.append(f"values differ in {table.changed:,} rows in both ({values})")
    found += [f"{count:,} rows moved {move}" for move, count in table.moved.items()]
    return found


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
