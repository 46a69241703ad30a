"""The media of a build's items, read from where the sources are, opened once a process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from PIL import Image

from artsound.errors import ArtsoundError
from artsound.recipe import Recipe
from artsound.sources.archive import MemberError, Source, cached_source
from artsound.sources.artgraph import ArtGraph
from artsound.sources.fma import FreeMusicArchive
from artsound.sources.media import (
    FloatArray,
    MediaError,
    MediaLimits,
    decode_audio,
    decode_image,
)
from artsound.stage import Build


@lru_cache(maxsize=4)
def _artgraph(source: Source) -> ArtGraph:
    return ArtGraph(source)


@lru_cache(maxsize=4)
def _fma(source: Source) -> FreeMusicArchive:
    return FreeMusicArchive(source)


def artgraph(path: Path) -> ArtGraph:
    """Return the artworks' catalogue at a path."""
    return _artgraph(cached_source(path))


def fma(path: Path) -> FreeMusicArchive:
    """Return the tracks' catalogue at a path."""
    return _fma(cached_source(path))


def media_limits(recipe: Recipe) -> MediaLimits:
    """Return a recipe's limits as the media checks take them."""
    return MediaLimits(**recipe.media.model_dump())


def read_bytes(build: Build, which: Literal["artworks", "tracks"], file_name: str) -> bytes:
    """Return the bytes of an item that was checked before.

    Raises:
        ArtsoundError: it is no longer there or no longer readable.
    """
    limits = build.recipe.media
    if which == "artworks":
        path, limit = build.artworks, limits.max_image_bytes
        source, member = cached_source(path), artgraph(path).image(file_name)
    else:
        path, limit = build.tracks, limits.max_audio_bytes
        source, member = cached_source(path), fma(path).clip(file_name)
    try:
        if member is not None:
            return source.read(member, limit)
        problem = "it is not there"
    except MemberError as error:
        problem = str(error)
    raise ArtsoundError(
        f"{path}: {file_name} was readable when it was checked, now {problem}: restore the source"
    )


def read_image(build: Build, file_name: str) -> Image.Image:
    """Return a checked artwork, RGB."""
    data = read_bytes(build, "artworks", file_name)
    try:
        image, _ = decode_image(data, file_name, media_limits(build.recipe))
    except MediaError as error:
        raise ArtsoundError(
            f"{build.artworks}: {file_name}: {error}: restore the source"
        ) from error
    return image


def read_audio(build: Build, file_name: str, sample_rate: int) -> FloatArray:
    """Return a checked clip, mono, shape (samples,), at a sample rate in Hz."""
    data = read_bytes(build, "tracks", file_name)
    try:
        wave, _ = decode_audio(data, sample_rate, media_limits(build.recipe))
    except MediaError as error:
        raise ArtsoundError(f"{build.tracks}: {file_name}: {error}: restore the source") from error
    return wave
