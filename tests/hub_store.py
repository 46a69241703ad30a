"""What the tests' small Hub holds (`tests/hub.py`): files, repositories, and faults to come."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Blob:
    data: bytes
    lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def oid(self) -> str:
        held = self.data
        if self.lfs:
            line = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"
            held = line.format(self.sha256, len(self.data)).encode()
        return hashlib.sha1(b"blob %d\0" % len(held) + held).hexdigest()

    def entry(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = {"type": "file", "path": path, "size": len(self.data)}
        if self.lfs:
            found["lfs"] = {"oid": self.sha256, "size": len(self.data), "pointerSize": 130}
        return found | {"oid": self.oid}


@dataclass
class Repo:
    private: bool
    commits: dict[str, dict[str, Blob]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, files: dict[str, Blob]) -> str:
        parts = [str(len(self.commits)), *(f"{path} {files[path].oid}" for path in sorted(files))]
        sha = hashlib.sha1("\n".join(parts).encode()).hexdigest()
        self.commits[sha] = files
        self.branches[branch] = sha
        return sha

    def resolve(self, revision: str) -> str | None:
        found = self.branches.get(revision) or self.tags.get(revision)
        return found or (revision if revision in self.commits else None)

    def files(self, revision: str = "main") -> dict[str, Blob]:
        return self.commits[self.resolve(revision) or ""]


@dataclass
class Fault:
    """What goes wrong with requests whose line (`PUT /lfs/...`) matches, the first `skip` aside.

    `status` is answered in place of the real answer, or after the work is done where `late`;
    without one, the line breaks after `after` bytes of the body, or of the `answer`. `hook` is
    called then.
    """

    line: str
    times: int = 1
    skip: int = 0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    after: int = 0
    late: bool = False
    answer: bool = False
    hook: Callable[[], object] | None = None

    def strikes(self, line: str) -> bool:
        if not self.times or not re.search(self.line, line):
            return False
        passed = self.skip > 0
        self.skip -= passed
        self.times -= not passed
        return not passed
