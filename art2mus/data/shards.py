"""A release's Parquet files, in a folder, downloaded as they are needed, or over the network."""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from art2mus.data.parquet import Opened
from artsound.errors import ArtsoundError, UsageError

_MANIFEST: Final = "manifest.json"
_NAME: Final = re.compile(r"data/(?P<split>\w+)-\d+-of-\d+\.parquet")
_ORDER: Final = ("train", "test", "validation")


class Shards(ABC):
    """The Parquet files of a release's default configuration.

    Args:
        name: the repository's name, or the folder's.
        revision: the commit; None for a folder.
        manifest: manifest.json.
    """

    def __init__(self, name: str, revision: str | None, manifest: dict[str, Any]) -> None:
        self.name = name
        self.revision = revision
        self.manifest = manifest
        self._groups: dict[str, _Groups] = {}

    @abstractmethod
    def source(self, path: str) -> Any:
        """Return what pyarrow opens for a file of the release."""

    @cached_property
    def splits(self) -> dict[str, list[str]]:
        """The files of each split, in order."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.manifest["files"]):
            if match := _NAME.fullmatch(path):
                found.setdefault(match["split"], []).append(path)
        if not found:
            raise UsageError(f"{self.name} holds no pairs: it has no data/*.parquet")
        return {name: found[name] for name in sorted(found, key=_rank)}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the names and checksums of the data files."""
        files = self.manifest["files"]
        lines = [f"{path} {files[path]['sha256']}\n" for some in self.splits.values()
                 for path in some]  # fmt: skip
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def media_are_whole(self) -> bool:
        """Whether the manifest says that every row has its media."""
        return self.manifest.get("media") == "embed"

    def opened(self, split: str, number: int) -> Opened:
        """Open one of a split's files."""
        path = self.splits[split][number]
        return Opened(self.source(path), f"{self.name}/{path}")

    def count(self, split: str) -> int:
        """Return how many rows a split has, as the manifest says, or else the files' footers."""
        stated = self.manifest.get("rows", {}).get("default", {}).get(split)
        return int(stated) if stated is not None else self._of(split).total()

    def locate(self, split: str, row: int) -> tuple[int, int, int]:
        """Return where a row of a split is: the file's number, the row group, the row in it.

        Raises:
            IndexError: there is no such row.
        """
        return self._of(split).locate(row)

    def _of(self, split: str) -> _Groups:
        return self._groups.setdefault(split, _Groups(self, split))


class _Groups:
    """The row groups of a split; footers are read as far as they are needed."""

    def __init__(self, shards: Shards, split: str) -> None:
        self._shards = shards
        self._split = split
        self._read = 0
        self._rows = 0
        self._begins: list[int] = []
        self._places: list[tuple[int, int]] = []

    def total(self) -> int:
        while self._more():
            pass
        return self._rows

    def locate(self, row: int) -> tuple[int, int, int]:
        while row >= self._rows and self._more():
            pass
        if not 0 <= row < self._rows:
            raise IndexError(f"{self._shards.name} {self._split} has no row {row}")
        at = bisect_right(self._begins, row) - 1
        return *self._places[at], row - self._begins[at]

    def _more(self) -> bool:
        """Read the next file's footer; False if there is none."""
        if self._read == len(self._shards.splits[self._split]):
            return False
        with self._shards.opened(self._split, self._read) as file:
            for group, rows in enumerate(file.groups):
                if rows:
                    self._begins.append(self._rows)
                    self._places.append((self._read, group))
                    self._rows += rows
        self._read += 1
        return True


class _Folder(Shards):
    """A release in a folder."""

    def __init__(self, folder: Path) -> None:
        path = folder / _MANIFEST
        if not path.is_file():
            there = f"no {_MANIFEST} in it" if folder.is_dir() else "there is no such folder"
            raise UsageError(f"{folder} is not a release ({there}): `artsound release` writes one")
        super().__init__(folder.resolve().name, None, _manifest(path, str(folder)))
        self._folder = folder

    def source(self, path: str) -> Path:
        return self._folder / path


