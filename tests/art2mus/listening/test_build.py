"""The page's folder and its key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from PIL import Image

from art2mus.data import Release, open_release
from art2mus.listening.build import build
from art2mus.listening.questions import QUESTIONS
from artsound.errors import ArtsoundError, UsageError
from tests.art2mus.listening.conftest import SPLIT, Made, write_predictions
from tests.tiny_release import write_tiny_release


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_same_input_gives_the_same_bytes(
    made: Made, make: Callable[..., Made], tmp_path: Path
) -> None:
    again = make(tmp_path / "again")
    assert files(again.page) == files(made.page)
    assert again.key_file.read_bytes() == made.key_file.read_bytes()
    other = make(tmp_path / "other", seed=1)
    assert other.key.test != made.key.test


def test_the_page_tells_nothing_of_the_models(made: Made, models: dict[str, Path]) -> None:
    assert made.key_file.parent == made.page.parent
    for name, data in files(made.page).items():
        if not name.endswith((".jpg", ".flac")):
            for secret in (*models, "ground-truth", "sha256"):
                assert secret.encode() not in data, name
        for item in made.key.items.values():
            assert item.pair_id.encode() not in data
            assert item.artwork_id.encode() not in data
    sounds = [soundfile.info(path) for path in (made.page / "media").glob("*.flac")]
    assert len(sounds) == 9
    assert len({(one.samplerate, one.channels, one.frames, one.subtype) for one in sounds}) == 1


def test_asks_the_questions_of_table_8(made: Made, release: Release) -> None:
    assert made.test.questions == {one.id: one.text for one in QUESTIONS}
    assert len(made.test.items) == 3
    pairs = {pair.pair_id: pair for pair in release.pairs(SPLIT)}
    for item in made.test.items:
        secret = made.key.items[item.id]
        assert sorted(secret.tracks.values()) == ["ground-truth", "handbell", "reedpipe"]
        assert item.description == pairs[secret.pair_id].artwork_caption
        assert max(Image.open(made.page / item.image).size) <= 1200
        assert item.tracks.keys() == secret.tracks.keys()


def test_goes_without_the_anchor(make: Callable[..., Made], tmp_path: Path) -> None:
    without = make(tmp_path / "page", anchor=False)
    assert without.key.models == ["reedpipe", "handbell"]
    assert without.key.anchor is None
    assert all(len(item.tracks) == 2 for item in without.test.items)


def test_works_on_a_release_with_fewer_columns(tmp_path: Path) -> None:
    release = open_release(write_tiny_release(tmp_path / "tiny", seconds=1.1))
    pair_ids = [pair.pair_id for pair in release.pairs("train")]
    music = write_predictions(tmp_path / "music", pair_ids, rate=8000, pitch=300, seconds=1.4)
    done = build(release, "train", {"m": music}, tmp_path / "page", artworks=4)
    assert (done.artworks, done.tracks, done.seconds) == (4, 2, 1.1)
    assert any("cut to 1.10 s" in note for note in done.notes)


def test_says_at_once_what_is_wrong(
    release: Release, models: dict[str, Path], made: Made, tmp_path: Path
) -> None:
    def attempt(what: str, **changed: object) -> None:
        options = {"models": models, "out": tmp_path / "page", "split": SPLIT, "artworks": 3}
        with pytest.raises(UsageError, match=what):
            build(release, **(options | changed))  # type: ignore[arg-type]
        assert list(tmp_path.glob(".tmp-*")) == []

    attempt("no models", models={})
    attempt("a name is letters", models={"../up": models["reedpipe"]})
    attempt("hidden anchor has this name", models={"ground-truth": models["reedpipe"]})
    attempt("exists", out=made.page)
    attempt("no split", split="nothing")
    attempt(r"28 can, so give --split train$", split="test")
    attempt("no folder", models={"reedpipe": tmp_path / "nothing"})
    attempt("--artworks is 100", artworks=100)
    attempt("one at least", artworks=0)
    attempt("between 1 and 60", seconds=0.2)
    some = write_predictions(tmp_path / "some", ["a-stranger"], rate=8000, pitch=200)
    attempt(r"0 artworks .* some lacks 28 .*, \.\.\.", models={**models, "some": some})


def test_names_a_bad_prediction_and_leaves_nothing(release: Release, tmp_path: Path) -> None:
    pair_ids = [pair.pair_id for pair in release.pairs(SPLIT)]
    bad = write_predictions(tmp_path / "bad", pair_ids, rate=8000, pitch=200, seconds=0.5)
    with pytest.raises(ArtsoundError, match=r"bad/.*\.wav lasts 0.50 s"):
        build(release, SPLIT, {"bad": bad}, tmp_path / "page", artworks=2)
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]
