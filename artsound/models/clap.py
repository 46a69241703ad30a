"""CLAP (Wu et al. 2023, arXiv 2211.06687): an embedder of audio and text.

The music checkpoint of its authors, through transformers. CLAP hears 10 s; of longer audio its
authors' code takes 10 s at random. Here a longer clip is heard in consecutive windows, so that
nothing is left to chance: the clip's vector is the mean of its windows' unit vectors, normalised
again. The last window ends where the clip ends. Shorter clips are repeated and padded, as theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import soxr
import torch
from transformers import ClapFeatureExtractor, ClapModel, RobertaTokenizer

from artsound.models.base import FloatArray, Modality
from artsound.models.checkpoints import CheckpointError
from artsound.models.partial import PartialEmbedder, unit
from artsound.models.pretrained import load_model, load_tokenizer, read_json
from artsound.models.setup import Setup

_BATCH: Final = 8
# What the authors' text branch was trained and is run with.
_MAX_TOKENS: Final = 77
_BUFFERS: Final = r"\.position_ids$|\.relative_position_index$"


class ClapEmbedder(PartialEmbedder):
    """Audio and texts in CLAP's space.

    Args:
        model: in inference mode, on its device; without feature fusion.
        extractor: waveforms to log-mel spectrograms.
        tokenizer: of the text branch.
    """

    name = "clap-music"
    modalities: frozenset[Modality] = frozenset({"audio", "text"})

    def __init__(
        self, model: ClapModel, extractor: ClapFeatureExtractor, tokenizer: RobertaTokenizer
    ) -> None:
        config: Any = model.config
        self.dimension = int(config.projection_dim)
        self.sample_rate = int(extractor.sampling_rate)
        self._model = model
        self._extractor: Any = extractor
        self._tokenizer: Any = tokenizer

    @classmethod
    def from_checkpoint(
        cls,
        path: Path | str,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Load a folder such as laion/larger_clap_music.

        Raises:
            CheckpointError: it is missing, damaged or of another model, or of the fused kind, whose
                features are drawn at random.
        """
        folder = Path(path)
        model = load_model(ClapModel, folder, device=device, dtype=dtype, unused=_BUFFERS)
        config: Any = model.config
        extractor = _extractor(folder)
        if config.audio_config.enable_fusion or extractor.truncation == "fusion":
            raise CheckpointError(
                f"{folder} is a CLAP with feature fusion, whose input is drawn at random: give one"
                " without, such as laion/larger_clap_music"
            )
        tokenizer = load_tokenizer(RobertaTokenizer, folder, config.text_config.vocab_size)
        return cls(model, extractor, tokenizer)

    @classmethod
    def from_recipe(cls, setup: Setup) -> Self:
        """Load the model as a recipe wants it."""
        setup.refuse_options()
        return cls.from_checkpoint(setup.checkpoint(), device=setup.device(), dtype=setup.dtype())

    def embed_audio(self, waveforms: Sequence[FloatArray], sample_rate: int) -> FloatArray:
        """Return unit vectors, float32, shape (n, dimension).

        Args:
            waveforms: mono, each of shape (samples,), in [-1, 1].
            sample_rate: theirs, in Hz; they are resampled to the model's where it differs.

        Raises:
            ValueError: a waveform is empty, not mono or not finite.
        """
        windows: list[FloatArray] = []
        owners: list[int] = []
        for row, waveform in enumerate(waveforms):
            for window in self._windows(waveform, sample_rate):
                windows.append(window)
                owners.append(row)
        sums = torch.zeros(len(waveforms), self.dimension)
        for start in range(0, len(windows), _BATCH):
            batch = self._heard(windows[start : start + _BATCH])
            sums.index_add_(0, torch.tensor(owners[start : start + _BATCH]), batch)
        return unit(sums)

    def embed_text(self, texts: Sequence[str]) -> FloatArray:
        """Return unit vectors, float32, shape (n, dimension); a blank text is a zero vector.

        77 tokens are read, as in the authors' `CLAP_Module.get_text_embedding`.
        """
        features = torch.zeros(len(texts), self.dimension)
        spoken = [row for row, text in enumerate(texts) if text.strip()]
        spoken.sort(key=lambda row: len(texts[row]))
        for start in range(0, len(spoken), _BATCH):
            rows = spoken[start : start + _BATCH]
            tokens = self._tokenizer(
                [texts[row] for row in rows],
                padding=True,
                truncation=True,
                max_length=_MAX_TOKENS,
                return_tensors="pt",
            ).to(self._model.device)
            with torch.inference_mode():
                found = self._model.get_text_features(**tokens).pooler_output
            features[rows] = found.float().cpu()
        return unit(features)

    def _windows(self, waveform: FloatArray, sample_rate: int) -> Iterator[FloatArray]:
        if waveform.ndim != 1 or not waveform.size:
            raise ValueError(f"a waveform of shape {waveform.shape}: expected (samples,)")
        if not np.isfinite(waveform).all():
            raise ValueError("a waveform with samples that are not finite")
        samples = soxr.resample(waveform, sample_rate, self.sample_rate)
        length = int(self._extractor.nb_max_samples)
        last = max(len(samples) - length, 0)
        for start in [*range(0, last, length), last]:
            yield samples[start : start + length]

    def _heard(self, windows: Sequence[FloatArray]) -> torch.Tensor:
        features = self._extractor(
            list(windows), sampling_rate=self.sample_rate, return_tensors="pt"
        )["input_features"]
        with torch.inference_mode():
            found = self._model.get_audio_features(
                features.to(self._model.device, self._model.dtype)
            ).pooler_output
        return torch.nn.functional.normalize(found.float(), dim=-1).cpu()


def _extractor(folder: Path) -> ClapFeatureExtractor:
    settings = read_json(folder, "preprocessor_config.json")
    settings.pop("feature_extractor_type", None)
    try:
        return ClapFeatureExtractor(**settings)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"{folder / 'preprocessor_config.json'} is not of a CLAP ({error}): download the"
            " repository again"
        ) from error
