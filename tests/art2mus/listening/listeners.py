"""Listeners that answer without a browser, from the key."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from art2mus.listening.documents import Key

IDS = ("q1", "q2", "q3", "q4")
# (model, artwork's number, question's number) -> 1 to 5
Opinion = Callable[[str, int, int], int]


def answers(
    key: Key,
    rater: str,
    opinion: Opinion,
    prefers: Callable[[int], str],
    background: str = "",
) -> dict[str, Any]:
    """Return whole answers."""
    told = []
    for number, (artwork, item) in enumerate(key.items.items()):
        tracks = [
            {
                "track": track,
                "scores": {name: opinion(model, number, q) for q, name in enumerate(IDS)},
            }
            for track, model in item.tracks.items()
        ]
        liked = prefers(number)
        preferred = next(track for track, model in item.tracks.items() if model == liked)
        told.append({"artwork": artwork, "tracks": tracks, "preferred": preferred})
    return {
        "format": 1,
        "test": key.test,
        "rater": rater,
        "background": background,
        "answers": told,
    }


def at_random(key: Key, seed: int) -> dict[str, Any]:
    """Return whole answers out of a random number generator."""
    random = np.random.default_rng(seed)
    return answers(
        key,
        f"{seed:016x}",
        lambda model, artwork, question: int(random.integers(1, 6)),
        lambda artwork: str(random.choice(key.models)),
    )


def text(document: dict[str, Any]) -> str:
    return json.dumps(document)
