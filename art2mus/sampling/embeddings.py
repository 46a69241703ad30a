"""Embedding the artworks that music is made for, and keeping their thumbnails on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import torch

from art2mus.checkpoint import Description
from art2mus.encoders import VisualEncoder
from art2mus.sampling.inputs import Artwork, Inputs, in_batches
from art2mus.sampling.opening import open_encoder
from art2mus.sampling.page.pictures import PagePictures
from art2mus.sampling.records import Item

_BATCH: Final = 16  # images that are decoded and embedded at a time


class Seeing:
    """Embeds artworks, and keeps their thumbnails; the encoder is loaded when it is needed."""

    def __init__(
        self,
        inputs: Inputs,
        description: Description,
        checkpoint: str | None,
        device: str,
        pictures: PagePictures | None,
        progress: Callable[[str, int, int], None],
    ) -> None:
        self._inputs = inputs
        self._description = description
        self._checkpoint = checkpoint
        self._device = device
        self._pictures = pictures
        self._progress = progress

    def encoder(self) -> VisualEncoder:
        """Return the checkpoint's encoder."""
        return open_encoder(
            self._description, None, checkpoint=self._checkpoint, device=self._device
        )

    def embeddings(self, items: Sequence[Item]) -> dict[str, torch.Tensor]:
        """Return the embeddings of what is to be made, shape (d,), by the images' checksums."""
        needed = {item.artwork.sha256 for item in items if not item.done}
        wanted: dict[str, Artwork] = {}
        for item in items:
            artwork = item.artwork
            unseen = self._pictures is not None and not self._pictures.has_thumbnail(artwork.sha256)
            if artwork.sha256 in needed or unseen:
                wanted.setdefault(artwork.sha256, artwork)
        encoder = self.encoder() if needed else None
        found: dict[str, torch.Tensor] = {}
        images = self._inputs.images(list(wanted.values()))
        done = 0
        for chunk in in_batches(zip(wanted, images, strict=True), _BATCH):
            self._progress("embedding", done, len(wanted))
            for digest, image in chunk:
                if self._pictures is not None:
                    self._pictures.add_thumbnail(digest, image)
            seen = [(digest, image) for digest, image in chunk if digest in needed]
            if encoder is not None and seen:
                vectors = encoder.embed([image for _, image in seen])
                found |= dict(zip((digest for digest, _ in seen), vectors, strict=True))
            done += len(chunk)
        if wanted:
            self._progress("embedding", done, len(wanted))
        return found
