"""The numbers of a dataset card, computed from the tables of a release and from nothing else.

Memory holds one column of numbers at a time (8 bytes a row) and counts by name; texts and media
pass in batches. Sums are exact before they are rounded (`math.fsum`), so that the numbers do not
depend on how the rows are cut into files.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from artsound.paper import Figures
from artsound.release.tables import Part
from artsound.release.terms import terms
from artsound.schema import Status

Numbers = NDArray[np.float64]
Counts = list[tuple[str, int]]

UNSAID: Final = "not stated"
_SCORES: Final = {
    "image": ("clip_score", "pac_score", "ic_score"),
    "audio": ("bert_score", "rouge1", "ac_score"),
}


@dataclass(frozen=True)
class CaptionStatistics:
    """Our half of table 1: the captions of one modality.

    Attributes:
        figures: of `length` (characters) and of each score, by column; None where all are null.
        rows: items with a caption.
        failed: items that no model captioned or scored.
        accepted: captions that reached the threshold.
        first: those of them that did at the first attempt.
        attempts: captions that were asked for in all.
    """

    figures: dict[str, Figures | None]
    rows: int
    failed: int
    accepted: int
    first: int
    attempts: int


@dataclass(frozen=True)
class StrategyStatistics:
    """Our row of table 5, and how the matching went on.

    Attributes:
        strategy: its name.
        figures: of the pairs' similarities; None if there are no pairs.
        unpaired: tracks for which no artwork was left.
        first_tenth: mean similarity of the tenth of the pairs that were matched first; None under
            ten pairs.
        last_tenth: the same of those that were matched last.
    """

    strategy: str
    figures: Figures | None
    unpaired: int
    first_tenth: float | None
    last_tenth: float | None


@dataclass
class PairStatistics:
    """The released pairs.

    Attributes:
        figures: of `similarity` and the scores, by column; None where all are null.
        percentiles: similarities below which 1, 5, 50, 95 and 99 % of the pairs lie.
        negative: pairs whose similarity is below zero.
        licenses: (licence, artworks, tracks), the most frequent first.
        changeable: pairs whose two licences allow redistribution with changes.
        commercial: those of them whose two licences allow it commercially too.
        styles: pairs by artistic style, the most frequent first.
        genres: pairs by top-level music genre, likewise.
        artists: number of different artists of the artworks.
        track_artists: number of different artists of the tracks.
    """

    figures: dict[str, Figures | None] = field(default_factory=dict)
    percentiles: dict[int, float] = field(default_factory=dict)
    negative: int = 0
    licenses: list[tuple[str, int, int]] = field(default_factory=list)
    changeable: int = 0
    commercial: int = 0
    styles: Counts = field(default_factory=list)
    genres: Counts = field(default_factory=list)
    artists: int = 0
    track_artists: int = 0


def figures(values: Numbers) -> Figures | None:
    """Summarise values, with the population's standard deviation; None if there are none."""
    if not len(values):
        return None
    mean = math.fsum(values) / len(values)
    variance = math.fsum((values - mean) ** 2) / len(values)
    return Figures(len(values), float(values.min()), mean, float(values.max()), math.sqrt(variance))


def numbers(parts: Sequence[Part], column: str) -> Numbers:
    """Return a column of numbers without its nulls, as float64, shape (rows,)."""
    found = [
        batch.column(0).drop_null().to_numpy(zero_copy_only=False).astype(np.float64)
        for part in parts
        for batch in part.batches([column])
    ]
    return np.concatenate(found) if found else np.empty(0)


