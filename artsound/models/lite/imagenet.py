"""The 1,000 ImageNet classes as the lite models use them: names, and what they mean in a painting.

`data/imagenet/classes.csv` has a row a class of ILSVRC-2012, in index order (Russakovsky et al.
2015, arXiv 1409.0575; the synsets are WordNet's, the short names are this project's):

* `name`: a short name that a text encoder understands ("crane bird", not "crane");
* `suppressed`: 1 for what ImageNet takes a *picture* for (book jacket, comic book, jigsaw puzzle,
  tray, envelope, web site) and for modern goods that paintings do not show;
* `group`, `depicts`: what a caption may say about it. Classes of one group support each other: a
  hundred dog breeds are evidence for "a dog". A class without a group is never claimed.

`data/imagenet/groups.csv` has the phrase for each group and the evidence that a claim needs.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import numpy as np

from artsound.models.base import FloatArray

_FOLDER: Final = resources.files("artsound.models.lite") / "data" / "imagenet"


@dataclass(frozen=True)
class ImageNetClass:
    """One class.

    Attributes:
        index: its number, 0 to 999.
        name: a short name.
        suppressed: whether it stands for the picture as an object, or cannot be in a painting.
        group: the depiction group, or empty where the class is never claimed.
        depicts: the phrase for this class alone, or empty where the group's phrase serves.
    """

    index: int
    name: str
    suppressed: bool
    group: str
    depicts: str


@dataclass(frozen=True)
class Group:
    """Classes that a caption names alike.

    Attributes:
        kind: what sort of picture shows it: `dress`, `land`, `animal`, `still` (still life),
            `room` or `other`.
        phrase: the noun phrase, with its article ("a dog").
        evidence: the summed probability from which a caption may claim the group.
    """

    kind: str
    phrase: str
    evidence: float


@dataclass(frozen=True)
class Sighting:
    """Something the classifier saw.

    Attributes:
        group: the depiction group.
        phrase: the noun phrase to say.
        probability: the group's summed probability after suppression.
        strength: the probability divided by the group's evidence: from 1 on a caption may claim it.
    """

    group: str
    phrase: str
    probability: float
    strength: float


def _rows(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def classes() -> tuple[ImageNetClass, ...]:
    """Return the 1,000 classes in index order."""
    return tuple(
        ImageNetClass(
            int(row["index"]), row["name"], row["suppressed"] == "1", row["group"], row["depicts"]
        )
        for row in _rows("classes.csv")
    )


@cache
def groups() -> Mapping[str, Group]:
    """Return the depiction groups by name."""
    return {
        row["group"]: Group(row["kind"], row["phrase"], float(row["evidence"]))
        for row in _rows("groups.csv")
    }


def suppress(probabilities: FloatArray) -> FloatArray:
    """Set the suppressed classes to zero and scale the rest to sum to one.

    Args:
        probabilities: shape (n, 1000).

    Returns:
        Probabilities of the same shape.
    """
    keep = np.array([not entry.suppressed for entry in classes()], dtype=np.float32)
    kept: FloatArray = probabilities * keep
    total = kept.sum(axis=1, keepdims=True)
    scaled: FloatArray = kept / np.maximum(total, np.finfo(np.float32).tiny)
    return scaled


def sightings(probabilities: FloatArray) -> list[Sighting]:
    """Sum one image's class probabilities by depiction group.

    A class's own phrase is used where it holds more than 60 % of its group's probability, the
    group's phrase elsewhere: "a gondola" or "a boat".

    Args:
        probabilities: one image's suppressed probabilities, shape (1000,).

    Returns:
        Every group above 1 %, most probable first, ties in order of name.
    """
    by_group: dict[str, dict[str, float]] = {}
    for entry in classes():
        if entry.group:
            said = by_group.setdefault(entry.group, {})
            phrase = entry.depicts or groups()[entry.group].phrase
            said[phrase] = said.get(phrase, 0.0) + float(probabilities[entry.index])
    seen = []
    for name, said in by_group.items():
        total = sum(said.values())
        if total < 0.01:
            continue
        best = max(said, key=lambda phrase: (said[phrase], phrase))
        phrase = best if said[best] > 0.6 * total else groups()[name].phrase
        seen.append(Sighting(name, phrase, total, total / groups()[name].evidence))
    return sorted(seen, key=lambda sighting: (-sighting.probability, sighting.group))
