"""A build's folder: tables as Parquet parts, atomic commits, resume markers, one build at a time.

Layout::

    W/workspace.json                        what the build depends on: recipe, sources, format
    W/tables/<table>/part-00000.parquet     the rows of shard 0
    W/tables/<table>/part-00000.json        its marker: rows, checksum, inputs, seconds, versions
    W/logs/<stage>/                         one log a task
    W/requests/<model>/                     what chat models replied, so that none is asked twice
    W/.lock                                 held while a build runs

A part exists once its marker does. Both appear by atomic rename, the marker last, so a build that
is killed leaves either a committed part or nothing that counts. A marker remembers the checksums
of what its shard was made from: when an input changes, the part is made again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from artsound.atomic import sweep, write_atomically
from artsound.errors import ArtsoundError, UsageError

FORMAT: Final = 1


@dataclass(frozen=True)
class Marker:
    """What is remembered of a committed part.

    Attributes:
        rows: number of rows.
        sha256: checksum of the Parquet file.
        inputs: checksum of everything that the shard was made from.
        seconds: wall time the shard took.
        failures: number of rows a reason, for rows that are not `ok`.
        versions: versions of the packages that shaped the bytes.
    """

    rows: int
    sha256: str
    inputs: str
    seconds: float = 0.0
    failures: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Workspace:
    """The tables of one build.

    Args:
        root: the workspace folder; it need not exist yet.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def requests(self) -> Path:
        """Where the replies of chat models are kept."""
        return self.root / "requests"

    def exists(self) -> bool:
        """Say whether the folder holds a workspace."""
        return (self.root / "workspace.json").is_file()

    # -- what the build depends on ------------------------------------------------------------

    def description(self) -> dict[str, Any]:
        """Return workspace.json.

        Raises:
            UsageError: the folder holds no workspace, or one of another format.
            ArtsoundError: workspace.json is damaged.
        """
        path = self.root / "workspace.json"
        if not path.is_file():
            raise UsageError(
                f"{self.root} is not a workspace: start one with `artsound build ... --out`"
            )
        try:
            description = json.loads(path.read_text("utf-8"))
            if not isinstance(description, dict):
                raise ValueError(f"a {type(description).__name__}, no object")
        except ValueError as error:
            raise ArtsoundError(
                f"{path} is not readable JSON ({error}): restore it or build in a new folder"
            ) from error
        if description.get("format") != FORMAT:
            raise UsageError(
                f"{self.root} has workspace format {description.get('format')}, this version reads"
                f" {FORMAT}: build in a new folder"
            )
        return description

    def describe(self, description: Mapping[str, Any]) -> None:
        """Write workspace.json."""
        text = json.dumps({"format": FORMAT, **description}, indent=2, ensure_ascii=False)
        write_atomically(self.root / "workspace.json", f"{text}\n".encode())

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the workspace for one build; the lock goes with the process, however it ends.

        Raises:
            ArtsoundError: another build holds it, or it cannot be written to or locked.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = (self.root / ".lock").open("a")
        except OSError as error:
            raise ArtsoundError(
                f"cannot write to {self.root} ({error.strerror}): choose another --out"
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ArtsoundError(
                    f"another build is running in {self.root}: wait for it, or stop it"
                ) from error
            except OSError as error:
                raise ArtsoundError(
                    f"{self.root} cannot be locked ({error.strerror}): its file system must support"
                    " flock, on Lustre by the mount option `flock`; or choose another --out"
                ) from error
            yield

    def sweep(self) -> None:
        """Delete the temporary files that a killed build left; call it only while locked."""
        sweep(self.root, running=True)

    # -- parts --------------------------------------------------------------------------------

    def folder(self, table: str) -> Path:
        """Return the folder of a table's parts."""
        return self.root / "tables" / table

    def part(self, table: str, shard: int) -> Path:
        """Return the path of a part, committed or not."""
        return self.folder(table) / f"part-{shard:05d}.parquet"

    def marker(self, table: str, shard: int) -> Marker | None:
        """Return the marker of a committed part, or None."""
        path = self.part(table, shard).with_suffix(".json")
        try:
            return Marker(**json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            return None  # a damaged marker is no marker: the shard runs again

    def intact(self, table: str, shard: int, inputs: str) -> bool:
        """Say whether a part is committed, unaltered, and made from these inputs."""
        marker = self.marker(table, shard)
        if marker is None or marker.inputs != inputs:
            return False
        part = self.part(table, shard)
        return part.is_file() and file_sha256(part) == marker.sha256

    def commit(
        self,
        table: str,
        shard: int,
        rows: pa.Table,
        *,
        inputs: str,
        seconds: float = 0.0,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        """Write a part and then its marker, each by atomic rename.

        Raises:
            ArtsoundError: one cannot be written, as on a full disk.
        """
        part = self.part(table, shard)
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink, compression="zstd")
        data = sink.getvalue().to_pybytes()
        self._write(part, data)
        failures: Counter[str] = Counter()
        if "reason" in rows.column_names:
            reasons = (value.partition(":")[0] for value in rows["reason"].to_pylist() if value)
            failures.update(reasons)
        marker = Marker(
            rows=rows.num_rows,
            sha256=hashlib.sha256(data).hexdigest(),
            inputs=inputs,
            seconds=round(seconds, 3),
            failures=dict(sorted(failures.items())),
            versions=dict(versions or {}),
        )
        text = json.dumps(asdict(marker), indent=1, ensure_ascii=False)
        self._write(part.with_suffix(".json"), f"{text}\n".encode())

    def _write(self, path: Path, data: bytes) -> None:
        try:
            write_atomically(path, data)
        except OSError as error:
            raise ArtsoundError(
                f"{path} cannot be written ({error.strerror}): check the free space and the"
                " permissions; finished shards are kept: run the same command again to continue"
            ) from error

    def drop(self, table: str, *, keep: int = 0) -> None:
        """Forget a table's parts from shard `keep` on, markers first."""
        folder = self.folder(table)
        for suffix in (".json", ".parquet"):
            for path in folder.glob(f"part-*{suffix}"):
                if int(path.stem.removeprefix("part-")) >= keep:
                    path.unlink()

    def shards(self, table: str) -> list[int]:
        """Return the numbers of the committed parts, ascending."""
        names = (path.stem for path in self.folder(table).glob("part-*.json"))
        return sorted(int(name.removeprefix("part-")) for name in names)

    def tables(self) -> list[str]:
        """Return the names of the tables that have a committed part."""
        base = self.root / "tables"
        found = {path.parent.relative_to(base).as_posix() for path in base.rglob("part-*.json")}
        return sorted(found)

    def read(
        self, table: str, columns: Sequence[str] | None = None, shard: int | None = None
    ) -> pa.Table:
        """Read a table, or one of its parts.

        Args:
            table: the table's name.
            columns: the columns to read; all of them if None.
            shard: the part to read; all parts, in order, if None.

        Raises:
            ArtsoundError: the table has no committed part, or not that one.
        """
        shards = self.shards(table)
        wanted = shards if shard is None else [shard] if shard in shards else []
        if not wanted:
            what = table if shard is None else f"{table}, part {shard}"
            raise ArtsoundError(
                f"{self.root} has no table {what}: run `artsound build` as far as that stage"
            )
        names = None if columns is None else list(columns)
        parts = [pq.read_table(self.part(table, number), columns=names) for number in wanted]
        return pa.concat_tables(parts)