def caption_statistics(parts: Sequence[Part], modality: str) -> CaptionStatistics:
    """Return the statistics of the captions in `artworks` (`image`) or `tracks` (`audio`)."""
    lengths: list[int] = []
    accepted = first = attempts = failed = 0
    columns = ["caption", "accepted", "attempts", "caption_status"]
    for part in parts:
        for row in part.rows_of(columns):
            if row["caption"]:
                lengths.append(len(row["caption"]))
            failed += row["caption_status"] not in (None, Status.OK)
            accepted += bool(row["accepted"])
            first += bool(row["accepted"]) and row["attempts"] == 1
            attempts += row["attempts"] or 0
    found = {"length": figures(np.array(lengths, np.float64))}
    found |= {name: figures(numbers(parts, name)) for name in _SCORES[modality]}
    return CaptionStatistics(found, len(lengths), failed, accepted, first, attempts)


def strategy_statistics(strategy: str, parts: Sequence[Part]) -> StrategyStatistics:
    """Return the statistics of one strategy's pairs (`pairs_<strategy>`)."""
    paired: list[tuple[int, float]] = []
    unpaired = 0
    for part in parts:
        for row in part.rows_of(["order", "similarity", "status"]):
            if row["status"] == Status.OK:
                paired.append((row["order"], row["similarity"]))
            else:
                unpaired += 1
    similarity = np.array([value for _, value in sorted(paired)], np.float64)
    tenth = len(similarity) // 10
    return StrategyStatistics(
        strategy,
        figures(similarity),
        unpaired,
        math.fsum(similarity[:tenth]) / tenth if tenth else None,
        math.fsum(similarity[-tenth:]) / tenth if tenth else None,
    )


def pair_statistics(parts: Sequence[Part]) -> PairStatistics:
    """Return the statistics of the default configuration, over all its splits."""
    found = PairStatistics()
    names = ("similarity", *_SCORES["image"], *_SCORES["audio"])
    found.figures = {name: figures(numbers(parts, name)) for name in names}
    similarity = numbers(parts, "similarity")
    if len(similarity):
        marks = (1, 5, 50, 95, 99)
        values = np.percentile(similarity, marks)
        found.percentiles = dict(zip(marks, (float(value) for value in values), strict=True))
        found.negative = int((similarity < 0).sum())
    artworks: Counter[str] = Counter()
    tracks: Counter[str] = Counter()
    styles: Counter[str] = Counter()
    genres: Counter[str] = Counter()
    artists: set[str] = set()
    track_artists: set[str] = set()
    columns = ["artwork_license", "track_license", "style", "music_genre", "artist", "track_artist"]
    for part in parts:
        for row in part.rows_of(columns):
            artwork, track = row["artwork_license"] or UNSAID, row["track_license"] or UNSAID
            artworks[artwork] += 1
            tracks[track] += 1
            allowed = (terms(artwork), terms(track))
            found.changeable += all(one.change for one in allowed)
            found.commercial += all(one.change and one.commercial for one in allowed)
            styles[row["style"] or UNSAID] += 1
            genres[row["music_genre"] or UNSAID] += 1
            artists.add(row["artist"])
            track_artists.add(row["track_artist"])
    every = sorted({*artworks, *tracks}, key=lambda name: (-artworks[name] - tracks[name], name))
    found.licenses = [(name, artworks[name], tracks[name]) for name in every]
    found.styles, found.genres = ranked(styles), ranked(genres)
    found.artists, found.track_artists = len(artists - {None}), len(track_artists - {None})
    return found


def left_out(parts: Sequence[Part]) -> Counts:
    """Count the items that a table keeps but that cannot be used, by reason without its detail."""
    reasons = (
        row["reason"].partition(":")[0]
        for part in parts
        for row in part.rows_of(["status", "reason"])
        if row["status"] != Status.OK
    )
    return ranked(Counter(reasons))


def ranked(counts: Counter[str]) -> Counts:
    """Return counts, the largest first and equal ones by name."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def seconds(parts: Iterable[Part]) -> float:
    """Return how many seconds of usable music `tracks` lists."""
    return math.fsum(
        row["duration_s"] or 0.0
        for part in parts
        for row in part.rows_of(["status", "duration_s"])
        if row["status"] == Status.OK
    )
