"""Checking media against plain decoding loops over the same bytes, in one run.

The plain loops are what one writes without checks: Pillow's open, load and convert; soundfile's
read. Ours is the check and the checksum of the file, which is what a stage does with it.

Usage: python -m tests.perf.bench_media
"""

from __future__ import annotations

import hashlib
import io
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import soundfile
from PIL import Image
from threadpoolctl import threadpool_limits

from artsound.sources.media import MediaLimits, check_audio, check_image
from artsound.sources.sample import data

LIMITS = MediaLimits()
ROUNDS = 7


def _images() -> list[bytes]:
    """Return artwork-sized JPEGs (ArtGraph's are about 800 pixels wide): the sample's, enlarged."""
    found = []
    for path in sorted((data() / "artgraph/imagesf2").iterdir(), key=lambda path: path.name):
        try:
            image = Image.open(io.BytesIO(path.read_bytes())).convert("RGB")
        except OSError:
            continue
        buffer = io.BytesIO()
        image.resize((900, 900 * image.height // image.width)).save(buffer, "JPEG", quality=90)
        found.append(buffer.getvalue())
    return found


def _clips() -> list[bytes]:
    folder = data() / "fma/fma_large/200"
    return [path.read_bytes() for path in sorted(folder.iterdir(), key=lambda path: path.name)]


def _plain_image(encoded: bytes) -> None:
    image = Image.open(io.BytesIO(encoded))
    image.load()
    image.convert("RGB")


def _our_image(encoded: bytes) -> None:
    check_image(encoded, "x.jpg", LIMITS)
    hashlib.sha256(encoded).hexdigest()


def _plain_audio(encoded: bytes) -> None:
    soundfile.read(io.BytesIO(encoded), dtype="float32")


def _our_audio(encoded: bytes) -> None:
    check_audio(encoded, LIMITS)
    hashlib.sha256(encoded).hexdigest()


def _seconds(call: Callable[[bytes], None], files: Sequence[bytes]) -> float:
    began = time.perf_counter()
    for file in files:
        call(file)
    return time.perf_counter() - began


def _compare(
    name: str, unit: str, amount: float, files: Sequence[bytes], plain: Callable[[bytes], None],
    ours: Callable[[bytes], None],
) -> None:  # fmt: skip
    pairs = [(_seconds(plain, files), _seconds(ours, files)) for _ in range(ROUNDS)]
    ratios = [ours / plain for plain, ours in pairs]
    plain_s = statistics.median(plain for plain, _ in pairs)
    ours_s = statistics.median(ours for _, ours in pairs)
    print(
        f"{name:8} {len(files):5} files  plain {amount / plain_s:8.1f} {unit}/s"
        f"  checked {amount / ours_s:8.1f} {unit}/s"
        f"  time ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
    )


def main() -> None:
    images, clips = _images(), _clips()
    seconds = sum(soundfile.info(io.BytesIO(clip)).duration for clip in clips)
    with threadpool_limits(limits=1):
        np.dot(np.ones(2), np.ones(2))
        _seconds(_our_audio, clips[:1])
        _seconds(_our_image, images[:1])
        _compare("images", "images", len(images), images, _plain_image, _our_image)
        _compare("audio", "audio s", seconds, clips, _plain_audio, _our_audio)


if __name__ == "__main__":
    main()
