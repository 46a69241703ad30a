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

from artsound.atomic import write_atomically
from artsound.report.own import OwnFiles

# Pixels of the longer side: on cards (twice their size on most screens) and on a pair's own page.
CARD: Final = 480
LARGE: Final = 1280
_QUALITY: Final = 80
_SIZES: Final = {"c": CARD, "l": LARGE}


class MediaFolder:
    """The `media/` of a report.

    Names carry checksums of the sources: what an earlier report made and what still has the length
    that it had is not made again.

    Args:
        own: the report's own files.
    """

    def __init__(self, own: OwnFiles) -> None:
        self._own = own
        self._images = own.root / "media" / "images"
        self._audio = own.root / "media" / "audio"
        self._clips = {path.stem: path for path in own.before("media/audio")}

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
            waiting: deque[tuple[str, str, Future[bool] | bool | None]] = deque()
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
        if sha256 and (there := self._clips.get(stem)) and self._own.intact(there):
            self._own.add(there)
            return there.name
        found = read(track_id)
        if found is None:
            return None
        data, suffix = found
        path = self._audio / f"{stem}{suffix.lower()}"
        write_atomically(path, data)
        self._own.add(path)
        return path.name

    def _make(self, image: Image.Image, stem: str, large: bool) -> bool:
        """Write the thumbnails; returns whether there is a large one."""
        longest = max(image.size)
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
            made_large |= size == "l"
        return made_large

    def _done(
        self, artwork_id: str, stem: str, state: Future[bool] | bool | None
    ) -> tuple[str, str, bool] | None:
        if state is None:
            return None
        large = state if isinstance(state, bool) else state.result()
        for size in ("c", "l") if large else ("c",):
            self._own.add(self._path(stem, size))
        return artwork_id, stem, large

    def _path(self, stem: str, size: str) -> Path:
        return self._images / f"{stem}-{size}.webp"

    def _has(self, stem: str, large: bool) -> bool:
        """Say whether the thumbnails are there; a small artwork has no large one to look for."""
        path = self._path(stem, "c")
        if not self._own.intact(path):
            return False
        if not large or self._large(stem):
            return True
        try:
            with Image.open(path) as card:
                return max(card.size) < CARD
        except OSError:  # damaged at its old length
            return False

    def _large(self, stem: str) -> bool:
        return self._own.intact(self._path(stem, "l"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
