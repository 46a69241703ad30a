"""What a long run has found so far, a line of JSON each, so that it may take several sittings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Ledger:
    """The rows of a run, in a file or, without one, in memory alone.

    A row is on the disk before `append` returns. A process that is killed while it writes leaves a
    line without an end, which the next sitting drops.

    Args:
        path: the file, new or of an earlier sitting; None to keep nothing.
        settings: what the rows depend on; all sittings must have the same.

    Raises:
        SystemExit: the file is of a run with other settings.
    """

    def __init__(self, path: Path | None, settings: Mapping[str, Any]) -> None:
        self.path = path
        self.rows: list[Row] = []
        if path is None:
            return
        whole = path.read_bytes() if path.exists() else b""
        whole = whole[: whole.rfind(b"\n") + 1]
        lines = [json.loads(line) for line in whole.splitlines()]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole)
        if not lines:
            self._write({"settings": dict(settings)})
            return
        begun = lines[0].get("settings")
        if begun != json.loads(json.dumps(dict(settings))):
            raise SystemExit(f"{path} is of a run with {begun}: say the same, or another --out")
        self.rows = lines[1:]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def append(self, row: Row) -> None:
        """Keep a row."""
        self.rows.append(row)
        if self.path is not None:
            self._write(row)

    def _write(self, row: Row) -> None:
        if self.path is None:
            return
        with self.path.open("ab") as stream:
            stream.write(json.dumps(row).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
