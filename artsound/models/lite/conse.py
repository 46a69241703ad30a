"""A joint space of images, audio and text by ConSE, out of small classifiers and MiniLM.

ConSE (Norouzi et al. 2014, arXiv 1312.5650, equation 3) puts an image where the mean of its most
probable class names, weighted by probability, lies in a space of text. Here the space is that of
all-MiniLM-L6-v2; images come through EfficientNet-Lite2's ImageNet classes, audio through MusiCNN's
tags. It is a small stand-in for models trained on pairs, and named as such wherever it is reported.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from PIL import Image

from artsound.models.base import FloatArray, Modality
from artsound.models.lite import efficientnet, imagenet, minilm, musicnn

TOP: Final = 10
_SCORER_TOP: Final = 50
_SCORER_PROMPT: Final = "a picture showing a {}"
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")

# Tags that speak of an absence or of the tagging itself: "no vocals" embeds next to "vocals", so a
# negative tag would pull audio towards what it lacks.
_UNSPOKEN: Final = frozenset(
    {"no vocals", "no vocal", "no voice", "no piano", "no singer", "no singing", "no drums"}
)
_PHRASES: Final = {
    "vocals": "singing voice",
    "vocal": "singing voice",
    "voice": "singing voice",
    "voices": "singing voices",
    "female vocal": "female singer",
    "female vocals": "female singer",
    "female voice": "female singer",
    "female vocalist": "female singer",
    "female vocalists": "female singer",
    "male vocal": "male singer",
    "male vocals": "male singer",
    "male voice": "male singer",
    "male vocalist": "male singer",
    "woman": "female singer",
    "female": "female singer",
    "women": "female singers",
    "man": "male singer",
    "male": "male singer",
    "solo": "solo instrument",
    "sexy": "sensual music",
    "chillout": "chill-out music",
    "chill": "relaxed music",
    "Mellow": "mellow music",
    "oldies": "old pop songs",
    "beautiful": "beautiful music",
    "60s": "music of the 1960s",
    "70s": "music of the 1970s",
    "80s": "music of the 1980s",
    "90s": "music of the 1990s",
    "00s": "music of the 2000s",
    "beat": "music with a strong beat",
    "beats": "music with a strong beat",
    "Hip-Hop": "hip-hop music",
    "rnb": "rhythm and blues music",
    "RnB": "rhythm and blues music",
    "synth": "synthesizer music",
}


def tag_phrase(tag: str) -> str:
    """Turn a MusiCNN tag into the phrase that is embedded; empty for a tag that says "not".

    Short tags mean little alone ("rock" is also a stone), so they become "rock music".
    """
    if tag in _UNSPOKEN or tag.startswith("no "):
        return ""
    return _PHRASES.get(tag, f"{tag} music")


def conse(probabilities: FloatArray, names: FloatArray, top: int) -> FloatArray:
    """Return ConSE vectors: the probability-weighted mean of the top names, L2-normalised.

    Args:
        probabilities: shape (n, classes), non-negative; ties go to the lower class index.
        names: the embedded class names, shape (classes, d).
        top: T, how many classes count.

    Returns:
        Vectors of shape (n, d); a row without any probability is a zero vector.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    weights = np.take_along_axis(probabilities, order, axis=1)
    return _unit(np.einsum("nt,ntd->nd", weights, names[order]).astype(np.float32))


def _unit(vectors: FloatArray) -> FloatArray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = vectors / np.maximum(norms, np.finfo(np.float32).tiny)
    return unit


@cache
def _class_names(prompt: str = "{}") -> FloatArray:
    return minilm.load().embed([prompt.format(entry.name) for entry in imagenet.classes()])


@cache
def _tag_names() -> FloatArray:
    labels = [*musicnn.MTT_LABELS, *musicnn.MSD_LABELS]
    return minilm.load().embed([tag_phrase(label) for label in labels])


class ConseEmbedder:
    """Images, audio and text in MiniLM's space; fits `base.Embedder`.

    Images: the 10 most probable ImageNet classes after suppressing what ImageNet takes a picture
    for (`imagenet.suppress`). Audio: the 10 strongest of MusiCNN's MagnaTagATune and
    Million Song tags together, negative tags left out. Text: MiniLM itself.
    """

    name = "lite-conse"
    dimension = minilm.DIMENSION
    sample_rate = 16_000
    modalities: frozenset[Modality] = frozenset({"image", "audio", "text"})

    def embed_images(self, images: Sequence[Image.Image]) -> FloatArray:
        """Return L2-normalised vectors of RGB images, shape (n, 384)."""
        if not images:
            return np.zeros((0, self.dimension), dtype=np.float32)
        probabilities = imagenet.suppress(efficientnet.class_probabilities(images))
        return conse(probabilities, _class_names(), TOP)

    def embed_audio(self, waveforms: Sequence[FloatArray], sample_rate: int) -> FloatArray:
        """Return L2-normalised vectors of mono waveforms, shape (n, 384)."""
        if not waveforms:
            return np.zeros((0, self.dimension), dtype=np.float32)
        magna, million = musicnn.tag_probabilities(waveforms, sample_rate)
        names = _tag_names()
        spoken = (np.abs(names).max(axis=1) > 0).astype(np.float32)
        probabilities = np.concatenate([magna, million], axis=1).astype(np.float32) * spoken
        return conse(probabilities, names, TOP)

    def embed_text(self, texts: Sequence[str]) -> FloatArray:
        """Return MiniLM's L2-normalised vectors, shape (n, 384)."""
        return minilm.load().embed(texts)


class ConseScorer:
    """CLIP-Score's formula (Hessel et al. 2021, arXiv 2104.08718) on ConSE; an `ImageTextScorer`.

    The score is 2.5 max(cos(image, caption), 0). Captions are sentences and class names are words,
    so the names are embedded as "a picture showing a ...", 50 of them instead of 10. Such phrases
    share a large common part, which lifts every cosine alike; their mean is taken off the image
    side. On real paintings that tells a right caption from a wrong one better than plain ConSE and
    keeps scores off the ceiling of 1. MiniLM reads 256 word pieces; a longer caption is scored by
    the mean over its sentences.
    """

    name = "lite-conse-score"
    weight = 2.5

    def image_features(self, images: Sequence[Image.Image]) -> FloatArray:
        """Return L2-normalised features of RGB images, shape (n, 384)."""
        if not images:
            return np.zeros((0, minilm.DIMENSION), dtype=np.float32)
        probabilities = imagenet.suppress(efficientnet.class_probabilities(images))
        names = _class_names(_SCORER_PROMPT)
        return conse(probabilities, names - names.mean(axis=0), _SCORER_TOP)

    def text_features(self, captions: Sequence[str]) -> FloatArray:
        """Return features, shape (n, 384), not always of length 1; empty captions are zero."""
        model = minilm.load()
        features = model.embed(captions)
        for row, caption in enumerate(captions):
            if not model.fits(caption):
                features[row] = model.embed(_SENTENCE_END.split(caption)).mean(axis=0)
        return features
