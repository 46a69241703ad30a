"""What to sample: artworks from files, folders, globs and addresses, or a release's split."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from PIL import Image

from art2mus.data import Release, check_release
from art2mus.sampling.image_files import ImageError, decode, is_url, read_bytes
from artsound.errors import UsageError

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp")
_UNSAFE: Final = re.compile(r"[^\w.,()+@ -]+")
_LONGEST: Final = 100
_NAMED: Final = ("pair_id", "style", "artwork_caption", "music_caption")

T = TypeVar("T")
Told = Callable[[int, int], None]  # how many are read, and of how many


@dataclass(frozen=True)
class Artwork:
    """One artwork to sample.

    Attributes:
        source: where it is, as the user gave it.
        stem: what its files are to be called.
        sha256: of the image file.
        facts: what a release says of it, for people.
        place: its row in a release.
    """

    source: str
    stem: str
    sha256: str
    facts: dict[str, str] = field(default_factory=dict)
    place: int = 0


class Inputs(Protocol):
    """Artworks, and their images when they are needed."""

    artworks: list[Artwork]

    def images(self, wanted: Sequence[Artwork]) -> Iterator[Image.Image]:
        """Yield the images of some of the artworks, RGB, in order."""
        ...


class FileInputs:
    """Artworks from files, folders, globs and addresses; all are decoded once, to check them.

    A folder stands for all images in it and below, in the order of their paths, hidden ones left
    out; a pattern (`*`, `?`, `[...]`, `**`) for what it matches. What is named twice counts once.
    A bad file of a folder or pattern is left out, and one that is named itself an error.

    Args:
        given: what the user named.
        without: files in folders that are not artworks: the pictures of the output's page.
        told: called as images are read.

    Attributes:
        artworks: what is to be sampled.
        skipped: a line for each file that was left out: which, and why.

    Raises:
        UsageError: there is no such file, no artwork in a folder, or nothing matches a pattern.
        ImageError: a file that is named is no image, an address cannot be fetched, or there is
            nothing but bad files.
    """

    def __init__(
        self,
        given: Sequence[str],
        *,
        without: Collection[Path] = frozenset(),
        told: Told | None = None,
    ) -> None:
        found = {each: _expand(each, without) for each in given}
        sources = list(dict.fromkeys(one for each in given for one in found[each]))
        named = {one for each in given if _is_named(each) for one in found[each]}
        if not sources:
            raise UsageError("there are no images: name files, folders, patterns or a release")
        self.artworks: list[Artwork] = []
        self.skipped: list[str] = []
        self._fetched: dict[str, bytes] = {}
        for done, source in enumerate(sources):
            if told:
                told(done, len(sources))
            try:
                data = read_bytes(source)
                decode(data, source)
            except ImageError as error:
                if source in named:
                    raise
                self.skipped.append(str(error))
                continue
            if is_url(source):
                self._fetched[source] = data
            digest = hashlib.sha256(data).hexdigest()
            self.artworks.append(Artwork(source, _stem(source), digest))
        if told:
            told(len(sources), len(sources))
        if not self.artworks:
            more = f" (and {len(self.skipped) - 1} more like it)" if len(self.skipped) > 1 else ""
            raise ImageError(f"{self.skipped[0]}{more}")

    def images(self, wanted: Sequence[Artwork]) -> Iterator[Image.Image]:
        """Yield the images of some of the artworks, RGB, in order."""
        for artwork in wanted:
            data = self._fetched.get(artwork.source) or read_bytes(artwork.source)
            yield decode(data, artwork.source)


class ReleaseInputs:
    """The artworks of a release's split, named by `pair_id`, as the benchmark looks for them.

    Args:
        release: the release.
        split: which.
        limit: the first so many rows; all if None.
        told: called as rows are read.

    Raises:
        UsageError: there is no such split, or the release is without media.
    """

    def __init__(
        self,
        release: Release,
        split: str,
        *,
        limit: int | None = None,
        told: Told | None = None,
    ) -> None:
        check_release(release, split=split, needs_audio=False)
        self._release = release
        self._split = split
        rows = min(release.splits[split], limit or release.splits[split])
        self.artworks: list[Artwork] = []
        for row, media in enumerate(release.media(split, range(rows))):
            if told:
                told(row, rows)
            facts = {name: str(getattr(media.pair, name)) for name in _NAMED}
            source = f"{release.name} {split} {media.pair.pair_id}"
            stem = safe_name(media.pair.pair_id)
            self.artworks.append(Artwork(source, stem, media.image_key, facts, row))
        if told:
            told(rows, rows)

    def images(self, wanted: Sequence[Artwork]) -> Iterator[Image.Image]:
        """Yield the images of some of the artworks, RGB, in order."""
        for media in self._release.media(self._split, [artwork.place for artwork in wanted]):
            yield media.image()


def in_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield items in order, `size` at a time; the last batch may be smaller."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def safe_name(text: str) -> str:
    """Return a text as a file's name without its suffix."""
    name = _UNSAFE.sub("_", text).strip(" .")[:_LONGEST]
    return name or "image"


def _expand(given: str, without: Collection[Path]) -> list[str]:
    if is_url(given):
        return [given]
    path = Path(given).expanduser()
    if path.is_dir():
        found = [str(file) for file in _artworks_in(path, without)]
        if not found:
            raise UsageError(
                f"no artwork in {path}: no file in it or below ends in {', '.join(SUFFIXES)}"
            )
        return found
    if not path.exists() and glob.has_magic(given):
        matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
        found = [str(match) for match in matches if match.is_file() and _is_artwork(match)]
        if not found:
            raise UsageError(f"nothing matches {given} that ends in {', '.join(SUFFIXES)}")
        return found
    return [str(path)]


def _is_named(given: str) -> bool:
    """Say whether what the user gave is one image, and no folder or pattern."""
    path = Path(given).expanduser()
    return is_url(given) or not (path.is_dir() or (glob.has_magic(given) and not path.exists()))


def _artworks_in(folder: Path, without: Collection[Path]) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if _is_artwork(path) and path.is_file() and not hidden and path.resolve() not in without:
            yield path


def _is_artwork(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _stem(source: str) -> str:
    if is_url(source):
        return safe_name(Path(unquote(urlsplit(source).path)).stem)
    return Path(source).stem
