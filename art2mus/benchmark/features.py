"""One pass over clips, artworks and captions: whatever the embedders have not met yet is embedded.

Each file is decoded once for all embedders, and resampled once a rate. Clips are embedded one at a
time: the last bits of a network's output depend on the batch that it computes, and what is left to
embed depends on the cache. So a result is the same with and without one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from art2mus.benchmark.clips import Clip
from art2mus.benchmark.embedders.base import AudioEmbedder, JointEmbedder, Waveform
from art2mus.benchmark.store import FeatureStore

_FACTS: Final = "clip-1"  # not an embedder: what a decoded clip is like

T = TypeVar("T")


@dataclass(frozen=True)
class Facts:
    """What a decoded clip is like.

    Attributes:
        sample_rate: in Hz.
        channels: as the file has them.
        duration_s: of the whole file.
        silent: whether the part that was heard is silent.
    """

    sample_rate: int
    channels: int
    duration_s: float
    silent: bool


def heard(
    key: str,
    decode: Callable[[], Clip],
    embedders: Sequence[AudioEmbedder],
    store: FeatureStore,
    seconds: float | None,
) -> str:
    """Make sure that a clip's features are in the store; it is decoded only if one is missing.

    Args:
        key: the checksum of its file.
        decode: reads it.
        embedders: those that must hear it.
        store: where features are kept.
        seconds: how much of it is heard; None for all.

    Returns:
        Its key in the store.
    """
    key = key if seconds is None else f"{key}@{seconds:g}"
    wanting = [one for one in embedders if not store.has(one.fingerprint, key)]
    if not wanting and store.has(_FACTS, key):
        return key
    clip = decode()
    at: dict[int | None, Waveform] = {}
    for one in wanting:
        if one.sample_rate not in at:
            at[one.sample_rate] = clip.at(one.sample_rate)
        store.put(one.fingerprint, key, one.hear(at[one.sample_rate]))
    numbers = [clip.sample_rate, clip.channels, clip.duration_s, float(clip.silent)]
    store.put(_FACTS, key, {"facts": np.array(numbers, np.float64)})
    return key


def facts(store: FeatureStore, keys: Sequence[str]) -> list[Facts]:
    """Return what clips that were heard are like."""
    found = []
    for key in keys:
        rate, channels, duration, silent = store.get(_FACTS, key, "facts").tolist()
        found.append(Facts(int(rate), int(channels), duration, bool(silent)))
    return found


def embedded(
    key: str,
    decode: Callable[[], T],
    embedders: Sequence[JointEmbedder],
    store: FeatureStore,
    embed: Callable[[JointEmbedder, T], NDArray[np.float32]],
) -> str:
    """Make sure that an artwork's or a caption's vectors are in the store.

    Args:
        key: the checksum of its file or text.
        decode: reads it; called only if a vector is missing.
        embedders: those that must see it.
        store: where vectors are kept.
        embed: what an embedder does with it, to shape (d,).

    Returns:
        The key.
    """
    wanting = [one for one in embedders if not store.has(one.fingerprint, key)]
    if wanting:
        given = decode()
        for one in wanting:
            store.put(one.fingerprint, key, {"vector": embed(one, given)})
    return key
