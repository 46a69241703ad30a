"""The page of samples: its pictures and text, and in a real browser, from disk."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from art2mus.sampling.loudness import encode
from art2mus.sampling.page import write_page
from art2mus.sampling.page.pictures import PagePictures
from art2mus.sampling.page.spectrogram import HEIGHT, WIDTH, spectrogram
from art2mus.sampling.records import FORMAT
from tests.report.browser import Browser, browser

HOSTILE = "z <b>&\"quoted\"</b> <script>window.broken = 1</script> 'é' #1?"
RATE = 16_000


def tone(hertz: float, level: float = 0.5) -> np.ndarray[Any, np.dtype[np.float32]]:
    time = np.arange(2 * RATE) / RATE
    return (level * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def write_samples(out: Path, *, toy: bool = True) -> Path:
    """Write a folder of samples: one artwork with three seeds, one with a hostile name."""
    out.mkdir()
    pictures = PagePictures(out)
    names = [
        ("cat-seed1", 1, 0.1),
        ("cat-seed2", 2, 0.3),
        ("cat-seed3", 3, 0.2),
        (HOSTILE.replace("/", ""), 0, None),
    ]
    for place, (name, seed, score) in enumerate(names):
        image = "1" * 64 if name.startswith("cat") else "2" * 64
        sound = encode(tone(300.0 * (place + 1)), RATE, "wav")
        (out / f"{name}.wav").write_bytes(sound.data)
        record = {
            "format": FORMAT,
            "audio": f"{name}.wav",
            "audio_sha256": f"{place + 3}" * 64,
            "image": f"/pictures/{HOSTILE}",
            "image_sha256": image,
            "release": {"artwork_caption": HOSTILE},
            "seed": seed,
            "checkpoint": {
                "name": HOSTILE,
                "aligner_sha256": "f" * 64,
                "step": 7,
                "tokens": 4,
                "encoder": "lite-conse",
                "backbone": "toy",
            },
            "settings": {"scheduler": "ddim", "steps": 200, "guidance": 3.5, "format": "wav"},
            "toy_prior": toy,
            "licence_note": "the licences apply",
            "sample_rate": RATE,
            "samples": 2 * RATE,
            "scores": {} if score is None else {"lite-conse": score},
        }
        (out / f"{name}.json").write_text(json.dumps(record))
        pictures.add_thumbnail(image, Image.new("RGB", (1200, 800), (90, 30, 160)))
    return write_page(out, pictures, lambda what, done, total: None)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]


def test_page_is_escaped_and_stays_in_its_folder(tmp_path: Path) -> None:
    page = write_samples(tmp_path / "out")
    parser = _Links()
    parser.feed(page.read_text())
    assert parser.tags.count("script") == 1
    assert "<script>window" not in page.read_text()
    from urllib.parse import unquote

    for link in parser.links:
        if link != "data:,":
            assert (page.parent / unquote(link)).is_file(), link
    assert parser.tags.count("audio") == 4
    assert (
        page.read_text()
        == write_page(page.parent, PagePictures(page.parent), lambda *_: None).read_text()
    )


def test_what_is_gone_is_swept(tmp_path: Path) -> None:
    page = write_samples(tmp_path / "out")
    folder = page.parent / "page"
    before = {path.name for path in folder.iterdir()}
    assert len(before) == 3 + 2 + 4
    (page.parent / "cat-seed2.wav").unlink()
    write_page(page.parent, PagePictures(page.parent), lambda *_: None)
    assert before - {path.name for path in folder.iterdir()} == {"4" * 24 + ".png"}
    assert "cat-seed2" not in page.read_text()


def test_sounds_are_ranked_by_one_score(tmp_path: Path) -> None:
    """Scores of two spaces do not compare: each sound here is the best of somebody's."""
    page = write_samples(tmp_path / "out")
    out = page.parent
    scores = {
        "cat-seed1": {"lite-conse": 0.9, "imagebind": 0.1},
        "cat-seed2": {"lite-conse": 0.8, "imagebind": 0.3},
        "cat-seed3": {"lite-conse": 0.7, "imagebind": 0.2},
    }

    def order(rank_by: str | None) -> list[str]:
        for name, found in scores.items():
            record = json.loads((out / f"{name}.json").read_text())
            (out / f"{name}.json").write_text(json.dumps({**record, "scores": found}))
        text = write_page(out, PagePictures(out), lambda *_: None, rank_by).read_text()
        ranked = re.findall(r"</b>\s*seed (\d)", text)
        where = text.partition("<dt>ranked by</dt><dd>")[2].partition(" score</dd>")[0]
        return [where, *ranked]

    assert order("imagebind") == ["imagebind", "2", "3", "1"]
    assert order("lite-conse") == ["lite-conse", "1", "2", "3"]
    assert order(None) == ["imagebind", "2", "3", "1"]  # the first by name
    del scores["cat-seed2"]["imagebind"]
    assert order("imagebind") == ["lite-conse", "1", "2", "3"]
    scores["cat-seed2"].clear()
    assert order("imagebind") == [""]


