"""A listening test of three artworks on the sample release: two models and the anchor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from art2mus.data import Release, open_release
from art2mus.listening.build import build
from art2mus.listening.documents import Key, Test, read_key, read_test

SPLIT = "train"  # the sample's test split has one row


@dataclass(frozen=True)
class Made:
    """A listening test that was built.

    Attributes:
        page: its folder.
        key_file: the key's file.
    """

    page: Path
    key_file: Path

    @property
    def key(self) -> Key:
        return read_key(self.key_file)

    @property
    def test(self) -> Test:
        return read_test(self.page)


def write_predictions(
    folder: Path, pair_ids: list[str], *, rate: int, pitch: float, seconds: float = 1.2
) -> Path:
    """Write a tone for each pair, louder from one to the next."""
    folder.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(seconds * rate)) / rate
    for number, pair_id in enumerate(pair_ids):
        tone = 0.02 * (1 + number % 8) * np.sin(2 * np.pi * (pitch + 15 * number) * time)
        soundfile.write(folder / f"{pair_id}.wav", tone, rate)
    return folder


@pytest.fixture(scope="session")
def release(released: Path) -> Release:
    return open_release(released)


@pytest.fixture(scope="session")
def models(release: Release, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    pair_ids = [pair.pair_id for pair in release.pairs(SPLIT)]
    return {
        "reedpipe": write_predictions(folder / "reedpipe", pair_ids, rate=16_000, pitch=220),
        "handbell": write_predictions(folder / "handbell", pair_ids, rate=44_100, pitch=660),
    }


@pytest.fixture(scope="session")
def make(release: Release, models: dict[str, Path]) -> Callable[..., Made]:
    def made(page: Path, **options: object) -> Made:
        settings = {"artworks": 3, "seconds": 1.0, **options}
        done = build(release, SPLIT, models, page, **settings)  # type: ignore[arg-type]
        return Made(page, done.key)

    return made


@pytest.fixture(scope="session")
def made(make: Callable[..., Made], tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("listening") / "page")
