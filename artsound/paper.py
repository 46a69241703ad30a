"""The paper's own figures and its citation, to print beside ours and never in place of them.

*Art2Mus: Artwork-to-Music Generation via Visual Conditioning and Large-Scale Cross-Modal
Alignment*, arXiv 2602.17599. Whatever shows one of these figures labels it "paper".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

TITLE: Final = (
    "Art2Mus: Artwork-to-Music Generation via Visual Conditioning"
    " and Large-Scale Cross-Modal Alignment"
)
# (family name, given name)
AUTHORS: Final = (
    ("Rinaldi", "Ivan"),
    ("Mendula", "Matteo"),
    ("Fanelli", "Nicola"),
    ("Levé", "Florence"),
    ("Testi", "Matteo"),
    ("Castellano", "Giovanna"),
    ("Vessio", "Gennaro"),
)
YEAR: Final = 2026
ARXIV: Final = "2602.17599"
URL: Final = f"https://arxiv.org/abs/{ARXIV}"

ARTWORKS: Final = 116_475
PAIRS: Final = 105_884


@dataclass(frozen=True)
class Figures:
    """What the paper says of a set of values; None where it does not say.

    Attributes:
        n: how many values there were.
        minimum: the smallest.
        mean: their arithmetic mean.
        maximum: the largest.
        sd: their standard deviation.
    """

    n: int
    minimum: float
    mean: float
    maximum: float
    sd: float | None = None


@dataclass(frozen=True)
class Captions:
    """One half of table 1: the captions of one modality.

    Attributes:
        figures: the characters (`length`) and the scores, by the name of their column.
        threshold: the score below which a caption was asked for again.
        above: how many captions reached it.
        below: how many were kept although they did not.
    """

    figures: Mapping[str, Figures]
    threshold: float
    above: int
    below: int


# Table 1: (min, mean, max).
IMAGE_CAPTIONS: Final = Captions(
    {
        "length": Figures(ARTWORKS, 234, 950.18, 2302),
        "clip_score": Figures(ARTWORKS, 0.3699, 0.7821, 1.0),
        "pac_score": Figures(ARTWORKS, 0.5165, 0.8431, 1.0),
        "ic_score": Figures(ARTWORKS, 0.4918, 0.8217, 1.0),
    },
    threshold=0.80,
    above=78_845,
    below=37_630,
)
AUDIO_CAPTIONS: Final = Captions(
    {
        "length": Figures(PAIRS, 82, 411.76, 1084),
        "bert_score": Figures(PAIRS, 0.8474, 0.9321, 0.9940),
        "rouge1": Figures(PAIRS, 0.1, 0.6894, 0.9771),
        "ac_score": Figures(PAIRS, 0.6234, 0.8593, 0.9889),
    },
    threshold=0.80,
    above=95_837,
    below=10_047,
)

# Table 5: similarities of the pairs by strategy, here in the order (min, mean, max, sd).
STRATEGIES: Final[Mapping[str, Figures]] = {
    "image_audio": Figures(PAIRS, -0.0216, 0.1864, 0.5518, 0.0697),
    "image_audio_caption": Figures(PAIRS, -0.0676, 0.0644, 0.4482, 0.0970),
    "image_caption_audio": Figures(PAIRS, -0.1011, 0.0658, 0.1794, 0.0344),
    "image_caption_audio_caption": Figures(PAIRS, 0.0699, 0.7081, 1.0, 0.3613),
}

# Table 12: 100 artworks and 100 tracks, CLIP embeddings (appendix B).
PICTURES: Final[Mapping[str, Figures]] = {
    "artwork-spectrogram": Figures(100, 0.2466, 0.4355, 0.7183, 0.0783),
    "Inferno artwork-spectrogram": Figures(100, 0.21, 0.7045, 0.92, 0.1422),
    "artwork-generated image": Figures(100, 0.1274, 0.4578, 0.7759, 0.0931),
}


# Table 4: fused captions against their segments' (ROUGE-1, BERT-Score, ACScore), by registry name.
FUSERS: Final[Mapping[str, tuple[float, float, float]]] = {
    "llama-3.1-8b-instruct": (0.5373, 0.9056, 0.7951),
    "qwen3-8b": (0.6301, 0.9260, 0.8372),
    "qwen3-14b": (0.6870, 0.9312, 0.8579),
}

# Section 3.2 and tables 10 and 11 give examples and a verdict, no figures.
ARTWORK_CAPTIONERS: Final[Mapping[str, str]] = {
    "llava-1.6-mistral-7b": "chosen",
    "qwen2.5-vl-7b": "dropped: overly long and unbalanced",
    "qwen2.5-omni-7b": "dropped: overly long and unbalanced",
    "blip": "dropped: generic, takes no prompt",
}
SEGMENT_CAPTIONERS: Final[Mapping[str, str]] = {
    "lp-musiccaps": "chosen",
    "qwen2-audio-7b": "dropped: too detailed, repetitive",
    "qwen2.5-omni-7b": "dropped: asks questions, invents replies",
    "musilingo": "dropped: too detailed, repetitive",
}


def bibtex() -> str:
    """Return the paper's BibTeX entry, in ASCII as BibTeX wants it."""
    authors = " and ".join(f"{family}, {given}" for family, given in AUTHORS).replace("é", r"{\'e}")
    return "\n".join(
        (
            "@article{rinaldi2026art2mus,",
            f"  title   = {{{TITLE}}},",
            f"  author  = {{{authors}}},",
            f"  journal = {{arXiv preprint arXiv:{ARXIV}}},",
            f"  year    = {{{YEAR}}}",
            "}",
        )
    )


def apa() -> str:
    """Return the paper's reference in APA style."""
    names = [
        f"{family}, {' '.join(f'{part[0]}.' for part in given.split())}"
        for family, given in AUTHORS
    ]
    listed = f"{', '.join(names[:-1])}, & {names[-1]}"
    return f"{listed} ({YEAR}). *{TITLE}*. arXiv:{ARXIV}. {URL}"
