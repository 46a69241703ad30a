"""Table 12: pairing by pictures of the music (paper, appendix B)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from artsound import paper
from artsound.compare.pairings import FIGURES, Progress, figures, paper_figures
from artsound.errors import ArtsoundError
from artsound.models import registry
from artsound.models.base import Embedder, FloatArray, TextToImage
from artsound.models.diffusion import seed_of
from artsound.pairing import match
from artsound.pairing.matching import UNPAIRED
from artsound.pairing.spectrogram import SAMPLE_RATE, recolour, spectrogram_image
from artsound.pairing.stratified import strata_of, stratified_sample
from artsound.schema import Status
from artsound.sources.items import read_audio, read_image
from artsound.stage import Build
from artsound.table import Cell, Table

GENERATED: Final = "artwork-generated image"
_BATCH: Final = 8


@dataclass(frozen=True)
class Sample:
    """The items of appendix B.

    Attributes:
        artworks: rows of the artworks table.
        tracks: rows of the tracks table.
        captions: the tracks' captions; None where one failed.
        wanted: how many of each were asked for.
        seed: what drew them.
    """

    artworks: Sequence[dict[str, Any]]
    tracks: Sequence[dict[str, Any]]
    captions: Sequence[str | None]
    wanted: int
    seed: int


def draw_sample(build: Build, count: int, seed: int) -> Sample:
    """Draw artworks stratified by style and tracks stratified by top genre.

    Raises:
        ArtsoundError: the workspace lacks a table, or has no usable item.
    """
    artworks = _usable(build, "artworks", "artwork_id")
    tracks = _usable(build, "tracks", "track_id")
    captions = _usable(build, "audio_captions", "track_id")
    drawn_artworks = stratified_sample(
        strata_of(list(artworks.values()), "artwork_id", "style"), count, seed
    )
    drawn_tracks = stratified_sample(
        strata_of(list(tracks.values()), "track_id", "genre_top"), count, seed
    )
    return Sample(
        [artworks[item] for item in drawn_artworks],
        [tracks[item] for item in drawn_tracks],
        [captions[item]["caption"] if item in captions else None for item in drawn_tracks],
        count,
        seed,
    )


def _usable(build: Build, table: str, key: str) -> dict[str, dict[str, Any]]:
    rows = build.workspace.read(table).to_pylist()
    usable = {str(row[key]): row for row in rows if row["status"] == Status.OK}
    if not usable:
        raise ArtsoundError(f"{build.workspace.root}: table {table} has no usable row")
    return usable


def pictures_tables(
    build: Build,
    sample: Sample,
    text_to_image: TextToImage | None,
    cache: Path,
    progress: Progress = lambda what, done, total: None,
) -> tuple[Table, Table]:
    """Return table 12, ours and the paper's rows, and the pairs behind ours.

    Args:
        build: the build.
        sample: the items.
        text_to_image: draws the captions; without it that strategy has no row of ours.
        cache: a folder for the drawn images, which are not drawn again.
        progress: called with (what, done, total).

    Raises:
        ArtsoundError: the recipe's embedder embeds no images, or no track has a caption.
    """
    name = build.recipe.pairing.embedder
    if "image" not in registry.entry("embedder", name).modalities:
        raise ArtsoundError(f"embedder {name} embeds no images: table 12 needs one that does")
    embedder: Embedder = build.models.load("embedder", name)

    def artworks(change: Callable[[Image.Image], Image.Image]) -> Iterable[Image.Image]:
        for row in sample.artworks:
            yield change(read_image(build, row["file_name"]))

    def spectrograms() -> Iterable[Image.Image]:
        for row in sample.tracks:
            yield spectrogram_image(read_audio(build, row["file_name"], SAMPLE_RATE))

    def embedded(what: str, images: Iterable[Image.Image], total: int) -> FloatArray:
        vectors, batch = [], []
        for done, image in enumerate(images, 1):
            batch.append(image)
            if len(batch) == _BATCH or done == total:
                vectors.append(embedder.embed_images(batch))
                batch = []
                progress(what, done, total)
        return np.concatenate(vectors)

    plain = embedded("artworks", artworks(lambda image: image), len(sample.artworks))
    inferno = embedded("recoloured artworks", artworks(recolour), len(sample.artworks))
    sounds = embedded("spectrograms", spectrograms(), len(sample.tracks))
    ids = [str(row["track_id"]) for row in sample.tracks]
    found = {
        "artwork-spectrogram": (ids, match(sounds, plain)),
        "Inferno artwork-spectrogram": (ids, match(sounds, inferno)),
    }
    by = {}
    if text_to_image is not None:
        drawn = [
            (str(row["track_id"]), caption)
            for row, caption in zip(sample.tracks, sample.captions, strict=True)
            if caption
        ]
        if not drawn:
            raise ArtsoundError(f"{build.workspace.root}: no track of the sample has a caption")
        images = _drawn(text_to_image, drawn, sample.seed, cache)
        pictures = embedded("generated images", images, len(drawn))
        captioned = [track for track, _ in drawn]
        found[GENERATED] = captioned, match(pictures, plain)
        by[GENERATED] = text_to_image.name
    made = {strategy: figures(matching.similarity) for strategy, (_, matching) in found.items()}
    rows: list[tuple[Cell, ...]] = []
    for strategy, known in paper.PICTURES.items():
        if strategy in made:
            whose = f"ours, images by {by[strategy]}" if strategy in by else "ours"
            rows.append((strategy, whose, *made[strategy]))
        else:
            rows.append((strategy, "needs --text-to-image", *[None] * len(FIGURES)))
        rows.append((strategy, "paper", *paper_figures(known)))
    artwork_ids = [row["artwork_id"] for row in sample.artworks]
    return Table(
        "table_12",
        "Table 12: similarity of greedy pairs by pictures of the music",
        ("strategy", "whose", *FIGURES),
        tuple(rows),
        (_about(name, sample),),
    ), Table(
        "table_12_pairs",
        "The pairs of table 12",
        ("strategy", "track_id", "artwork_id", "similarity"),
        tuple(
            (strategy, track, artwork_ids[image], float(similarity))
            for strategy, (tracks, matching) in found.items()
            for track, image, similarity in zip(
                tracks, matching.image, matching.similarity, strict=True
            )
            if image != UNPAIRED
        ),
    )


def _about(embedder: str, sample: Sample) -> str:
    drawn = f"{len(sample.artworks)} artworks by style and {len(sample.tracks)} tracks by genre"
    few = min(len(sample.artworks), len(sample.tracks)) < sample.wanted
    short = f" ({sample.wanted} of each were asked for, the workspace has no more)" if few else ""
    return (
        f"Ours are embedded by {embedder}, the paper's by CLIP. Sample: {drawn}, seed"
        f" {sample.seed}{short}. sd is that of the pairs as a population."
    )


def _drawn(
    model: TextToImage, captions: Sequence[tuple[str, str]], seed: int, cache: Path
) -> Iterable[Image.Image]:
    """Draw captions, or take the images that were drawn before."""
    cache.mkdir(parents=True, exist_ok=True)
    for track, caption in captions:
        key = hashlib.sha256(f"{model.version}\n{seed}\n{track}\n{caption}".encode()).hexdigest()
        path = cache / f"{key[:32]}.png"
        if not path.is_file():
            image = model.generate([caption], [seed_of(seed, track)])[0]
            part = path.with_name(f".tmp-{path.name}")
            image.save(part, "PNG")
            part.replace(path)
        with Image.open(path) as image:
            yield image.convert("RGB")
