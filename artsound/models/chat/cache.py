"""The request cache: what chat models have replied, so that a resumed build asks nothing twice.

A folder of JSON Lines files, one a process: every process reads all of them and appends to its own,
a whole line by a single write. No file has two writers, so nothing is locked, which holds on shared
file systems too. A process that is killed leaves at most one torn line, at the end, which is not
read. A line begins with its key at a fixed place, so that opening the folder parses no JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from artsound.errors import ArtsoundError
from artsound.models.chat.replies import Reply

_PREFIX: Final = b'{"key":"'
_DIGITS: Final = 64
_KEY: Final = slice(len(_PREFIX), len(_PREFIX) + _DIGITS)
_SHORT: Final = 16  # digits of a key in the index; the line itself has all of them
_INDEX: Final = np.dtype([("key", "<u8"), ("file", "<u4"), ("offset", "<u8"), ("length", "<u4")])


def request_key(item: str, attempt: int, body: bytes) -> str:
    """Return the key of a request: a SHA-256 of the item, the attempt and the payload's SHA-256."""
    parts = json.dumps([item, attempt, hashlib.sha256(body).hexdigest()])
    return hashlib.sha256(parts.encode()).hexdigest()


class RequestCache:
    """Replies by key, in a folder that several processes may use at once.

    Memory holds 24 bytes a reply that was there when it was opened, and about 200 a new one.

    Args:
        folder: where the files are; it need not exist yet.

    Raises:
        ArtsoundError: the folder cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own: dict[str, tuple[int, int]] = {}
        self._writer: int | None = None
        self._end = 0
        self._writing = threading.Lock()
        self._path = folder / f"{uuid.uuid4().hex}.jsonl"
        try:
            self._files = sorted(folder.glob("*.jsonl"))
            found = np.fromiter(self._entries(), dtype=_INDEX)
        except OSError as error:
            raise self._broken("read", error) from error
        self._index = found[np.argsort(found["key"], kind="stable")]

    def __len__(self) -> int:
        """Return how many replies it holds."""
        return len(self._index) + len(self._own)

    def get(self, key: str) -> Reply | None:
        """Return the reply to a request; None if there is none that can be read.

        Raises:
            ArtsoundError: the folder cannot be read.
        """
        try:
            if key in self._own:
                return _reply(self._read(self._path, *self._own[key]), key)
            short = np.uint64(int(key[:_SHORT], 16))
            at = int(np.searchsorted(self._index["key"], short))
            while at < len(self._index) and self._index["key"][at] == short:
                _, file, offset, length = self._index[at]
                reply = _reply(self._read(self._files[file], int(offset), int(length)), key)
                if reply is not None:
                    return reply
                at += 1
        except OSError as error:
            raise self._broken("read", error) from error
        return None

    def put(self, key: str, item: str, attempt: int, reply: Reply) -> None:
        """Keep a reply.

        Raises:
            ArtsoundError: it cannot be written.
        """
        record = {"item": item, "attempt": attempt, "finish": reply.finish, "text": reply.text}
        line = _PREFIX + key.encode() + b'",' + json.dumps(record).encode()[1:] + b"\n"
        try:
            with self._writing:
                self._append(line)
                self._own[key] = (self._end, len(line))
                self._end += len(line)
        except OSError as error:
            raise self._broken("write to", error) from error

    def close(self) -> None:
        """Close the file that is written to; nothing can be put any more."""
        if self._writer is not None:
            os.close(self._writer)

    def _append(self, line: bytes) -> None:
        if self._writer is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._writer = os.open(self._path, flags, 0o644)
        if os.write(self._writer, line) != len(line):
            self.close()  # nothing may follow a torn line
            raise OSError("the file system is full")

    def _entries(self) -> Iterator[tuple[int, int, int, int]]:
        for number, path in enumerate(self._files):
            offset = 0
            with path.open("rb") as stream:
                for line in stream:
                    if line.startswith(_PREFIX) and line.endswith(b"}\n"):
                        try:
                            short = int(line[_KEY][:_SHORT], 16)
                        except ValueError:
                            short = None
                        if short is not None:
                            yield short, number, offset, len(line)
                    offset += len(line)

    @staticmethod
    def _read(path: Path, offset: int, length: int) -> bytes:
        with path.open("rb", buffering=0) as stream:
            return os.pread(stream.fileno(), length, offset)

    def _broken(self, what: str, error: OSError) -> ArtsoundError:
        why = error.strerror or error
        return ArtsoundError(
            f"cannot {what} the request cache {self.folder} ({why}): make room there or mend its"
            " permissions, then run the same command again"
        )


def _reply(line: bytes, key: str) -> Reply | None:
    """Return the reply in a line, or None if the line is damaged or another request's."""
    try:
        record = json.loads(line)
        if record["key"] == key:
            return Reply(record["text"], record["finish"])
    except (ValueError, KeyError, TypeError):
        pass
    return None
