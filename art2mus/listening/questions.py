"""What listeners are asked (table 8 of the paper), and what the paper's answered (table 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

QuestionId = Literal["q1", "q2", "q3", "q4"]
LOWEST: Final = 1
HIGHEST: Final = 5
ANCHOR: Final = "ground-truth"  # the hidden anchor's name among the models
RATERS: Final = 15
ARTWORKS: Final = 15


@dataclass(frozen=True)
class Question:
    """One question of table 8, on a scale of 1 to 5.

    Attributes:
        id: its key in the answers.
        name: what it measures, the head of its column in table 9.
        text: as the paper words it.
    """

    id: QuestionId
    name: str
    text: str


QUESTIONS: Final = (
    Question("q1", "audio quality (Q1)", "How well does the music sound?"),
    Question("q2", "expressiveness (Q2)", "How expressive or emotionally engaging is the music?"),
    Question("q3", "pertinence (Q3)", "How relevant is the music to the artwork?"),
    Question(
        "q4",
        "alignment (Q4)",
        "How well does the music reflect the mood/content of the artwork?",
    ),
)
# Table 9: means over 15 participants of each one's mean over 15 artworks.
PAPER: Final = (
    ("Art2Mus (CLIP only artws)", (2.72, 3.10, 2.91, 2.88)),
    ("Art2Mus (ImageBind only artws)", (2.74, 3.02, 2.87, 2.79)),
)
