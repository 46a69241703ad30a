"""The rows of a release: a pair's texts, and its media, decoded when they are asked for."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
import soundfile
from numpy.typing import NDArray
from PIL import Image

from artsound.errors import ArtsoundError
from artsound.sources.media import MediaError, decode_image

TEXTS: Final = (
    "pair_id",
    "artwork_id",
    "track_id",
    "style",
    "artwork_caption",
    "music_caption",
    "similarity",
)


@dataclass(frozen=True)
class Pair:
    """One row of a release, without its media; what a release has no column for is empty.

    Attributes:
        pair_id: its key.
        artwork_id: the artwork's.
        track_id: the track's; -1 where there is none.
        style: the artwork's.
        artwork_caption: the artwork's description.
        music_caption: the music's.
        similarity: of the pair, as the release was built.
    """

    pair_id: str
    artwork_id: str
    track_id: int
    style: str
    artwork_caption: str
    music_caption: str
    similarity: float

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Pair:
        """Return the pair of a row's columns."""
        track, similarity = row.get("track_id"), row.get("similarity")
        return cls(
            pair_id=row["pair_id"],
            artwork_id=row.get("artwork_id") or "",
            track_id=-1 if track is None else int(track),
            style=row.get("style") or "",
            artwork_caption=row.get("artwork_caption") or "",
            music_caption=row.get("music_caption") or "",
            similarity=float("nan") if similarity is None else float(similarity),
        )


@dataclass(frozen=True)
class Media:
    """One row with its media, not yet decoded.

    Attributes:
        pair: the row's texts.
        row: its number in the split, from 0.
        where: the release and the split, for errors.
    """

    pair: Pair
    row: int
    where: str
    _image: dict[str, Any] | None = field(repr=False)
    _audio: dict[str, Any] | None = field(repr=False)

    @cached_property
    def image_key(self) -> str:
        """SHA-256 of the image file, in hexadecimal."""
        return hashlib.sha256(self._bytes("image")).hexdigest()

    @cached_property
    def audio_key(self) -> str:
        """SHA-256 of the audio file, in hexadecimal."""
        return hashlib.sha256(self._bytes("audio")).hexdigest()

    def image(self) -> Image.Image:
        """Decode the artwork to RGB, turned and flattened as `artsound`'s own check does.

        Raises:
            ArtsoundError: it is missing or cannot be decoded; names the pair.
        """
        data = self._bytes("image")
        try:
            return decode_image(data)[0]
        except MediaError as error:
            raise self._unusable("image", error) from error

    def audio(self) -> tuple[NDArray[np.float32], int]:
        """Decode the music.

        Returns:
            float32 samples in [-1, 1], shape (channels, samples), and their rate in Hz.

        Raises:
            ArtsoundError: it is missing or cannot be decoded; names the pair.
        """
        data = self._bytes("audio")
        try:
            samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError) as error:
            raise self._unusable("audio", error) from error
        if not len(samples):
            raise self._unusable("audio", ValueError("no samples"))
        return np.ascontiguousarray(samples.T), int(rate)

    def _bytes(self, column: str) -> bytes:
        cell = self._image if column == "image" else self._audio
        data = cell and cell.get("bytes")
        if not data:
            raise ArtsoundError(
                f"{self.where}: pair {self.pair.pair_id} (row {self.row}) has no {column}:"
                " `artsound hydrate` fills it from the archives"
            )
        return bytes(data)

    def _unusable(self, column: str, error: Exception) -> ArtsoundError:
        reason = " ".join(str(error).split())
        return ArtsoundError(
            f"{self.where}: pair {self.pair.pair_id} (row {self.row}): its {column} cannot be"
            f" decoded ({reason}); check the release: artsound verify"
        )


class Pairs(Sequence[Pair]):
    """The pairs of a split, in order; their texts in one Arrow table."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __getitem__(self, index: Any) -> Any:
        """Return the pair of a row, or a list of those of a slice."""
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        row = int(index) + (len(self) if index < 0 else 0)
        if not 0 <= row < len(self):
            raise IndexError(f"no row {index}: there are {len(self)}")
        return Pair.of(self._table.slice(row, 1).to_pylist()[0])

    def column(self, name: str) -> list[Any]:
        """Return one of `Pair`'s fields for all rows, without making pairs of them."""
        found: list[Any] = self._table.column(name).to_pylist()
        return found
