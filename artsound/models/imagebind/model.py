"""The embedder: images, audio and texts to ImageBind's unit vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import torch
from PIL import Image

from artsound.errors import UsageError
from artsound.models import pixels
from artsound.models.base import FloatArray, Modality
from artsound.models.catalogue import CATALOGUE
from artsound.models.fast_linear import speed_up
from artsound.models.imagebind import audio
from artsound.models.imagebind.config import IMAGE_SIDE, ImageBindConfig
from artsound.models.imagebind.network import ImageBindNetwork
from artsound.models.imagebind.tokenizer import BPE_FILE, Tokenizer
from artsound.models.partial import unit
from artsound.models.setup import Setup

_BATCH: Final = 16
_INDEPENDENT: Final = "independent_means"


class ImageBind:
    """ImageBind as an embedder (Protocol `models.base.Embedder`).

    Images are resized, cropped and normalised as CLIP's; audio is heard as three clips of two
    seconds, whose unit vectors are averaged; of a text the first 77 tokens count.

    Args:
        network: in inference mode, on its device.
        tokenizer: CLIP's; if None, it is read when the first text is embedded, from the
            catalogue's companion `tokenizer` (openai/clip-vit-base-patch32).
        independent_means: see `audio.clips`.
    """

    name = "imagebind"
    sample_rate = audio.SAMPLE_RATE
    modalities: frozenset[Modality] = frozenset({"image", "audio", "text"})

    def __init__(
        self,
        network: ImageBindNetwork,
        tokenizer: Tokenizer | None = None,
        *,
        independent_means: bool = False,
    ) -> None:
        self.network = network
        self.dimension = network.config.out_embed_dim
        self._tokenizer = tokenizer
        self._independent_means = independent_means

    @classmethod
    def from_checkpoint(
        cls,
        path: Path | str,
        config: ImageBindConfig | None = None,
        *,
        tokenizer: Path | str | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        independent_means: bool = False,
    ) -> Self:
        """Load the authors' checkpoint.

        Args:
            path: `imagebind_huge.pth`, or a file in its layout.
            config: the sizes; ImageBind-Huge's if None.
            tokenizer: a folder such as openai/clip-vit-base-patch32, or
                `bpe_simple_vocab_16e6.txt.gz`; if None, that file or the tokenizer's files beside
                the checkpoint, or else, when the first text is embedded, that folder from the Hub's
                cache or the Hub.
            device: where it computes.
            dtype: what it computes in.
            independent_means: whether overlapping clips of short audio lose their own means, which
                differs from the authors' code.

        Raises:
            CheckpointError: a file is missing, damaged or of another model.
        """
        where = Path(path)
        network = ImageBindNetwork.from_checkpoint(where, config or ImageBindConfig())
        vocabulary = tokenizer or _beside(where)
        return cls(
            speed_up(network.to(device=torch.device(device), dtype=dtype)),
            Tokenizer.from_path(vocabulary) if vocabulary else None,
            independent_means=independent_means,
        )

    @classmethod
    def from_recipe(cls, setup: Setup) -> Self:
        """Load the model as a recipe wants it, with its companion `tokenizer`.

        The recipe's `options` are the fields of `ImageBindConfig`, and `independent_means`.

        Raises:
            UsageError: the model has no such option, or the sizes do not go together.
            ArtsoundError: the weights or the tokenizer are not there, or of another model.
        """
        options: dict[str, Any] = dict(setup.settings.options)
        independent = options.pop(_INDEPENDENT, False)
        known = [field.name for field in fields(ImageBindConfig)]
        for name in options:
            if name not in known:
                raise UsageError(
                    f"models.{setup.name}.options has no {name!r}: it knows"
                    f" {', '.join([*known, _INDEPENDENT])}"
                )
        try:
            config = ImageBindConfig(**options)
        except (TypeError, ValueError) as error:
            raise UsageError(f"models.{setup.name}.options: {error}") from error
        return cls.from_checkpoint(
            setup.checkpoint(),
            config,
            tokenizer=setup.checkpoint("tokenizer"),
            device=setup.device(),
            dtype=setup.dtype(),
            independent_means=bool(independent),
        )

    def embed_images(self, images: Sequence[Image.Image]) -> FloatArray:
        """Return unit vectors, float32, shape (n, dimension).

        Raises:
            ValueError: an image is too elongated.
        """
        vectors = []
        for rows in _batches(len(images)):
            views = [pixels.cropped(images[row].convert("RGB"), IMAGE_SIDE) for row in rows]
            vectors.append(self._compute(self.network.images, torch.from_numpy(np.stack(views))))
        return self._stack(vectors)

    def embed_audio(self, waveforms: Sequence[FloatArray], sample_rate: int) -> FloatArray:
        """Return unit vectors, float32, shape (n, dimension).

        Args:
            waveforms: shape (samples,) or (channels, samples), 25 ms at least.
            sample_rate: in Hz.

        Raises:
            ValueError: a waveform is too short, or holds NaN or infinity.
        """
        vectors = []
        for rows in _batches(len(waveforms)):
            heard = [
                audio.clips(waveforms[row], sample_rate, independent_means=self._independent_means)
                for row in rows
            ]
            found = self._compute(self.network.audio, torch.cat(heard))
            vectors.append(found.unflatten(0, (-1, audio.CLIPS)).mean(1))
        return self._stack(vectors)

    def embed_text(self, texts: Sequence[str]) -> FloatArray:
        """Return unit vectors, float32, shape (n, dimension); a blank text is a zero vector.

        Texts of similar length share a batch, so that little is padded; attention is causal, so
        that padding has no say.

        Raises:
            ArtsoundError: the tokenizer is not there.
        """
        vectors = torch.zeros(len(texts), self.dimension)
        tokens = self.tokens(texts)
        order = sorted(range(len(texts)), key=lambda row: len(tokens[row]))
        for places in _batches(len(order)):
            rows = [order[place] for place in places]
            longest = max(len(tokens[row]) for row in rows)
            batch = torch.zeros(len(rows), longest, dtype=torch.long)
            for place, row in enumerate(rows):
                batch[place, : len(tokens[row])] = torch.tensor(tokens[row])
            # A text may spell out an end-of-text token: the first one counts.
            ends = torch.tensor([tokens[row].index(self._vocabulary().end) for row in rows])
            device = self._device
            with torch.inference_mode():
                vectors[rows] = self.network.texts(batch.to(device), ends.to(device)).cpu()
        vectors[[not text.strip() for text in texts]] = 0.0
        return unit(vectors)

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Return each text's tokens, from start-of-text to end-of-text, 77 at most.

        Raises:
            ArtsoundError: the tokenizer is not there.
        """
        return self._vocabulary()(texts)

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    def _compute(self, encode: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor) -> Any:
        dtype = next(self.network.parameters()).dtype
        with torch.inference_mode():
            return encode(inputs.to(self._device, dtype)).cpu()

    def _stack(self, vectors: Sequence[torch.Tensor]) -> FloatArray:
        return unit(torch.cat(list(vectors)) if vectors else torch.zeros(0, self.dimension))

    def _vocabulary(self) -> Tokenizer:
        if self._tokenizer is None:
            setup = Setup(self.name, CATALOGUE["embedder"][self.name])
            self._tokenizer = Tokenizer.from_path(setup.checkpoint("tokenizer"))
        return self._tokenizer


def _beside(checkpoint: Path) -> Path | None:
    """Return where a tokenizer lies beside a checkpoint, if one does."""
    folder = checkpoint.parent
    if any((folder / name).is_file() for name in (BPE_FILE, "tokenizer.json", "merges.txt")):
        return folder
    return None


def _batches(count: int) -> Iterator[range]:
    """Return the row numbers of each batch."""
    return (range(start, min(start + _BATCH, count)) for start in range(0, count, _BATCH))
