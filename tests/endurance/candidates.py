"""Pairing at ten million pairs, simulated: candidates searched in shards, matching on candidates.

The images lie in shards, each with a FAISS index of its own (flat: exact; ivf: inverted lists, of
which a part is looked at). Every track is searched for in each shard, and the best candidates of
all shards are kept. Greedy matching on these leaves some tracks without an image, since others
took all of their candidates; for them alone the images that are left are searched again, until
every track has one. What that loses against greedy matching on all products is measured where
these can still be made. What ten million would cost is computed: the measured cost of a product, in
a shard of ImageBind's 1,024 dimensions, and of a candidate, times their numbers there. Times are
processor time of one thread.

Usage: python -m tests.endurance.candidates [--items 10000] [--shards 8] [--keep 8 32 128]
    [--out FILE]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from artsound.models.base import FloatArray
from artsound.pairing import match
from artsound.pairing.jit import compiled
from tests.endurance.ledger import Ledger

faiss: Any = _faiss  # its own annotations know nothing of the wrappers that it adds to its classes
_TOPICS: Final = 200
_BLOCK: Final = 1024  # tracks searched at a time
_UNIT_TRACKS: Final = 256  # what the cost of a product is measured on
_UNIT_IMAGES: Final = 16_384
LARGE: Final = 10_000_000
LARGE_DIMENSION: Final = 1024  # ImageBind's
_GB: Final = 1e9

Ids = NDArray[np.int32]


def vectors(count: int, dimension: int, seed: int) -> FloatArray:
    """Return unit vectors around a few topics, of which some are common and most are rare."""
    generator = np.random.default_rng(seed)
    topics = np.random.default_rng(0).standard_normal((_TOPICS, dimension))
    common = 1 / np.arange(1, _TOPICS + 1)
    chosen = generator.choice(_TOPICS, count, p=common / common.sum())
    found = topics[chosen] + generator.standard_normal((count, dimension))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found.astype(np.float32)


@dataclass
class Result:
    """What matching on candidates came to.

    Attributes:
        image: each track's image.
        rounds: how many tracks were matched in each round.
        edges: candidates that the matching looked at.
        search_s: time of the searches.
        match_s: time of the matching.
        bytes_a_track: of the candidates, at most.
        bytes_an_image: of the indices.
    """

    image: Ids
    rounds: list[int]
    edges: int
    search_s: float
    match_s: float
    bytes_a_track: float
    bytes_an_image: float


class Shards:
    """Images in shards, an index each.

    Args:
        images: unit vectors, shape (m, d).
        count: how many shards.
        lists: inverted lists of a shard; 0 for a flat index.
        probes: how many of them a search looks at.
    """

    def __init__(self, images: FloatArray, count: int, lists: int = 0, probes: int = 0) -> None:
        self.share = probes / lists if lists else 1.0
        self._probes = probes
        self._starts: list[int] = []
        self._indices: list[Any] = []
        dimension = images.shape[1]
        for rows in np.array_split(np.arange(len(images)), count):
            index = faiss.IndexFlatIP(dimension)
            if lists:
                index = faiss.IndexIVFFlat(
                    index, dimension, lists, faiss.METRIC_INNER_PRODUCT, True
                )
                index.train(images[rows])
            index.add(images[rows])
            self._indices.append(index)
            self._starts.append(int(rows[0]))
        self.bytes = sum(len(faiss.serialize_index(index)) for index in self._indices)

    def look_everywhere(self) -> None:
        """From now on look at every list."""
        self.share = 1.0
        self._probes = max(index.nlist for index in self._indices)

    def search(self, tracks: FloatArray, keep: int, free: NDArray[np.bool_]) -> tuple[Any, Ids]:
        """Return the best free images of some tracks over all shards.

        Returns:
            Similarities and images, each of shape (n, keep), best first; -1 where there are fewer.
        """
        scores = np.full((len(tracks), 0), -np.inf, np.float32)
        found = np.full((len(tracks), 0), -1, np.int32)
        for start, index in zip(self._starts, self._indices, strict=True):
            bits = np.packbits(free[start : start + index.ntotal], bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)
            kind = faiss.SearchParametersIVF if self._probes else faiss.SearchParameters
            more = {"nprobe": self._probes} if self._probes else {}
            near, ids = index.search(tracks, keep, params=kind(sel=selector, **more))
            ids = np.where(ids < 0, -1, ids + start).astype(np.int32)
            scores = np.hstack([scores, np.where(ids < 0, -np.inf, near)])
            found = np.hstack([found, ids])
            best = np.argsort(-scores, axis=1, kind="stable")[:, :keep]
            scores = np.take_along_axis(scores, best, axis=1)
            found = np.take_along_axis(found, best, axis=1)
        return scores, found


@compiled
def _take(order: Any, tracks: Any, images: Any, chosen: Any, free: Any) -> None:
    for edge in order:
        track, image = tracks[edge], images[edge]
        if image >= 0 and chosen[track] < 0 and free[image]:
            chosen[track] = image
            free[image] = False


def on_candidates(audio: FloatArray, shards: Shards, images: int, keep: int) -> Result:
    """Match every track on its candidates, round by round."""
    chosen = np.full(len(audio), -1, np.int32)
    free = np.ones(images, bool)
    result = Result(chosen, [], 0, 0.0, 0.0, 0.0, shards.bytes / images)
    while len(left := np.flatnonzero(chosen < 0)):
        began = time.process_time()
        blocks = [left[at : at + _BLOCK] for at in range(0, len(left), _BLOCK)]
        parts = [shards.search(audio[block], keep, free) for block in blocks]
        scores = np.concatenate([near for near, _ in parts])
        found = np.concatenate([ids for _, ids in parts])
        if not (found >= 0).any():  # no probed list has a free image: look into more of them
            shards.look_everywhere()
            continue
        searched = time.process_time()
        result.search_s += searched - began
        order = np.argsort(-scores, axis=None, kind="stable")
        tracks = np.repeat(left, found.shape[1])
        _take(order, tracks, found.ravel(), chosen, free)
        result.match_s += time.process_time() - searched
        result.edges += found.size
        size = (scores.nbytes + found.nbytes) / len(audio)
        result.bytes_a_track = max(result.bytes_a_track, size)
        result.rounds.append(int((chosen[left] >= 0).sum()))
    return result


def simulate(given: argparse.Namespace, kind: str, keep: int) -> dict[str, Any]:
    """Match with one kind of index and so many candidates; return a row of the table."""
    audio = vectors(given.items, given.dimension, 1)
    images = vectors(given.items, given.dimension, 2)
    whole = match(audio, images, method="greedy")
    lists = max(4, int((given.items / given.shards) ** 0.5)) if kind == "ivf" else 0
    probes = max(2, lists // 8) if lists else 0
    began = time.process_time()
    shards = Shards(images, given.shards, lists, probes)
    indexed = time.process_time() - began
    share = shards.share
    found = on_candidates(audio, shards, given.items, keep)
    return {
        "index": kind,
        "share": share,
        "keep": keep,
        "rounds": len(found.rounds),
        "first": found.rounds[0] / given.items,
        "searched_again": found.edges / keep / given.items,
        "same": float(np.mean(found.image == whole.image)),
        "mean": float(np.einsum("nd,nd->n", audio, images[found.image]).mean()),
        "exact_mean": float(np.mean(whole.similarity)),
        "index_s": indexed,
        "search_s": found.search_s,
        "match_s": found.match_s,
        "ns_a_product": ns_a_product(keep),
        "ns_an_edge": 1e9 * found.match_s / found.edges,
        "bytes_a_track": found.bytes_a_track,
        "bytes_an_image": found.bytes_an_image,
    }


def ns_a_product(keep: int) -> float:
    """Return the nanoseconds of a product of 1,024 dimensions in a shard's search."""
    images = vectors(_UNIT_IMAGES, LARGE_DIMENSION, 3)
    shards = Shards(images, 1)
    tracks = vectors(_UNIT_TRACKS, LARGE_DIMENSION, 4)
    began = time.process_time()
    shards.search(tracks, keep, np.ones(len(images), bool))
    return 1e9 * (time.process_time() - began) / (_UNIT_IMAGES * _UNIT_TRACKS)


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the measured table."""
    yield (
        f"{'index':5} {'keep':>4} {'rounds':>6} {'in 1st':>7} {'same':>6} {'mean':>7} {'exact':>7}"
        f" {'B/track':>7} {'B/image':>7} {'search s':>8} {'match s':>7} {'ns/prod':>7}"
        f" {'ns/edge':>7}"
    )
    for row in rows:
        yield (
            f"{row['index']:5} {row['keep']:4} {row['rounds']:6} {row['first']:7.1%}"
            f" {row['same']:6.1%} {row['mean']:7.4f} {row['exact_mean']:7.4f}"
            f" {row['bytes_a_track']:7.0f} {row['bytes_an_image']:7.0f} {row['search_s']:8.2f}"
            f" {row['match_s']:7.2f} {row['ns_a_product']:7.0f} {row['ns_an_edge']:7.1f}"
        )


def scaled(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield what ten million tracks and images would cost by the measured units.

    Searches grow with the square of the number. The rounds after the first are taken to add what
    they added here, and a search of inverted lists to look at the share that it looked at here.
    """
    yield f"at {LARGE:,} tracks and images of {LARGE_DIMENSION} dimensions, computed:"
    for row in rows:
        products = row["share"] * LARGE**2 * row["searched_again"]
        hours = products * row["ns_a_product"] / 1e9 / 3600
        edges = LARGE * row["keep"] * row["searched_again"]
        yield (
            f"{row['index']:5} {row['keep']:4}: {hours:10,.0f} core hours of search,"
            f" {edges * row['ns_an_edge'] / 1e9 / 60:6.1f} min of matching,"
            f" {LARGE * row['bytes_a_track'] / _GB:6.1f} GB of candidates,"
            f" {LARGE * LARGE_DIMENSION * 4 / _GB:.0f} GB of vectors over the shards"
        )


def main() -> None:
    """Print how near candidates come to the whole matrix, and what ten million would take."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--keep", type=int, nargs="+", default=[8, 32, 128])
    parser.add_argument("--out", type=Path, help="keep what is found here, and go on from it")
    given = parser.parse_args()
    faiss.omp_set_num_threads(1)
    nothing = np.zeros(0, np.int32)
    _take(nothing.astype(np.int64), nothing.astype(np.int64), nothing, nothing, nothing > 0)
    asked = {"script": "candidates", "items": given.items, "dimension": given.dimension}
    ledger = Ledger(given.out, asked | {"shards": given.shards})
    done = {(row["index"], row["keep"]) for row in ledger}
    for kind in ("flat", "ivf"):
        for keep in given.keep:
            if (kind, keep) not in done:
                ledger.append(simulate(given, kind, keep))
    print("\n".join([*table(ledger.rows), *scaled(ledger.rows)]))


if __name__ == "__main__":
    main()
