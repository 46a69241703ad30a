"""Looks through folders for words that must not be there."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq


def finds(folder: Path, words: Sequence[str], *, but: Sequence[str] = ()) -> list[str]:
    """Return `file: word` for every file that says one of the words, also in its name.

    Args:
        folder: looked through with all that is below it.
        words: what must not be there.
        but: files, relative to the folder, that may say them.
    """
    pattern = re.compile("|".join(map(re.escape, words)).encode())
    return [
        f"{name}: {found[0].decode()}"
        for name, text in _texts(folder)
        if name not in but and (found := pattern.search(text))
    ]


def here() -> list[str]:
    """Return what tells this machine and its user: the home folder and the host's name.

    A name so short that sound and pictures hold it by chance is left out.
    """
    host = socket.gethostname().partition(".")[0]
    return [f"{Path.home()}/"] + ([host] if len(host) > 5 and host != "localhost" else [])


def _texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what every file says: Parquet is compressed, so its rows and metadata are read."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        yield name, path.name.encode() + b"\n" + path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            drop = {field.name for field in table.schema if field.name in ("image", "audio")}
            rows = table.drop_columns(sorted(drop)).to_pylist()
            yield name, f"{rows} {table.schema.metadata}".encode()
