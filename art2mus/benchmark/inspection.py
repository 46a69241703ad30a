"""Looking through predictions before anything is embedded: what can be heard, and what is odd.

What a file is like (its length, whether it is silent) is kept by the file's content beside the
features, so a folder that was scored before is not decoded again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from art2mus.benchmark.clips import ClipError, read_clip
from art2mus.benchmark.features import facts, heard
from art2mus.benchmark.store import FeatureStore

# A clip that has less than so much of what is heard of each is called short: models' frames and
# codecs make up to a few per cent more or less than they are asked for.
ENOUGH: Final = 0.95


@dataclass(frozen=True)
class Inspection:
    """What files that pairs need are like.

    Attributes:
        missing: pairs without a prediction.
        unusable: predictions that cannot be evaluated, and why.
        silent: predictions that are silent.
        short: lengths in seconds, by pair, of those with less than what is heard of each.
        checksums: of the files, SHA-256, by pair; of those that can be read.
    """

    missing: tuple[str, ...]
    unusable: Mapping[str, str]
    silent: tuple[str, ...]
    short: Mapping[str, float]
    checksums: Mapping[str, str]


def inspect(
    generated: Mapping[str, Path],
    pair_ids: Sequence[str],
    store: FeatureStore,
    seconds: float | None = None,
) -> Inspection:
    """Say of the predictions of some pairs what is missing, unusable, silent or short.

    Args:
        generated: files by pair.
        pair_ids: those that must have one.
        store: where what a file is like is kept.
        seconds: only so much from the beginning is heard; None for all.
    """
    unusable: dict[str, str] = {}
    silent: list[str] = []
    short: dict[str, float] = {}
    checksums: dict[str, str] = {}
    for pair_id in sorted(generated.keys() & set(pair_ids)):
        path = generated[pair_id]
        try:
            checksums[pair_id] = checksum(path)
            key = heard(checksums[pair_id], partial(read_clip, path, seconds), (), store, seconds)
        except ClipError as error:
            unusable[pair_id] = str(error)
            continue
        (found,) = facts(store, [key])
        if found.silent:
            silent.append(pair_id)
        if seconds is not None and found.duration_s < ENOUGH * seconds:
            short[pair_id] = found.duration_s
    return Inspection(
        tuple(pair_id for pair_id in pair_ids if pair_id not in generated),
        unusable,
        tuple(silent),
        short,
        checksums,
    )


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        ClipError: it cannot be read; names it.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ClipError(f"{path} cannot be read ({error.strerror}): check the path") from error
