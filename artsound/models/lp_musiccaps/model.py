"""LP-MusicCaps: waveforms in, captions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
import torch
from transformers import BartConfig, BartTokenizer

from artsound.errors import UsageError
from artsound.models.base import FloatArray
from artsound.models.lp_musiccaps.beam import BEAMS, search
from artsound.models.lp_musiccaps.decoder import Decoder
from artsound.models.lp_musiccaps.mel import SAMPLE_RATE, SEGMENT_SAMPLES
from artsound.models.lp_musiccaps.network import Network, bart_config, load_network, read_config
from artsound.models.pretrained import load_tokenizer
from artsound.models.registry import Models

# About 25 MB of keys and values each; beyond it there is little to gain.
_BATCH: Final = 24


class LPMusicCaps:
    """Captions of 10-second music segments (Doh et al., ISMIR 2023).

    Equal to the authors' inference code with their beam search, to the last token; results do not
    depend on what is captioned together.

    Args:
        network: with its weights, in inference mode.
        tokenizer: BART's; None where token ids are enough.
        batch: how many segments are captioned at a time.
    """

    sample_rate: Final = SAMPLE_RATE

    def __init__(
        self, network: Network, tokenizer: BartTokenizer | None, *, batch: int = _BATCH
    ) -> None:
        self.network = network
        self._tokenizer = tokenizer
        self._batch = batch

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        bart_config: BartConfig | Mapping[str, Any] | None = None,
        *,
        bart: str | Path | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        batch: int = _BATCH,
    ) -> Self:
        """Load the authors' checkpoint.

        Args:
            path: their `transfer.pth`.
            bart_config: how BART is built, if not as in the `config.json` of `bart`.
            bart: a folder with the configuration and the tokenizer of `facebook/bart-base`, whose
                weights are not needed. If None, it is taken from the Hub, or its cache; with
                `bart_config` there is no tokenizer then, and only `token_ids` can be called.
            device: where it computes.
            dtype: what it computes in.
            batch: how many segments are captioned at a time; results do not depend on it.

        Raises:
            CheckpointError: a file is missing, damaged, unsafe or another model's.
        """
        if bart is None and bart_config is None:
            bart = Models().setup("segment_captioner", "lp-musiccaps").checkpoint("bart")
        folder = Path(bart).expanduser() if bart is not None else None
        config = _config(bart_config, folder)
        tokenizer = load_tokenizer(BartTokenizer, folder, config.vocab_size) if folder else None
        network = load_network(Path(path).expanduser(), config, device=device, dtype=dtype)
        return cls(network, tokenizer, batch=batch)

    def caption(self, waveforms: Sequence[FloatArray], sample_rate: int) -> list[str]:
        """Return a caption of each waveform.

        Args:
            waveforms: mono samples in [-1, 1], shape (samples,); of at most 10 s each, shorter ones
                are padded with silence, as the authors do.
            sample_rate: of the waveforms, 16000.

        Raises:
            ValueError: a waveform is empty, longer, not mono, not finite or at another rate.
            UsageError: the model was loaded without a tokenizer.
        """
        tokenizer = self._tokenizer
        if tokenizer is None:
            raise UsageError(
                "LP-MusicCaps was loaded without a tokenizer: give from_checkpoint bart=FOLDER with"
                " the files of facebook/bart-base"
            )
        texts = [
            tokenizer.decode(ids, skip_special_tokens=True)
            for ids in self.token_ids(waveforms, sample_rate)
        ]
        # The authors' release of transformers does this when decoding, later ones do not.
        return [tokenizer.clean_up_tokenization(str(text)) for text in texts]

    def caption_track(
        self, waveform: FloatArray, sample_rate: int, *, tail: Literal["drop", "keep"] = "drop"
    ) -> list[str]:
        """Return the captions of a waveform's 10-second segments, in order.

        Args:
            waveform: mono samples in [-1, 1], shape (samples,), of any length; less than 10 s are
                padded with silence.
            sample_rate: of the waveform, 16000.
            tail: what becomes of samples after the last whole segment: `drop`, as the authors do,
                or `keep`, padded with silence.

        Raises:
            ValueError: the waveform is empty, not mono, not finite or at another rate.
            UsageError: the model was loaded without a tokenizer.
        """
        samples = len(waveform)
        if tail == "drop":
            samples = max(samples // SEGMENT_SAMPLES, 1) * SEGMENT_SAMPLES
        starts = range(0, max(min(samples, len(waveform)), 1), SEGMENT_SAMPLES)
        segments = [waveform[start : start + SEGMENT_SAMPLES] for start in starts]
        return self.caption(segments, sample_rate)

    def token_ids(self, waveforms: Sequence[FloatArray], sample_rate: int) -> list[list[int]]:
        """Return the token ids of each waveform's caption, from the start to the end token.

        Args:
            waveforms: as for `caption`.
            sample_rate: of the waveforms, 16000.

        Raises:
            ValueError: a waveform is empty, longer than 10 s, not mono, not finite or at another
                rate.
        """
        if sample_rate != SAMPLE_RATE:
            raise ValueError(f"LP-MusicCaps hears {SAMPLE_RATE} Hz, not {sample_rate} Hz: resample")
        padded = [_padded(waveform) for waveform in waveforms]
        found: list[list[int]] = []
        for start in range(0, len(padded), self._batch):
            found += self._search(np.stack(padded[start : start + self._batch]))
        return found

    @torch.inference_mode()
    def _search(self, segments: FloatArray) -> list[list[int]]:
        device = self.network.mel.window.device
        encoded = self.network(torch.from_numpy(segments).to(device))
        return search(Decoder(self.network.bart, encoded, BEAMS), len(segments), device)


def _config(given: BartConfig | Mapping[str, Any] | None, folder: Path | None) -> BartConfig:
    if isinstance(given, BartConfig):
        return given
    if given is not None:
        return bart_config(given)
    if folder is None:
        raise UsageError("LP-MusicCaps needs BART's configuration: give bart=FOLDER or bart_config")
    return read_config(folder)


def _padded(waveform: FloatArray) -> FloatArray:
    """Return a checked waveform, padded with silence to 10 s."""
    if waveform.ndim != 1:
        raise ValueError(f"a waveform has the shape {waveform.shape}: give mono samples (samples,)")
    if not waveform.size:
        raise ValueError("a waveform is empty: there is nothing to caption")
    if waveform.size > SEGMENT_SAMPLES:
        raise ValueError(
            f"a waveform lasts {waveform.size / SAMPLE_RATE:.1f} s, and LP-MusicCaps hears 10 s at"
            " a time: cut it, or call caption_track"
        )
    if not np.issubdtype(waveform.dtype, np.floating):
        raise ValueError(f"a waveform has {waveform.dtype} samples: give floats in [-1, 1]")
    samples = waveform.astype(np.float32)
    if not np.isfinite(samples).all():
        raise ValueError("a waveform has samples that are not finite numbers")
    return np.pad(samples, (0, SEGMENT_SAMPLES - samples.size))
