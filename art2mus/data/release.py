"""Reading a release: its pairs as text, and its media one at a time, from a folder or the Hub.

The Parquet files are read themselves, a few rows at a time, so nothing is prepared or copied first
and no memory grows with the release. Sound is decoded with soundfile; torchcodec is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Final

import pyarrow as pa

from art2mus.data.ids import check_ids, checked_id
from art2mus.data.parquet import Opened
from art2mus.data.rows import TEXTS, Media, Pair, Pairs
from art2mus.data.shards import Shards, open_shards
from artsound.errors import ArtsoundError, UsageError

__all__ = ["Media", "Pair", "Pairs", "Release", "check_release", "open_release"]

_MEDIA: Final = ("image", "audio")
_BATCH: Final = 8  # rows of media that are read at a time


class Release:
    """An open release.

    Args:
        shards: its files.
    """

    def __init__(self, shards: Shards) -> None:
        self.shards = shards

    @property
    def name(self) -> str:
        """The repository's name, or the folder's."""
        return self.shards.name

    @property
    def revision(self) -> str | None:
        """The commit of a repository; None for a folder."""
        return self.shards.revision

    @property
    def version(self) -> str:
        """The release's own version, as in `1.0.0`; empty where it states none."""
        return str(self.shards.manifest.get("version", ""))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the names and checksums of its data files: the same here and on the Hub."""
        return self.shards.fingerprint

    @cached_property
    def splits(self) -> dict[str, int]:
        """How many rows each split has."""
        return {split: self.shards.count(split) for split in self.shards.splits}

    def require(self, split: str) -> None:
        """Raise UsageError unless the release has that split."""
        known = self.shards.splits
        if split not in known:
            raise UsageError(f"{self.name} has no split {split!r}: there is {', '.join(known)}")

    def pairs(self, split: str) -> Pairs:
        """Return the pairs of a split; only the columns of texts are read.

        Raises:
            UsageError: there is no such split.
            ArtsoundError: a file is missing or damaged, or a pair's id cannot name a file.
        """
        self.require(split)
        tables = []
        for number in range(len(self.shards.splits[split])):
            with self.shards.opened(split, number) as file:
                tables.append(file.texts(TEXTS))
        pairs = Pairs(pa.concat_tables(tables))
        check_ids(pairs.column("pair_id"), f"{self.name} {split}")
        return pairs

    def media(self, split: str, indices: Sequence[int] | None = None) -> Iterator[Media]:
        """Yield rows with their media, in the order asked for; ascending order reads least.

        Args:
            split: which.
            indices: the rows' numbers; all rows if None.

        Raises:
            UsageError: there is no such split, or the release is without media.
            ArtsoundError: a file is missing or damaged, or a pair's id cannot name a file.
            IndexError: there is no such row.
        """
        self.require(split)
        wanted = range(self.splits[split]) if indices is None else indices
        located = ((row, *self.shards.locate(split, row)) for row in wanted)
        opened: Opened | None = None
        place = -1
        try:
            for (number, group, _), run in groupby(located, _Runs()):
                if opened is None or number != place:
                    if opened:
                        opened.close()
                    opened, place = self.shards.opened(split, number), number
                    self._require_media(opened)
                rows = [(row, local) for row, _, _, local in run]
                yield from self._read(split, opened, group, rows)
        finally:
            if opened:
                opened.close()

    def _read(
        self, split: str, opened: Opened, group: int, rows: list[tuple[int, int]]
    ) -> Iterator[Media]:
        """Yield rows of one row group, given as their numbers in the split and in the group."""
        begin, left = 0, list(reversed(rows))
        for batch in opened.batches(group, (*TEXTS, *_MEDIA), _BATCH):
            while left and left[-1][1] < begin + batch.num_rows:
                row, local = left.pop()
                found = batch.slice(local - begin, 1).to_pylist()[0]
                where = f"{self.name} {split}"
                checked_id(found["pair_id"], where)
                yield Media(Pair.of(found), row, where, found["image"], found["audio"])
            begin += batch.num_rows
            if not left:
                return

    def _require_media(self, opened: Opened) -> None:
        if missing := [name for name in _MEDIA if name not in opened.columns]:
            raise _no_media(self.name, missing[0])


class _Runs:
    """A key for `groupby`: rows of one row group, for as long as they ascend."""

    def __init__(self) -> None:
        self._last = (-1, -1, -1)
        self._run = 0

    def __call__(self, located: tuple[int, int, int, int]) -> tuple[int, int, int]:
        _, number, group, local = located
        if (number, group) != self._last[:2] or local < self._last[2]:
            self._run += 1
        self._last = (number, group, local)
        return number, group, self._run


def open_release(
    path_or_repo: str | Path, *, revision: str | None = None, streaming: bool = False
) -> Release:
    """Open a release; only its manifest is read.

    Args:
        path_or_repo: a folder that `artsound release` wrote, or a dataset repository on the Hub.
        revision: a branch, tag or commit of the repository.
        streaming: read a repository's files over the network as rows are asked for, and keep none
            of them; otherwise each file is downloaded once, when it is first read.

    Raises:
        UsageError: it is no release, or there is no such revision.
        ArtsoundError: the repository is not there or cannot be reached.
    """
    return Release(open_shards(path_or_repo, revision, streaming))


def check_release(
    release: Release,
    *,
    batch: int = 1,
    split: str = "train",
    needs_image: bool = True,
    needs_audio: bool = True,
) -> None:
    """Refuse a release that a split cannot be trained or evaluated on, before anything is loaded.

    Args:
        release: the release.
        batch: of how many rows one step is made.
        split: of which split they are.
        needs_image: whether the artworks are needed.
        needs_audio: whether the music is.

    Raises:
        UsageError: it has no such split or no media, or the split is smaller than a batch.
        ArtsoundError: media of single pairs are missing; names the first.
    """
    release.require(split)
    needed = [name for name, wanted in (("image", needs_image), ("audio", needs_audio)) if wanted]
    if needed and release.shards.manifest.get("media") == "none":
        raise _no_media(release.name, needed[-1])
    rows = release.splits[split]
    if not rows:
        raise UsageError(f"{release.name}: its split {split} is empty")
    if batch > rows:
        raise UsageError(
            f"{release.name}: a batch of {batch} is larger than its split {split} of {rows} rows:"
            " choose a smaller one"
        )
    if release.shards.media_are_whole:  # its manifest vouches for every file
        return
    for number in range(len(release.shards.splits[split])):
        with release.shards.opened(split, number) as file:
            for column in needed:
                if column not in file.columns:
                    raise _no_media(release.name, column)
                if (missing := file.first_without(column)) is not None:
                    raise ArtsoundError(
                        f"{release.name} {split}: pair {missing} has no {column}: `artsound"
                        " hydrate` fills it from the archives"
                    )


def _no_media(name: str, column: str = "audio") -> UsageError:
    """Return the error of a release without media."""
    return UsageError(
        f"{name} is a release without media (no {column}): fill it first, artsound hydrate"
        f" {name} --artworks A --tracks T --out FULL"
    )
