"""The pictures of a page of samples: thumbnails and spectrograms, by checksum, each made once."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import soundfile
from PIL import Image

from art2mus.sampling.page.own import FIXED, OwnFiles, in_page
from art2mus.sampling.page.spectrogram import spectrogram
from art2mus.sampling.records import PAGE
from artsound.atomic import write_atomically
from artsound.errors import ArtsoundError

_THUMBNAIL: Final = 640  # pixels of the longer side
_DIGITS: Final = 24  # of a checksum, in names


class PagePictures:
    """The page's pictures, each made once.

    Args:
        out: the folder of samples.

    Raises:
        ArtsoundError: the page's list of its files is damaged.
    """

    def __init__(self, out: Path) -> None:
        self.folder = out / PAGE
        self.own = OwnFiles(out)

    def claim(self, images: Iterable[str] = ()) -> None:
        """Take the page's names, and those of thumbnails, before much is done.

        Args:
            images: their checksums.

        Raises:
            UsageError: somebody else's file has one of them.
        """
        thumbnails = {in_page(self.thumbnail(sha256)) for sha256 in images}
        self.own.claim({*FIXED, *thumbnails})

    def thumbnail(self, sha256: str) -> Path:
        """Return where the thumbnail of an image is."""
        return self.folder / f"{sha256[:_DIGITS]}.jpg"

    def has_thumbnail(self, sha256: str) -> bool:
        """Say whether the thumbnail of an image is there."""
        return self.thumbnail(sha256).is_file()

    def add_thumbnail(self, sha256: str, image: Image.Image) -> None:
        """Make the thumbnail of an image, if it is not there."""
        if not self.has_thumbnail(sha256):
            self.own.claim([in_page(self.thumbnail(sha256))])
            small = image.copy()
            small.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
            buffer = io.BytesIO()
            small.save(buffer, "JPEG", quality=85)
            write_atomically(self.thumbnail(sha256), buffer.getvalue())

    def spectrogram(self, sha256: str) -> Path:
        """Return where the spectrogram of a sound is, by the sound's checksum."""
        return self.folder / f"{sha256[:_DIGITS]}.png"

    def add_spectrogram(self, sound: Path, sha256: str) -> None:
        """Make the spectrogram of a sound file, if it is not there.

        Raises:
            ArtsoundError: the file cannot be read.
        """
        path = self.spectrogram(sha256)
        if not path.is_file():
            self.own.claim([in_page(path)])
            try:
                samples, rate = soundfile.read(sound, dtype="float32")
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise ArtsoundError(f"{sound} cannot be read: delete it and run again") from error
            write_atomically(path, spectrogram(samples, int(rate)))
