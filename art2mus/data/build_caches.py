"""The one pass over a release's media that fills the caches: latents, embeddings, checksums."""

from __future__ import annotations

import itertools
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from art2mus import mel
from art2mus.backbone import Backbone
from art2mus.data.caches import ArrayCache
from art2mus.data.release import Media, Release
from art2mus.encoders import VisualEncoder
from artsound.errors import ArtsoundError

Report = Callable[[str, int, int], None]
_DIGEST: Final = 32  # bytes of a SHA-256
_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True)
class Places:
    """Where a release's caches lie in the cache folder.

    Attributes:
        root: the cache folder.
        release: the release's fingerprint.
        latents: what the moments depend on besides a clip.
        embeddings: what the embeddings depend on besides an image; those of music depend on the
            front end too.
    """

    root: Path
    release: str
    latents: str
    embeddings: str

    @classmethod
    def of(cls, root: Path, release: Release, backbone: Backbone, encoder: VisualEncoder) -> Places:
        """Return the places for a release and these models."""
        computed = str(backbone.dtype).removeprefix("torch.")
        return cls(
            root,
            release.fingerprint,
            f"{backbone.fingerprint[:32]}-{mel.VERSION}-{computed}",
            f"{encoder.name}-{_short(encoder.fingerprint)}",
        )

    def checksums(self, split: str) -> ArrayCache:
        """Return the checksums of a split's media by row: the image's, then the music's."""
        folder = self.root / "checksums" / self.release[:32] / split
        return ArrayCache(folder, (2 * _DIGEST,), np.uint8)

    @property
    def moments(self) -> Path:
        """The folder of the VAE's moments, by the music's checksum."""
        return self.root / "moments" / self.latents

    @property
    def vectors(self) -> Path:
        """The folder of the image embeddings, by the image's checksum."""
        return self.root / "embeddings" / self.embeddings

    @property
    def music(self) -> Path:
        """The folder of the music's embeddings, by the music's checksum."""
        return self.root / "music" / f"{self.embeddings}-{mel.VERSION}"


def keys_of(checksums: ArrayCache, rows: int) -> tuple[list[str], list[str]]:
    """Return the keys of a split's images and music, row by row, as far as they are known."""
    known = min(rows, len(checksums))
    held = checksums.rows([str(row) for row in range(known)])
    joined = held[:].tobytes().hex() if known else ""
    size = 2 * _DIGEST
    halves = [joined[at : at + size] for at in range(0, len(joined), size)]
    return halves[0::2], halves[1::2]


def opened(folder: Path) -> ArrayCache | None:
    """Open the cache of a folder with the shape and type that it has; None if there is none."""
    held = ArrayCache.stored(folder)
    return ArrayCache(folder, *held) if held else None


@dataclass(frozen=True)
class _Loaded:
    row: int
    image_key: str
    audio_key: str
    image: Image.Image | None
    clip: Tensor | None


class Builder:
    """Fills the caches of some splits; one process at a time.

    Args:
        release: whose media are read.
        places: of the caches.
        backbone: whose VAE encodes the music.
        encoder: of the images.
        batch: how many items are computed, and committed, at a time.
        device: where spectrograms are made and the VAE is.
        report: is told what is done, of how many rows.
        threads: how many decode.
    """

    def __init__(
        self,
        release: Release,
        places: Places,
        backbone: Backbone,
        encoder: VisualEncoder,
        *,
        batch: int,
        device: torch.device,
        report: Report,
        threads: int = 0,
    ) -> None:
        self._release = release
        self._places = places
        self._backbone = backbone
        self._encoder = encoder
        self._batch = batch
        self._device = device
        self._report = report
        self._threads = threads or min(8, len(os.sched_getaffinity(0)))
        self._audio = _Queue(places.moments, self._encode, batch)
        self._image = _Queue(places.vectors, self._embed, batch)
        self._music = _Queue(places.music, self._embed_audio, batch)

    def build(self, split: str, *, music: bool = False) -> None:
        """Compute what is missing of a split.

        Args:
            split: which.
            music: embed the music too, by the encoder of the images.

        Raises:
            ArtsoundError: a pair's media are missing or cannot be decoded, or the disk is too
                small.
        """
        rows = self._release.splits[split]
        checksums = self._places.checksums(split)
        todo = self._todo(checksums, rows, music)
        for queue in (self._audio, self._image, self._music):
            queue.expect(len(todo))
        begun = rows - len(todo)
        digests: list[tuple[str, str]] = []
        media = self._release.media(split, todo)
        load = partial(self._load, music=music)
        for done, loaded in enumerate(ahead(load, media, self._threads, self._batch), 1):
            self._audio.put(loaded.audio_key, loaded.clip)
            self._image.put(loaded.image_key, loaded.image)
            if music:
                self._music.put(loaded.audio_key, loaded.clip)
            if loaded.row >= len(checksums):
                digests.append((str(loaded.row), loaded.image_key + loaded.audio_key))
                if len(digests) == self._batch:
                    _commit(checksums, digests)
            self._report(f"caches of {split}", begun + done, rows)
        for queue in (self._audio, self._image, self._music):
            queue.flush()
        _commit(checksums, digests)

    def _todo(self, checksums: ArrayCache, rows: int, music: bool) -> list[int]:
        """Return the rows to read: the first with a file that is not cached, and the unknown."""
        images, tracks = keys_of(checksums, rows)
        queues = [(self._image, images), (self._audio, tracks)]
        if music:
            queues.append((self._music, tracks))
        wanted = set()
        for queue, keys in queues:
            first: dict[str, int] = {}
            for row, key in enumerate(keys):
                first.setdefault(key, row)
            wanted |= {row for key, row in first.items() if key not in queue}
        return [*sorted(wanted), *range(len(tracks), rows)]

    def _load(self, media: Media, *, music: bool) -> _Loaded:
        """Decode what is not cached of a row; runs in threads."""
        clip = image = None
        key = media.audio_key
        if key not in self._audio or (music and key not in self._music):
            samples, rate = media.audio()
            clip = mel.training_clip(torch.from_numpy(samples), rate)
        if media.image_key not in self._image:
            image = media.image()
        return _Loaded(media.row, media.image_key, media.audio_key, image, clip)

    def _encode(self, clips: Sequence[Tensor]) -> NDArray[np.float16]:
        spectrograms = mel.log_mel(torch.stack(list(clips)).to(self._device))
        return vae_moments(self._backbone, spectrograms)

    def _embed_audio(self, clips: Sequence[Tensor]) -> NDArray[np.float32]:
        with torch.no_grad():
            return self._encoder.embed_audio(clips).numpy()

    def _embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        with torch.no_grad():
            return self._encoder.embed(images).to("cpu", torch.float32).numpy()