def test_spectrogram_shows_pitch_and_loudness() -> None:
    def brightest(hertz: float, level: float = 0.5) -> tuple[int, int]:
        picture = Image.open(io.BytesIO(spectrogram(tone(hertz, level), RATE)))
        assert picture.size == (WIDTH, HEIGHT)
        assert picture.mode == "P"
        steps = np.asarray(picture)[:, WIDTH // 2]
        return int(steps.argmax()), int(steps.max())

    low, high, quiet = brightest(200), brightest(4000), brightest(4000, 0.005)
    assert low[0] > high[0]  # rows count from the top
    assert high[1] - quiet[1] == pytest.approx(40 / 80 * 255, abs=3)
    silent = Image.open(io.BytesIO(spectrogram(np.zeros(RATE, np.float32), RATE)))
    assert np.asarray(silent).max() == 0
    assert Image.open(io.BytesIO(spectrogram(np.zeros(7, np.float32), RATE))).size[0] == WIDTH


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.mark.parametrize("width", [400, 1280])
def test_in_a_browser_from_disk(chromium: Browser, tmp_path: Path, width: int) -> None:
    page = write_samples(tmp_path / "out")
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    chromium.driver.get("about:blank")
    chromium.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chromium.logs()
    chromium.requested()
    chromium.driver.get(page.as_uri())
    for image in chromium.driver.find_elements("css selector", "img"):
        chromium.ask("arguments[0].scrollIntoView()", image)
        chromium.wait("return arguments[0].complete && arguments[0].naturalWidth > 0", image)
        assert image.get_attribute("alt")
    assert chromium.ask("return document.documentElement.scrollWidth") <= width
    assert chromium.ask("return window.broken") is None
    assert chromium.one("header .toy").is_displayed()
    captions = chromium.ask(
        "return [...document.querySelectorAll('figcaption')].map(e => e.innerText)"
    )
    assert [text.split(",")[0] for text in captions[:3]] == [
        "1 of 3 seed 2",
        "2 of 3 seed 3",
        "3 of 3 seed 1",
    ]
    assert "lite-conse score 0.300" in captions[0]
    labels = chromium.ask("return [...document.querySelectorAll('audio')].map(e => e.ariaLabel)")
    assert labels[0] == "Music for cat, seed 2"
    # Every player plays, and one that starts stops the others.
    for number in range(4):
        chromium.ask(
            "document.querySelectorAll('audio')[arguments[0]].play().catch(() => 0)", number
        )
        chromium.wait(
            "return [...document.querySelectorAll('audio')].every((e, i) =>"
            " e.paused === (i !== arguments[0])) &&"
            " document.querySelectorAll('audio')[arguments[0]].duration === 2",
            number,
        )
    root = page.as_uri().removesuffix("index.html")
    asked = [url for url in chromium.requested() if not url.startswith(("about:", "data:"))]
    assert asked
    assert all(url.startswith(root) for url in asked)
    assert chromium.logs() == []


def test_the_page_says_what_a_score_is(tmp_path: Path) -> None:
    page = write_samples(tmp_path / "out")
    said = " ".join(page.read_text().split())
    assert "the cosine of their embeddings in the space of the model that is named with it" in said
    assert "<b>lite-conse</b> is a small stand-in for ImageBind" in said
    for path in page.parent.glob("*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "scores": {}}))
    write_page(page.parent, PagePictures(page.parent), lambda *_: None)
    assert "A score says" not in page.read_text()
