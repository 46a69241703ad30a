"""The roles that models play in a build: one Protocol a role.

A recipe names an implementation by its registry name (`registry.py`). Implementations are plain
classes that fit the Protocol; they load their weights in `__init__` and are built once a worker
process. All of them take and return batches, in order, one result an input. Every result must be a
pure function of the inputs and the weights: no global random state, no wall clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Modality = Literal["image", "audio", "text"]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Feedback:
    """What a captioner is told when it is asked again.

    Attributes:
        attempt: 1 for the first caption, 2 to 4 for regenerations.
        previous: the caption that fell short; empty on attempt 1.
        issues: codes of `captions.refine.Issue` found in the previous caption; empty on attempt 1.
    """

    attempt: int = 1
    previous: str = ""
    issues: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArtworkRequest:
    """One artwork to caption.

    Attributes:
        item_id: the artwork's id, the only source of variety between equal inputs.
        image: the decoded artwork, RGB.
        catalogue: what the catalogue knows: any of `title`, `artist`, `year`, `style`, `genre`,
            `tags` (list), `media` (list), `country`; a key is absent where it knows nothing.
        prompt: the full instruction, refined on regenerations.
        feedback: what was wrong with the previous caption.
    """

    item_id: str
    image: Image.Image
    catalogue: Mapping[str, Any]
    prompt: str
    feedback: Feedback = field(default_factory=Feedback)


@dataclass(frozen=True)
class SegmentRequest:
    """One music segment to caption.

    Attributes:
        item_id: track id and segment number.
        waveform: mono float32 samples in [-1, 1], shape (samples,).
        sample_rate: of the waveform, in Hz.
        prompt: the instruction; captioners without a prompt ignore it.
    """

    item_id: str
    waveform: FloatArray
    sample_rate: int
    prompt: str


@dataclass(frozen=True)
class FusionRequest:
    """The captions of one track's segments, to be merged into one.

    Attributes:
        item_id: the track's id.
        segments: the segment captions in temporal order, at least one.
        prompt: the full instruction, segments included, refined on regenerations.
        feedback: what was wrong with the previous caption.
    """

    item_id: str
    segments: tuple[str, ...]
    prompt: str
    feedback: Feedback = field(default_factory=Feedback)


@runtime_checkable
class ArtworkCaptioner(Protocol):
    """Describes artworks."""

    name: str

    def caption(self, requests: Sequence[ArtworkRequest]) -> list[str]:
        """Return one caption a request; an empty string says that the model gave up."""
        ...


@runtime_checkable
class SegmentCaptioner(Protocol):
    """Describes short music segments."""

    name: str
    sample_rate: int

    def caption(self, requests: Sequence[SegmentRequest]) -> list[str]:
        """Return one caption a request; waveforms arrive at `self.sample_rate`."""
        ...


@runtime_checkable
class CaptionFuser(Protocol):
    """Merges segment captions into one track caption."""

    name: str

    def fuse(self, requests: Sequence[FusionRequest]) -> list[str]:
        """Return one fused caption a request; an empty string says that the model gave up."""
        ...


@runtime_checkable
class ImageTextScorer(Protocol):
    """Turns images and captions into features whose cosine scores a caption (CLIP-Score)."""

    name: str
    weight: float

    def image_features(self, images: Sequence[Image.Image]) -> FloatArray:
        """Return features of shape (n, d), not necessarily normalised."""
        ...

    def text_features(self, captions: Sequence[str]) -> FloatArray:
        """Return features of shape (n, d), not necessarily normalised."""
        ...


@runtime_checkable
class TextSimilarity(Protocol):
    """BERT-Score's role: how close a candidate is to a reference, token by token."""

    name: str

    def f1(self, references: Sequence[str], candidates: Sequence[str]) -> list[float]:
        """Return BERT-Score F1 of each candidate; 0.0 where either text is empty."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Embeds one or more modalities into one space of `dimension` numbers."""

    name: str
    dimension: int
    sample_rate: int
    modalities: frozenset[Modality]

    def embed_images(self, images: Sequence[Image.Image]) -> FloatArray:
        """Return L2-normalised float32 vectors of shape (n, dimension); zeros stay zeros."""
        ...

    def embed_audio(self, waveforms: Sequence[FloatArray], sample_rate: int) -> FloatArray:
        """Return L2-normalised float32 vectors of shape (n, dimension); waveforms are mono."""
        ...

    def embed_text(self, texts: Sequence[str]) -> FloatArray:
        """Return L2-normalised float32 vectors of shape (n, dimension)."""
        ...


@runtime_checkable
class TextToImage(Protocol):
    """Draws images from texts.

    Attributes:
        name: what it is called in tables.
        version: another one wherever the same prompt and seed may give another image.
    """

    name: str
    version: str

    def generate(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
        """Return an RGB image for each prompt, a pure function of prompt and seed."""
        ...
