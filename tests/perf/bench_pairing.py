"""Pairing at the paper's scale, against the bare matrix product and against its peers.

Synthetic embeddings have what real ones have: clusters of uneven size, a gap between the two
modalities, items with little to say, hubs, and duplicates. Every run is a process of its own, so
that the memory is its own; its time is given as a ratio to the bare float32 product of the same
size, which is timed in the same run of this benchmark.

Usage: python -m tests.perf.bench_pairing [--scales 0.25 1] [--peers 10000] [--only RUN ...]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TRACKS, ARTWORKS, DIMENSION = 105_884, 116_475, 1024
ROWS = 1024
Matrix = NDArray[np.float32]


def make(tracks: int, artworks: int, seed: int = 0) -> tuple[Matrix, Matrix]:
    """Return embeddings of tracks and artworks, about as similar as the paper's table 5 has it."""
    rng = np.random.default_rng(seed)
    concepts, clusters = 100, 600
    basis = np.linalg.qr(rng.standard_normal((DIMENSION, concepts)))[0].T.astype(np.float32)
    centres = rng.standard_normal((clusters, concepts)).astype(np.float32)
    gaps = rng.standard_normal((2, DIMENSION)).astype(np.float32)
    gaps /= np.linalg.norm(gaps, axis=1, keepdims=True)
    # Most of what an item has beside its meaning is of its own modality alone.
    spaces = np.linalg.qr(rng.standard_normal((DIMENSION, 600)))[0].T.astype(np.float32)

    def side(count: int, mean: Matrix, own: Matrix, skew: float) -> Matrix:
        share = rng.permutation(1.0 / (np.arange(clusters) + 10.0) ** skew)
        cluster = rng.choice(clusters, count, p=share / share.sum())
        vectors = np.empty((count, DIMENSION), dtype=np.float32)
        for start in range(0, count, 8192):
            part = cluster[start : start + 8192]
            meaning = centres[part] + 0.9 * rng.standard_normal((len(part), concepts), np.float32)
            meaning /= np.linalg.norm(meaning, axis=1, keepdims=True)
            weight = 0.8 * rng.uniform(0.3, 1.0, (len(part), 1)).astype(np.float32)
            noise = 0.8**0.5 * rng.standard_normal((len(part), 300), np.float32) @ own / 300**0.5
            noise += 0.2**0.5 * rng.standard_normal((len(part), DIMENSION), np.float32) / 32
            vectors[start : start + 8192] = (
                weight * (meaning @ basis) + 0.35 * mean + np.sqrt(1 - weight**2 - 0.35**2) * noise
            )
        return vectors

    audio = side(tracks, gaps[0] - 0.1 * gaps[1], spaces[:300], 0.4)
    images = side(artworks, gaps[1], spaces[300:], 0.7)
    images[rng.choice(artworks, artworks // 500, replace=False)] += 0.25 * gaps[0]
    for vectors in (audio, images):
        copies = rng.choice(len(vectors), len(vectors) // 50, replace=False)
        vectors[copies] = vectors[rng.choice(len(vectors), len(copies))]
    return audio, images


def _product(audio: Matrix, images: Matrix) -> dict[str, Any]:
    out = np.empty((ROWS, len(images)), dtype=np.float32)
    columns = np.array(images)
    for start in range(0, len(audio), ROWS):
        block = np.array(audio[start : start + ROWS])
        np.matmul(block, columns.T, out=out[: len(block)])
    return {}


def _product_bfloat16(audio: Matrix, images: Matrix) -> dict[str, Any]:
    import torch

    columns = torch.from_numpy(np.array(images)).bfloat16()
    out = torch.empty((ROWS, len(images)), dtype=torch.bfloat16)
    for start in range(0, len(audio), ROWS):
        block = torch.from_numpy(np.array(audio[start : start + ROWS])).bfloat16()
        torch.mm(block, columns.T, out=out[: len(block)])
    return {}


def _match(**options: Any) -> Callable[[Matrix, Matrix], dict[str, Any]]:
    def run(audio: Matrix, images: Matrix) -> dict[str, Any]:
        from artsound.pairing import match

        result = match(audio, images, **options)
        return _summary(result.similarity) | {"work": result.work, "gap": result.gap}

    return run


def _summary(similarity: NDArray[np.float64]) -> dict[str, Any]:
    low = np.nanpercentile(similarity, 1)
    return {
        "mean": float(np.nanmean(similarity)),
        "p1": float(low),
        "min": float(np.nanmin(similarity)),
        "checksum": float(np.nansum(similarity * np.arange(len(similarity)))),
    }


def _ranks(audio: Matrix, images: Matrix) -> dict[str, Any]:
    from artsound.pairing.matching import both_sides
    from artsound.pairing.ranks import neighbour_ranks

    rng = np.random.default_rng(0)
    neighbour_ranks(*both_sides(audio, images), rng.permutation(len(images))[: len(audio)])
    return {}


def _unit(vectors: Matrix) -> Matrix:
    unit: Matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _faiss_loop(audio: Matrix, images: Matrix) -> dict[str, Any]:
    """FAISS's top 128 of every track, then a greedy loop over them; not exact."""
    import faiss

    scores, found = faiss.knn(_unit(audio), _unit(images), 128, metric=faiss.METRIC_INNER_PRODUCT)
    used = np.zeros(len(images), dtype=bool)
    similarity = np.full(len(audio), np.nan)
    for place in np.argsort(-scores, axis=None, kind="stable"):
        track, column = divmod(int(place), 128)
        if np.isnan(similarity[track]) and not used[found[track, column]]:
            used[found[track, column]] = True
            similarity[track] = scores[track, column]
    return _summary(similarity) | {"note": f"{np.isnan(similarity).mean():.1%} without a pair"}


def _numpy_greedy(audio: Matrix, images: Matrix) -> dict[str, Any]:
    """The whole matrix, sorted."""
    scores = _unit(audio) @ _unit(images).T
    used = np.zeros(len(images), dtype=bool)
    similarity = np.full(len(audio), np.nan)
    for place in np.argsort(-scores, axis=None, kind="stable"):
        track, column = divmod(int(place), len(images))
        if np.isnan(similarity[track]) and not used[column]:
            used[column] = True
            similarity[track] = scores[track, column]
    return _summary(similarity)


def _scipy(audio: Matrix, images: Matrix) -> dict[str, Any]:
    from scipy.optimize import linear_sum_assignment

    scores = _unit(audio) @ _unit(images).T
    row, column = linear_sum_assignment(scores, maximize=True)
    return _summary(scores[row, column].astype(np.float64))


RUNS: Final[dict[str, Callable[[Matrix, Matrix], dict[str, Any]]]] = {
    "product, float32": _product,
    "product, bfloat16": _product_bfloat16,
    "greedy, float32": _match(backend="float32"),
    "greedy, bfloat16": _match(backend="bfloat16"),
    "greedy, faiss": _match(backend="faiss"),
    "optimal, bfloat16": _match(method="optimal", backend="bfloat16"),
    "optimal, tail-averse": _match(method="optimal", objective="tail-averse", backend="bfloat16"),
    "neighbour ranks": _ranks,
    "peer: faiss and a loop": _faiss_loop,
    "peer: numpy argsort": _numpy_greedy,
    "peer: scipy assignment": _scipy,
}
OURS: Final = [name for name in RUNS if not name.startswith("peer") and "faiss" not in name]


def run_one(name: str, folder: Path) -> None:
    """Run one line of the table in this process and print what it measured as JSON."""
    audio = np.load(folder / "audio.npy", mmap_mode="r")
    images = np.load(folder / "images.npy", mmap_mode="r")
    if name not in ("product, float32", "product, bfloat16"):
        RUNS[name](np.array(audio[:64]), np.array(images[:80]))  # the compiler's time is not ours
    started = time.perf_counter()
    found = RUNS[name](audio, images)
    found["seconds"] = time.perf_counter() - started
    found["gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(found))


def table(tracks: int, artworks: int, names: list[str]) -> dict[str, float]:
    """Print the table of one size; returns the ratios to the float32 product."""
    print(f"\n{tracks:,} tracks x {artworks:,} artworks x {DIMENSION}")
    print(
        f"{'':26}{'seconds':>9}{'ratio':>7}{'work':>7}{'GiB':>6}"
        f"{'mean':>8}{'p1':>8}{'min':>8}{'gap':>9}"
    )
    ratios: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, vectors in zip(("audio", "images"), make(tracks, artworks), strict=True):
            np.save(Path(folder) / f"{name}.npy", vectors)
        del vectors
        base = 0.0
        checksums: dict[str, float] = {}
        for name in names:
            command = [sys.executable, "-m", "tests.perf.bench_pairing", "--one", name, folder]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{name:26}failed: {done.stderr.strip().splitlines()[-1]}")
                continue
            found = json.loads(done.stdout.splitlines()[-1])
            base = base or found["seconds"]
            ratios[name] = found["seconds"] / base
            line = f"{name:26}{found['seconds']:9.1f}{ratios[name]:7.2f}"
            line += f"{found['work']:7.3f}" if "work" in found else " " * 7
            line += f"{found['gib']:6.2f}"
            if "mean" in found:
                line += "".join(f"{found[key]:8.4f}" for key in ("mean", "p1", "min"))
            gap = found.get("gap", np.nan)
            line += f"{gap:9.1e}" if not np.isnan(gap) else ""
            print(line + (f"  {found['note']}" if "note" in found else ""), flush=True)
            if name.startswith("greedy"):
                checksums[name] = found["checksum"]
        print("greedy pairs the same in every line:", len(set(checksums.values())) == 1)
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scales", type=float, nargs="*", default=[0.25, 1.0])
    parser.add_argument("--peers", type=int, default=10_000, help="tracks; 0 for none")
    parser.add_argument("--only", nargs="*", default=OURS, choices=list(RUNS), metavar="RUN")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        run_one(given.one[0], Path(given.one[1]))
        return
    if given.peers:
        table(given.peers, given.peers * 11 // 10, list(RUNS))
    by_scale = [
        table(int(TRACKS * scale), int(ARTWORKS * scale), given.only) for scale in given.scales
    ]
    if len(by_scale) > 1:
        print("\ngrowth of the ratio from the first size to the last")
        for name, ratio in by_scale[-1].items():
            print(f"{name:26}{ratio / by_scale[0].get(name, np.nan):7.2f}")


if __name__ == "__main__":
    main()
