"""The page's media: thumbnails of the artworks and copies of the clips, each made once."""

from __future__ import annotations

import hashlib
import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from PIL import Image

from artsound.workspace import write_atomically

# Pixels of the longer side: on cards (twice their size on most screens) and on a pair's own page.
CARD: Final = 480
LARGE: Final = 1280
_QUALITY: Final = 80
_SIZES: Final = {"c": CARD, "l": LARGE}


class MediaFolder:
    """`media/` of a report. Names carry checksums: what is there already is not made again.

    Args:
        folder: the report's `media`.
    """

    def __init__(self, folder: Path) -> None:
        self._images = folder / "images"
        self._audio = folder / "audio"
        self._there = {
            path.relative_to(folder).as_posix()
            for path in folder.glob("*/*")
            if not path.name.startswith(".tmp-")
        }
        self._stems = {Path(name).stem: Path(name).name for name in self._there}
        self._used: set[str] = set()
        self.bytes = 0

    def images(
        self,
        wanted: Iterable[tuple[str, str | None, bool]],
        read: Callable[[str], Image.Image | None],
    ) -> Iterator[tuple[str, str, bool] | None]:
        """Make the thumbnails of artworks; yields, in order, what became of each.

        Args:
            wanted: id, SHA-256 of the source file, and whether a large one is wanted too.
            read: gives an artwork, RGB; None where there is none.

        Yields:
            The id, the files' stem (`<stem>-c.webp`, `<stem>-l.webp`) and whether there is a
            large one; None for an artwork without an image.
        """
        # Pillow resizes and compresses without Python's lock; reading stays here, in order.
        workers = min(4, os.cpu_count() or 1)
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[tuple[str, str, Future[tuple[int, bool]] | bool | None]] = deque()
            for artwork_id, sha256, large in wanted:
                # The id too: two artworks may have the same file.
                stem = _digest(f"{artwork_id}/{sha256 or ''}")
                if sha256 and self._has(stem, large):
                    waiting.append((artwork_id, stem, self._large(stem)))
                elif (image := read(artwork_id)) is None:
                    waiting.append((artwork_id, stem, None))
                else:
                    waiting.append((artwork_id, stem, pool.submit(self._make, image, stem, large)))
                while len(waiting) > 2 * workers:
                    yield self._done(*waiting.popleft())
            while waiting:
                yield self._done(*waiting.popleft())

    def clip(
        self,
        track_id: int,
        sha256: str | None,
        read: Callable[[int], tuple[bytes, str] | None],
    ) -> str | None:
        """Copy a clip; returns its file's name, or None where there is none."""
        stem = f"{track_id}-{(sha256 or '')[:8]}"
        if sha256 and (name := self._stems.get(stem)):
            self._use(self._audio / name)
            return name
        found = read(track_id)
        if found is None:
            return None
        data, suffix = found
        path = self._audio / f"{stem}{suffix.lower()}"
        write_atomically(path, data)
        self._use(path)
        return path.name

    def sweep(self) -> None:
        """Delete what an earlier report left and this one does not use."""
        for name in sorted(self._there - self._used):
            (self._images.parent / name).unlink()

    def _make(self, image: Image.Image, stem: str, large: bool) -> tuple[int, bool]:
        longest, written = max(image.size), 0
        made_large = False
        for size, pixels in _SIZES.items():
            # A large one that shows no more than the card's is left out.
            if size == "l" and (not large or longest <= CARD):
                continue
            small = image.copy()
            small.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
            buffer = io.BytesIO()
            small.save(buffer, "WEBP", quality=_QUALITY, method=2)
            write_atomically(self._path(stem, size), buffer.getvalue())
            written += buffer.tell()
            made_large |= size == "l"
        return written, made_large

    def _done(
        self, artwork_id: str, stem: str, state: Future[tuple[int, bool]] | bool | None
    ) -> tuple[str, str, bool] | None:
        if state is None:
            return None
        large = state if isinstance(state, bool) else state.result()[1]
        for size in ("c", "l") if large else ("c",):
            self._use(self._path(stem, size))
        return artwork_id, stem, large

    def _path(self, stem: str, size: str) -> Path:
        return self._images / f"{stem}-{size}.webp"

    def _has(self, stem: str, large: bool) -> bool:
        """Say whether the thumbnails are there; a small artwork has no large one to look for."""
        path = self._path(stem, "c")
        if f"images/{path.name}" not in self._there:
            return False
        if not large or self._large(stem):
            return True
        with Image.open(path) as card:
            return max(card.size) < CARD

    def _large(self, stem: str) -> bool:
        return f"images/{stem}-l.webp" in self._there

    def _use(self, path: Path) -> None:
        name = path.relative_to(self._images.parent).as_posix()
        if name not in self._used:
            self._used.add(name)
            self.bytes += path.stat().st_size


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
