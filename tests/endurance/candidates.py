"""Greedy matching on the best candidates of each track, against matching on all products.

What pairing would be at ten million pairs, tried where the whole matrix still fits: each round
searches the images that are left for the nearest of every track that is left, and matches on those.

Usage: python -m tests.endurance.candidates [--items 4000] [--keep 8 32 128]
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from artsound.models.base import FloatArray
from artsound.pairing import match

_DIMENSION = 64
_TOPICS = 50


def vectors(count: int, seed: int) -> FloatArray:
    """Return unit vectors around a few topics, of which some are common and most are rare."""
    generator = np.random.default_rng(seed)
    topics = np.random.default_rng(0).standard_normal((_TOPICS, _DIMENSION))
    common = 1 / np.arange(1, _TOPICS + 1)
    chosen = generator.choice(_TOPICS, count, p=common / common.sum())
    found = topics[chosen] + generator.standard_normal((count, _DIMENSION))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found.astype(np.float32)


def on_candidates(audio: FloatArray, images: FloatArray, keep: int) -> tuple[list[int], list[int]]:
    """Match on candidates; return each track's image, and how many were matched by round."""
    chosen = [-1] * len(audio)
    tracks, free = np.arange(len(audio)), np.arange(len(images))
    rounds = []
    while len(tracks):
        products = audio[tracks] @ images[free].T
        width = min(keep, len(free))
        near = np.argpartition(-products, width - 1, axis=1)[:, :width]
        scores = np.take_along_axis(products, near, axis=1).ravel()
        taken = np.zeros(len(free), bool)
        before = len(tracks)
        for edge in np.argsort(-scores, kind="stable"):
            track, image = tracks[edge // width], near.ravel()[edge]
            if chosen[track] < 0 and not taken[image]:
                chosen[track], taken[image] = int(free[image]), True
        tracks = np.array([track for track in tracks if chosen[track] < 0], int)
        free = free[~taken]
        rounds.append(before - len(tracks))
    return chosen, rounds


def main() -> None:
    """Print how near candidates come to the whole matrix."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=4000)
    parser.add_argument("--keep", type=int, nargs="+", default=[8, 32, 128])
    given = parser.parse_args()
    audio, images = vectors(given.items, 1), vectors(given.items, 2)
    whole = match(audio, images, method="greedy")
    best = float(np.mean(whole.similarity))
    print(f"{'candidates':>10} rounds in the first same pairs    mean      s")
    print(f"{'all':>10} {'':6} {'':12} {'':10} {best:7.4f}")
    for keep in given.keep:
        began = time.perf_counter()
        chosen, rounds = on_candidates(audio, images, keep)
        seconds = time.perf_counter() - began
        mean = float(np.einsum("nd,nd->n", audio, images[chosen]).mean())
        same = float(np.mean(np.asarray(chosen) == whole.image))
        first = rounds[0] / given.items
        print(f"{keep:10} {len(rounds):6} {first:12.1%} {same:10.1%} {mean:7.4f} {seconds:6.1f}")


if __name__ == "__main__":
    main()