@dataclass
class _Hub:
    """Where a repository's files are asked for."""

    repository: str
    revision: str | None

    def download(self, path: str) -> Path:
        """Return a file of the repository in the Hub's cache, downloaded if it is not there."""
        from huggingface_hub import hf_hub_download

        with explained(self.repository, self.revision):
            found = hf_hub_download(
                self.repository, path, repo_type="dataset", revision=self.revision
            )
        return Path(found)


class _Repository(Shards):
    """A release on the Hub, downloaded file by file or streamed."""

    def __init__(self, repository: str, revision: str | None, streaming: bool) -> None:
        from artsound.models.hub import reach_dataset

        with explained(repository, revision):
            reach_dataset(repository, _MANIFEST, revision)
        path = _Hub(repository, revision).download(_MANIFEST)
        # The Hub's cache names the folder of a snapshot by its commit.
        commit = path.parent.name
        super().__init__(repository, commit, _manifest(path, repository))
        self._hub = _Hub(repository, commit)
        self._streaming = streaming

    def source(self, path: str) -> Any:
        if not self._streaming:
            return self._hub.download(path)
        from huggingface_hub import HfFileSystem

        with explained(self.name, self.revision):
            return HfFileSystem().open(f"datasets/{self.name}@{self.revision}/{path}")


def open_shards(where: str | Path, revision: str | None, streaming: bool) -> Shards:
    """Find a release's files; `art2mus.data.release.open_release` says the arguments and errors."""
    text = str(where)
    folder = Path(text).expanduser()
    if isinstance(where, Path) or text.startswith((".", "/", "~")) or folder.exists():
        if revision is not None:
            raise UsageError(f"{folder} is a folder, which has no revisions: leave `revision` out")
        return _Folder(folder)
    if "/" not in text:  # as `artsound push` names none, the Hub need not be asked
        raise _no_release(text)
    return _Repository(text, revision, streaming)


def _manifest(path: Path, where: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ArtsoundError(f"{where}: {_MANIFEST} is damaged ({error}): get it again") from error
    if not isinstance(found, dict) or not isinstance(found.get("files"), dict):
        raise ArtsoundError(f"{where}: {_MANIFEST} lists no files: get it again")
    return found


def _rank(split: str) -> tuple[int, str]:
    return (_ORDER.index(split) if split in _ORDER else len(_ORDER)), split


def _no_release(text: str) -> UsageError:
    return UsageError(f"{text!r} is neither a folder here nor a repository's name, NAMESPACE/NAME")


@contextmanager
def explained(repository: str, revision: str | None) -> Iterator[None]:
    """Turn what the Hub's client raises into one line with the remedy."""
    import httpx2
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except HFValidationError as error:
        raise _no_release(repository) from error
    except RevisionNotFoundError as error:
        raise UsageError(f"{repository} has no revision {revision!r} on the Hub") from error
    except RepositoryNotFoundError as error:
        raise ArtsoundError(
            f"{repository} is neither a folder here nor a dataset on the Hub that you may read:"
            " check the name; for a private one set HF_TOKEN, or run `hf auth login`"
        ) from error
    except (
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        httpx2.ConnectError,
        httpx2.TimeoutException,
    ) as error:
        raise ArtsoundError(
            f"{repository} is no folder here, and the Hub cannot be reached: check the path, the"
            " network and HF_HUB_OFFLINE"
        ) from error
    except EntryNotFoundError as error:
        raise UsageError(
            f"{repository} holds no release (no {_MANIFEST}): `artsound push` puts one there"
        ) from error
    except (HfHubHTTPError, httpx2.HTTPError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ArtsoundError(
            f"{repository} cannot be read from the Hub ({reason}): run the same command again later"
        ) from error
