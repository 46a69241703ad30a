"""The page in a real browser: two listeners answer the whole test, and the numbers follow."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from art2mus.listening.collect import collect
from art2mus.listening.documents import Test
from art2mus.listening.questions import QUESTIONS
from art2mus.listening.store import stored
from tests.art2mus.listening.conftest import Made
from tests.art2mus.listening.listeners import IDS
from tests.art2mus.listening.programs import collector, listen
from tests.report.browser import Browser, browser, served

HOSTILE = "A <img src=x onerror='window.broken = 1'> </script> \u2028 & \"quoted\" café"
# What the simulated listeners think, by model: their scores for q1 to q4.
FIRST = {"reedpipe": (1, 2, 3, 4), "handbell": (2, 3, 4, 5), "ground-truth": (5, 5, 1, 1)}
SECOND = {"reedpipe": (3, 3, 3, 3), "handbell": (1, 1, 2, 2), "ground-truth": (4, 4, 5, 5)}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


class Listener:
    """Answers the page as a person does, knowing the key."""

    def __init__(self, chromium: Browser, made: Made, opinion: dict[str, Any], likes: str) -> None:
        self.chromium = chromium
        self.opinion = opinion
        self.likes = likes
        self.whose = {t: m for item in made.key.items.values() for t, m in item.tracks.items()}

    def open(self, url: str, width: int = 1280) -> None:
        self.chromium.driver.get("about:blank")
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.chromium.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.chromium.logs()
        self.chromium.driver.get(url)
        self.chromium.wait("return document.body.classList.contains('ready')")

    def click(self, selector: str) -> None:
        element = self.chromium.one(selector)
        self.chromium.ask("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def start(self, background: str = "") -> None:
        self.chromium.choose("#background", background)
        self.click("#consent")
        self.click("#start")

    def tracks(self) -> list[str]:
        """Return the opaque ids on the page, in order."""
        found: list[str] = self.chromium.ask(
            "return [...document.querySelectorAll('audio')].map(a => a.id.replace('-sound', ''))"
        )
        return found

    def hear(self, track: str, rate: float = 8) -> None:
        """Play a track to its end; faster than people do."""
        self.chromium.ask(
            "const a = document.getElementById(arguments[0] + '-sound');"
            "a.playbackRate = arguments[1]; a.play()",
            track,
            rate,
        )
        heard = "return document.getElementById(arguments[0] + '-heard').textContent.includes('✓')"
        self.chromium.wait(heard, track, seconds=20)

    def rate(self, track: str) -> None:
        for name, score in zip(IDS, self.opinion[self.whose[track]], strict=True):
            self.click(f"[id='{track}-{name}'] input[value='{score}']")

    def answer(self) -> None:
        """Answer the artwork that is shown, and go on."""
        for track in self.tracks():
            self.hear(track)
            self.rate(track)
        liked = next(track for track in self.tracks() if self.whose[track] == self.likes)
        self.click(f"#preferred input[value='{liked}']")
        self.click("#next")

    def title(self) -> str:
        return str(self.chromium.one("#item-title").text)

    def kept(self, test: str) -> dict[str, Any]:
        text = self.chromium.ask("return localStorage.getItem(arguments[0])", key(test))
        found: dict[str, Any] = json.loads(text)
        return found


def key(test: str) -> str:
    return f"art2mus-listening-{test}"


def means(path: Path) -> dict[str, list[float]]:
    with path.open(newline="") as stream:
        rows = [row for row in csv.reader(stream) if row[1] in ("ours", "hidden anchor")]
    return {row[0]: [float(value) for value in row[2:]] for row in rows}


def test_two_listeners_answer_and_table_9_is_what_they_said(
    chromium: Browser, made: Made, tmp_path: Path
) -> None:
    # The first opens the page from disk, is interrupted, and downloads.
    driver = chromium.driver
    driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    first = Listener(chromium, made, FIRST, "handbell")
    chromium.requested()
    first.open((made.page / "index.html").as_uri())
    chromium.ask("localStorage.clear()")
    first.open((made.page / "index.html").as_uri())
    assert "3 artworks, with 3 short music tracks" in chromium.one("#intro").text
    first.click("#start")
    assert "tick the box" in chromium.one("#intro-error").text
    first.start("musician")
    assert first.title() == "Artwork 1 of 3"
    chromium.wait("return document.getElementById('artwork').naturalWidth > 0")
    texts = [question.text for question in QUESTIONS]
    legends = [e.text for e in driver.find_elements("css selector", ".track fieldset legend")]
    assert legends == texts * 3
    first.answer()
    assert first.title() == "Artwork 2 of 3"
    half = first.tracks()
    first.hear(half[0])
    first.rate(half[0])
    driver.refresh()  # and everything is as it was
    chromium.wait("return document.body.classList.contains('ready')")
    assert first.title() == "Artwork 2 of 3"
    assert first.tracks() == half
    assert len(driver.find_elements("css selector", "#tracks input:checked")) == 4
    assert "✓" in chromium.one(f"[id='{half[0]}-heard']").text
    first.answer()
    first.answer()
    assert chromium.one("#done").is_displayed()
    assert not chromium.one("#send").is_displayed()
    first.click("#download")
    rater = first.kept(made.key.test)["rater"]
    downloaded = tmp_path / f"answers-{rater}.json"
    chromium.wait("return document.getElementById('outcome').textContent.includes('Saved')")
    for _ in range(200):
        if downloaded.exists():
            break
        chromium.ask("return new Promise(done => setTimeout(done, 50))")
    told = json.loads(downloaded.read_text())
    assert told["background"] == "musician"
    assert not any(name in downloaded.read_text() for name in FIRST)
    root = made.page.as_uri()
    asked = [u for u in chromium.requested() if not u.startswith(("about:", "data:", "blob:"))]
    assert asked
    assert all(url.startswith(root) for url in asked)
    assert chromium.logs() == []

    # The second answers at the collector, and sends.
    answers = tmp_path / "answers.sqlite"
    second = Listener(chromium, made, SECOND, "ground-truth")
    with collector(made.page, answers) as (url, _):
        second.open(url)
        second.start()
        for _ in made.key.items:
            second.answer()
        second.click("#send")
        chromium.wait("return document.getElementById('outcome').textContent.includes('arrived')")
        assert not chromium.one("#review").is_displayed()
        assert chromium.logs() == []
        assert second.kept(made.key.test)["rater"] != rater
        second.click("#again")  # the next listener at the same machine
        assert chromium.one("#intro").is_displayed()
        assert second.kept(made.key.test)["scores"] == {}

    ran = listen("collect", made.key_file, downloaded, answers, "--out", tmp_path / "results")
    assert ran.returncode == 0, ran.stderr
    assert "rejected" not in ran.stdout
    assert means(tmp_path / "results" / "table_9.csv") == {
        model: [(one + other) / 2 for one, other in zip(FIRST[model], SECOND[model], strict=True)]
        for model in FIRST
    }
    shares = (tmp_path / "results" / "preferences.csv").read_text().splitlines()[1:]
    assert [line.split(",")[:3] for line in shares] == [
        ["reedpipe", "0", "0.0"],
        ["handbell", "3", "0.5"],
        ["ground-truth", "3", "0.5"],
    ]


def test_says_what_is_still_to_do_and_the_keyboard_is_enough(chromium: Browser, made: Made) -> None:
    tab, space, right, enter = "\ue004", " ", "\ue014", "\ue007"
    listener = Listener(chromium, made, FIRST, "handbell")
    with served(made.page) as url:
        listener.open(url, width=400)
        chromium.press(tab, tab, space, tab, enter)
        assert listener.title() == "Artwork 1 of 3"
        assert chromium.ask("return document.activeElement.id") == "item-title"
        chromium.one("#next").send_keys(enter)
        links = chromium.driver.find_elements("css selector", "#missing a")
        assert len(links) == 3 * 5 + 1
        # It is read from its first line on, by the eye and by a screen reader.
        assert chromium.ask("return document.activeElement.id") == "missing"
        seen = (
            "const box = document.getElementById('missing').getBoundingClientRect();"
            "return box.top >= -1 && box.top < innerHeight / 2"
            " && (box.bottom <= innerHeight + 1 || box.top < 1)"
        )
        assert chromium.ask(seen)
        links[1].send_keys(enter)
        track = listener.tracks()[0]
        active = "return document.activeElement.name + document.activeElement.value"
        assert chromium.ask(active) == f"{track}-q11"
        chromium.press(space, right, right)
        assert chromium.ask(active) == f"{track}-q13"
        assert listener.kept(made.key.test)["scores"][track]["q1"] == 3
        assert len(chromium.driver.find_elements("css selector", "#missing a")) == 15
        unnamed = chromium.ask(
            "return [...document.querySelectorAll('input, select, audio, img, button, progress')]"
            ".filter(e => !(e.labels?.length || e.ariaLabel || e.alt || e.textContent)).length"
        )
        assert unnamed == 0
        wide = "return document.documentElement.scrollWidth <= innerWidth"
        assert chromium.ask(wide)
        assert chromium.ask("return innerWidth") == 400
        assert chromium.logs() == [] or all("favicon" in line for line in chromium.logs())


def test_orders_are_the_raters_own(chromium: Browser, made: Made) -> None:
    listener = Listener(chromium, made, FIRST, "handbell")
    store = "localStorage.setItem(arguments[0], arguments[1])"
    with served(made.page) as url:
        listener.open(url)
        orders = []
        for rater in ("0" * 16, "1" * 16):
            chromium.ask(store, key(made.key.test), json.dumps({"rater": rater, "started": True}))
            listener.open(url)
            orders.append(listener.tracks())
            listener.open(url)
            assert listener.tracks() == orders[-1]
        assert orders[0] != orders[1]
        times: dict[str, int] = chromium.ask(
            "const times = {};"
            "for (let n = 0; n < 6000; n += 1) {"
            "  const order = shuffle([0, 1, 2], n.toString(16).padStart(16, '0') + ' ab').join('');"
            "  times[order] = (times[order] ?? 0) + 1;"
            "}"
            "return times"
        )
    assert len(times) == 6
    # Chi-squared with 5 degrees of freedom: 20.5 is passed once in a thousand times.
    assert sum((count - 1000) ** 2 / 1000 for count in times.values()) < 20.5


def test_texts_are_texts_and_broken_media_are_named(
    chromium: Browser, made: Made, tmp_path: Path
) -> None:
    folder = tmp_path / "page"
    shutil.copytree(made.page, folder)
    test = made.test
    items = [item.model_copy(update={"description": HOSTILE}) for item in test.items]
    hostile = Test(**(test.model_dump() | {"items": items}))
    (folder / "data.js").write_bytes(hostile.script())
    for clip in (folder / "media").iterdir():
        clip.unlink()
    listener = Listener(chromium, made, FIRST, "handbell")
    listener.open((folder / "index.html").as_uri())
    chromium.ask("localStorage.clear()")
    listener.open((folder / "index.html").as_uri())
    listener.start()
    assert chromium.one("#artwork").get_attribute("alt") == HOSTILE
    assert chromium.ask("return window.broken") is None
    chromium.wait("return document.querySelector('.heard').textContent.includes('cannot be')")


def test_answers_that_cannot_be_sent_can_be_downloaded_and_sent_later(
    chromium: Browser, made: Made, tmp_path: Path
) -> None:
    chromium.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    listener = Listener(chromium, made, SECOND, "reedpipe")
    outcome = "return document.getElementById('outcome').textContent.includes(arguments[0])"
    answers = tmp_path / "answers.sqlite"
    with collector(made.page, answers) as (url, process):
        listener.open(url)
        listener.start()
        for _ in made.key.items:
            listener.answer()
        process.kill()
        process.wait()
        listener.click("#send")
        chromium.wait(outcome, "not be")
        assert chromium.one("#download").is_displayed()
        assert chromium.one("#send").is_enabled()
        assert chromium.one("#review").is_enabled()
    listener.click("#download")
    chromium.wait(outcome, "Saved")
    assert not chromium.one("#review").is_displayed()
    assert chromium.one("#send").is_displayed()
    assert "Please send" in chromium.one("#how").text
    port = int(url.rstrip("/").rpartition(":")[2])
    with collector(made.page, answers, port):  # it is there again, and so is the listener
        chromium.driver.refresh()
        chromium.wait("return document.body.classList.contains('ready')")
        listener.click("#send")
        chromium.wait(outcome, "arrived")
        assert not chromium.one("#send").is_displayed()
        assert chromium.one("#download").is_displayed()
        assert "nothing more to do" in chromium.one("#how").text
    assert len(stored(answers)) == 1
    rater = listener.kept(made.key.test)["rater"]
    found = collect(made.key, [answers, tmp_path / f"answers-{rater}.json"])
    assert [one.rater for one in found.answers] == [rater]
    assert ["the same as in" in one.reason for one in found.rejected] == [True]


def test_a_second_tab_goes_on_where_the_first_is(chromium: Browser, made: Made) -> None:
    listener = Listener(chromium, made, FIRST, "handbell")
    driver = chromium.driver
    with served(made.page) as url:
        listener.open(url)
        first = driver.current_window_handle
        driver.switch_to.new_window("tab")
        try:
            listener.open(url)
            listener.start()
            driver.switch_to.window(first)
            chromium.wait("return !document.getElementById('item').hidden")
            assert listener.title() == "Artwork 1 of 3"
            track = listener.tracks()[0]
            listener.rate(track)
        finally:
            driver.switch_to.window(next(h for h in driver.window_handles if h != first))
            checked = "return document.querySelectorAll('#tracks input:checked').length === 4"
            chromium.wait(checked)
            driver.close()
            driver.switch_to.window(first)
