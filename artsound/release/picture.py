"""The card's picture: three real pairs, each artwork beside its track and the track's waveform."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFont

from artsound.release.tables import Part
from artsound.release.terms import terms
from artsound.sources.media import FloatArray, MediaError, MediaLimits, decode_audio, decode_image

FILE: Final = "assets/pairs.jpg"

# Pixels. The card shows the picture at 900 or so, where the smallest letters are still 17 high.
_WIDTH: Final = 1200
_ROW: Final = 340
_MARGIN: Final = 30
_FRAME: Final = (360, _ROW - 2 * _MARGIN)
_LEFT: Final = _MARGIN + _FRAME[0] + 40
_WAVE: Final = 84
_QUALITY: Final = 88

_PAPER: Final = "#fbfaf7"
_INK: Final = "#1c1c1e"
_QUIET: Final = "#6b6b70"
_ACCENT: Final = "#2f5d8a"
_RULE: Final = "#dedbd3"
# What the font can draw: Latin, Greek, Cyrillic and their punctuation.
_DRAWABLE: Final = re.compile(r"[\u0020-\u007e\u00a0-\u052f\u1e00-\u1fff\u2010-\u203a]*")
_NAMED: Final = ("artwork_title", "artist", "track_title", "track_artist")
_JUDGED: Final = ("pair_id", "similarity", "artwork_license", *_NAMED)
_SHOWN: Final = (*_JUDGED, "track_license", "artwork_source_url", "track_source_url")


@dataclass(frozen=True)
class Shown:
    """A pair in the picture.

    Attributes:
        rank: which of the pairs it is ("the most similar").
        row: its columns, media aside.
    """

    rank: str
    row: Mapping[str, Any]


@dataclass(frozen=True)
class _Place:
    """Where a row is: small, for there is one of every row that may be shown."""

    similarity: float
    pair_id: str
    file: Path
    group: int
    offset: int


def write_picture(folder: Path, parts: Sequence[Part], limits: MediaLimits) -> list[Shown]:
    """Draw three pairs of the default configuration into `assets/pairs.jpg`.

    Shown are the most similar, the middle and the least similar of the pairs whose artwork may be
    redistributed with changes (it is made smaller here), so that the picture flatters nobody.

    Args:
        folder: the release.
        parts: the default configuration's splits, media included.
        limits: of the media checks.

    Returns:
        The pairs that the picture shows; none, and no picture, if no artwork may be shown.
    """
    places = sorted(_eligible(parts), key=lambda one: (-one.similarity, one.pair_id))
    read = [(rank, _read(place, limits)) for rank, place in _choose(places)]
    chosen = [(rank, found) for rank, found in read if found]
    if not chosen:
        return []
    canvas = Image.new("RGB", (_WIDTH, _ROW * len(chosen)), _PAPER)
    draw = ImageDraw.Draw(canvas)
    for number, (rank, (row, image, wave)) in enumerate(chosen):
        _draw_pair(canvas, draw, _ROW * number, rank, row, image, wave)
        if number:
            top = _ROW * number
            draw.line((_MARGIN, top, _WIDTH - _MARGIN, top), fill=_RULE, width=2)
    path = folder / FILE
    path.parent.mkdir(exist_ok=True)
    canvas.save(path, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return [Shown(rank, row) for rank, (row, _, _) in chosen]


def _choose(places: Sequence[_Place]) -> list[tuple[str, _Place]]:
    wanted = {"the most similar": 0, "the middle one": len(places) // 2}
    wanted["the least similar"] = len(places) - 1
    if len(places) < len(wanted):
        return [("one of the few", place) for place in places]
    return [(rank, places[index]) for rank, index in wanted.items()]


def _eligible(parts: Sequence[Part]) -> Iterator[_Place]:
    for part in parts:
        for path in part.files:
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    offset = 0
                    for batch in file.iter_batches(row_groups=[group], columns=list(_JUDGED)):
                        for row in batch.to_pylist():
                            if _may_show(row):
                                where = (row["similarity"], row["pair_id"])
                                yield _Place(*where, path, group, offset)
                            offset += 1


def _may_show(row: Mapping[str, Any]) -> bool:
    drawable = all(_DRAWABLE.fullmatch(row[name] or "") for name in _NAMED)
    return drawable and terms(row["artwork_license"]).change and row["similarity"] is not None


def _read(
    place: _Place, limits: MediaLimits
) -> tuple[dict[str, Any], Image.Image, FloatArray] | None:
    """Read one row and decode its media; the rows before it pass a few at a time.

    Returns:
        The row without its media, its artwork and its music, mono; None if they do not decode,
        which spoils the picture and not the release.
    """
    offset = place.offset
    with pq.ParquetFile(place.file) as file:
        columns = [*_SHOWN, "image", "audio"]
        for batch in file.iter_batches(8, row_groups=[place.group], columns=columns):
            if offset < len(batch):
                row = batch.slice(offset, 1).to_pylist()[0]
                picture, music = row.pop("image"), row.pop("audio")
                try:
                    image, _ = decode_image(picture["bytes"], picture["path"], limits)
                    wave, _ = decode_audio(music["bytes"], None, limits)
                except MediaError:
                    return None
                return row, image, wave
            offset -= len(batch)
    raise IndexError(f"{place.file} has no row {place.offset} in row group {place.group}")


def _draw_pair(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    top: int,
    rank: str,
    row: Mapping[str, Any],
    image: Image.Image,
    wave: FloatArray,
) -> None:
    small = image.copy()
    small.thumbnail(_FRAME, Image.Resampling.LANCZOS)
    at = (
        _MARGIN + (_FRAME[0] - small.width) // 2,
        top + _MARGIN + (_FRAME[1] - small.height) // 2,
    )
    canvas.paste(small, at)
    head = f"{rank}, similarity {row['similarity']:.3f}"
    lines = (
        (head, 22, False, _ACCENT, 40),
        (row["artwork_title"], 30, True, _INK, 38),
        (row["artist"], 24, False, _QUIET, 44),
        (row["track_title"], 30, True, _INK, 38),
        (row["track_artist"], 24, False, _QUIET, 36),
    )
    y = top + _MARGIN - 4
    for text, size, bold, colour, height in lines:
        font = _font(size, bold)
        draw.text((_LEFT, y), _fitted(text or "untitled", font), fill=colour, font=font)
        y += height
    box = (_LEFT, top + _ROW - _MARGIN - _WAVE, _WIDTH - _MARGIN, top + _ROW - _MARGIN)
    _draw_wave(draw, box, wave)


def _draw_wave(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], wave: FloatArray) -> None:
    """Draw the extremes of a waveform, shape (samples,), scaled to its peak, a bar a 4 pixels."""
    left, top, right, bottom = box
    middle, half = (top + bottom) / 2, (bottom - top) / 2
    bars = np.array_split(np.abs(wave), (right - left) // 4)
    peak = max(float(np.abs(wave).max()), 1e-9)
    for number, bar in enumerate(bars):
        height = max(half * float(bar.max(initial=0.0)) / peak, 1.0)
        x = left + 4 * number
        draw.rectangle((x, middle - height, x + 2, middle + height), fill=_ACCENT)


@cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return DejaVu Sans, which comes with matplotlib; Pillow's own font has no accents."""
    found = find_spec("matplotlib")
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    if found is None or found.origin is None:
        return ImageFont.load_default(size)
    return ImageFont.truetype(Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / name, size)


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Return the text, cut with an ellipsis if it is too long for its line."""
    room = _WIDTH - _MARGIN - _LEFT
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(f"{text}…") > room:
        text = text[:-1]
    return f"{text.rstrip()}…"