def vae_moments(backbone: Backbone, spectrograms: Tensor) -> NDArray[np.float16]:
    """Return what the VAE says of log-mel spectrograms: the mean and the log-variance of latents.

    Args:
        backbone: whose VAE it is.
        spectrograms: shape (batch, 1024, 64).

    Returns:
        float16, shape (batch, 2 * channels, 256, 16), the means in the first half; not scaled by
        the VAE's `scaling_factor`.

    Raises:
        ArtsoundError: they hold numbers that are not finite, or too large for float16.
    """
    with torch.no_grad():
        given = spectrograms[:, None].to(backbone.device, backbone.dtype)
        latents = backbone.vae.encode(given).latent_dist
        moments = torch.cat([latents.mean, latents.logvar], dim=1)
        halves: NDArray[np.float16] = moments.to("cpu", torch.float16).numpy()
    if not np.isfinite(halves).all():
        raise ArtsoundError(
            f"the VAE of {backbone.name} gave latents that are not finite, or beyond float16: is"
            " the backbone damaged?"
        )
    return halves


class _Queue:
    """Items that wait to be computed together; what comes twice is computed once."""

    def __init__(
        self, folder: Path, compute: Callable[[Sequence[Any]], NDArray[Any]], batch: int
    ) -> None:
        self._folder = folder
        self._compute = compute
        self._batch = batch
        self._cache = opened(folder)
        self._waiting: dict[str, Any] = {}
        self._rows = 0

    def __contains__(self, key: str) -> bool:
        return self._cache is not None and key in self._cache

    def expect(self, rows: int) -> None:
        """Say how many rows may come, at most."""
        self._rows = rows

    def put(self, key: str, item: Any) -> None:
        """Add an item, unless it is computed or waits already."""
        if item is None or key in self:
            return
        self._waiting.setdefault(key, item)
        if len(self._waiting) == self._batch:
            self.flush()

    def flush(self) -> None:
        """Compute and commit what waits."""
        if not self._waiting:
            return
        arrays = self._compute(list(self._waiting.values()))
        if self._cache is None:
            self._check_room(arrays[0].nbytes * self._rows)
            self._cache = ArrayCache(self._folder, arrays.shape[1:], arrays.dtype)
        self._cache.append(list(self._waiting), arrays)
        self._waiting.clear()

    def _check_room(self, needed: int) -> None:
        at = next(place for place in self._folder.parents if place.exists())
        free = shutil.disk_usage(at).free
        if needed > free:
            raise ArtsoundError(
                f"{self._folder} needs up to {needed / 1e9:.1f} GB and the disk has"
                f" {free / 1e9:.1f}: name a cache folder on a larger one"
            )


def ahead(
    work: Callable[[_In], _Out], items: Iterable[_In], threads: int, window: int
) -> Iterator[_Out]:
    """Yield what `work` makes of items, in order, while threads do the next `window` of them."""
    source = iter(items)
    running: deque[Future[_Out]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            while True:
                room = max(window, threads) - len(running)
                running.extend(pool.submit(work, one) for one in itertools.islice(source, room))
                if not running:
                    return
                yield running.popleft().result()
        finally:
            for one in running:
                one.cancel()


def _commit(checksums: ArrayCache, digests: list[tuple[str, str]]) -> None:
    if digests:
        joined = b"".join(bytes.fromhex(both) for _, both in digests)
        rows = np.frombuffer(joined, np.uint8).reshape(len(digests), 2 * _DIGEST)
        checksums.append([key for key, _ in digests], rows)
        digests.clear()


def _short(fingerprint: str) -> str:
    """Return a fingerprint short enough for a folder's name, and what follows a dash."""
    found, dash, rest = fingerprint.partition("-")
    return f"{found[:32]}{dash}{rest}"
