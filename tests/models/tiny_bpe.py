"""Small, real byte-level BPE vocabularies, learnt from a few captions, as models store them."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path

from transformers.convert_slow_tokenizer import bytes_to_unicode

CORPUS = (
    "A photo depicts a quiet harbour at dawn, with fishing boats and a pale sky.",
    "A photo depicts the portrait of a woman in a red dress, painted in thick strokes of oil.",
    "A photo depicts an abstract composition of squares, lines and circles in blue and yellow.",
    "A calm piano melody over soft strings; the tempo is slow and the mood is melancholic.",
    "An energetic rock song with distorted guitars, fast drums and a male singer.",
    "Electronic music with a steady beat, a deep bass line and bright synthesiser chords.",
)
Merge = tuple[str, str]


@cache
def learn(count: int, end_of_word: str, space: str) -> tuple[Merge, ...]:
    """Return the merges of byte-pair encoding, the most frequent pair first, ties by name.

    Args:
        count: how many.
        end_of_word: what is appended to a word's last character (CLIP).
        space: what a word begins with that follows a space (RoBERTa).
    """
    words: Counter[tuple[str, ...]] = Counter()
    for sentence in CORPUS:
        text = sentence.lower() if end_of_word else sentence
        for plain in text.split():
            spaced = space + plain
            words[(*spaced[:-1], spaced[-1] + end_of_word)] += 1
    merges: list[Merge] = []
    for _ in range(count):
        pairs: Counter[Merge] = Counter()
        for word, times in words.items():
            for pair in pairwise(word):
                pairs[pair] += times
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = Counter({_merged(word, best): times for word, times in words.items()})
    return tuple(merges)


def _merged(word: tuple[str, ...], pair: Merge) -> tuple[str, ...]:
    parts: list[str] = []
    for part in word:
        if parts and (parts[-1], part) == pair:
            parts[-1] += part
        else:
            parts.append(part)
    return tuple(parts)


def _letters() -> list[str]:
    stand_ins: dict[int, str] = bytes_to_unicode()  # type: ignore[no-untyped-call]
    return list(stand_ins.values())


def clip_vocabulary() -> tuple[dict[str, int], tuple[Merge, ...]]:
    """Return tokens and merges in the order in which OpenAI's CLIP numbers them."""
    merges = learn(200, "</w>", "")
    letters = _letters()
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(m) for m in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: number for number, token in enumerate(tokens)}, merges


def roberta_vocabulary() -> tuple[dict[str, int], tuple[Merge, ...]]:
    """Return tokens and merges with RoBERTa's five special tokens where it has them."""
    merges = learn(200, "", "\u0120")
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *_letters()]
    tokens += ["".join(merge) for merge in merges]
    tokens = [*dict.fromkeys(tokens), "<mask>"]
    return {token: number for number, token in enumerate(tokens)}, merges


def write_vocabulary(
    folder: Path, vocabulary: dict[str, int], merges: tuple[Merge, ...], longest: int
) -> None:
    """Write vocab.json, merges.txt and tokenizer_config.json."""
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": longest}))
