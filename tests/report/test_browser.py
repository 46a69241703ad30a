"""The page in a real browser: what people do with it, from disk and from a static host."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from artsound.workspace import Workspace
from tests.report.browser import Browser, browser, served
from tests.report.pages import HOSTILE, every_strategy, hostile, page
from tests.report.synthetic import write_report_workspace

ARROW = {"right": "\ue014", "left": "\ue012", "down": "\ue015", "escape": "\ue00c"}
PAIR = "return artsound.sets.sample.pairs.image_audio"

# Controls without an accessible name: what a select or an audio element holds is none.
NAMELESS = """
const words = (element) => {
  const copy = element.cloneNode(true);
  copy.querySelectorAll('select, input, audio').forEach((one) => one.remove());
  return copy.textContent.trim();
};
const name = (element) => element.ariaLabel
  || [...element.labels ?? []].map(words).join('')
  || (element.matches('button') && element.textContent.trim())
  || document.getElementById(element.getAttribute('aria-labelledby'));
return [...document.querySelectorAll('button, input, select, audio, [role=feed], dialog')]
  .filter((one) => !name(one) && !(one.id === 'pair')).map((one) => one.id || one.outerHTML);
"""


@dataclass(frozen=True)
class Site:
    """A written page.

    Attributes:
        folder: the report.
        url: its address on disk.
    """

    folder: Path
    url: str


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def site(chromium: Browser, built: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    workspace = every_strategy(built, folder / "work")
    hostile(workspace)
    made = page(workspace.root, folder / "out")
    return Site(folder / "out", made.as_uri())


@pytest.fixture(scope="module")
def sampled(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("sampled")
    write_report_workspace(folder / "work", pairs=3000, artworks=3300, genres=40, shard=1000)
    made = page(folder / "work", folder / "out", pairs=200, media=False)
    return Site(folder / "out", made.as_uri())


def test_loads_from_disk_without_leaving_the_folder(chromium: Browser, site: Site) -> None:
    chromium.open(site.url)
    assert chromium.found() == 30
    chromium.wait("return [...document.querySelectorAll('#explore img')].some(e => e.naturalWidth)")
    for view in ("compare", "worst", "overview", "explore"):
        chromium.one(f"nav a[data-view={view}]").click()
        assert chromium.one(f"#{view}").is_displayed()
    root = site.url.removesuffix("index.html")
    asked = [url for url in chromium.requested() if not url.startswith(("about:", "data:"))]
    assert asked
    assert all(url.startswith(root) for url in asked)
    assert chromium.logs() == []
    assert "stand-ins" in chromium.one(".stand-in").text.lower()


def test_loads_from_a_static_host(chromium: Browser, site: Site) -> None:
    with served(site.folder) as root:
        chromium.open(f"{root}#q=light")
        assert 0 < chromium.found() < 30
        urls = chromium.ask("return performance.getEntriesByType('resource').map(e => e.name)")
        assert urls
        assert all(url.startswith(root) for url in urls)
        assert all(url.startswith((root, "about:", "file:")) for url in chromium.requested())
        assert [line for line in chromium.logs() if "favicon" not in line] == []


def test_filters_and_keeps_them_in_the_address(chromium: Browser, site: Site) -> None:
    chromium.open(site.url)
    chromium.one("#facet-style input[value='ukiyo-e']").click()
    ukiyo_e = chromium.found()
    assert 0 < ukiyo_e < 30
    assert "style=ukiyo-e" in chromium.driver.current_url
    chromium.ask(
        "const low = document.querySelector('#range-similarity .low');"
        "low.value = 0.35; low.dispatchEvent(new Event('input'))"
    )
    fewer = chromium.found()
    assert fewer < ukiyo_e
    kept = f"{PAIR}.filter(p => p.artwork.style === 'ukiyo-e' && p.similarity >= 0.35).length"
    assert fewer == chromium.ask(kept)
    chromium.choose("#accepted", "either")
    assert chromium.found() <= fewer
    chromium.open(chromium.driver.current_url)  # as if sent to somebody
    assert chromium.one("#facet-style input[value='ukiyo-e']").is_selected()
    assert len(chromium.driver.find_elements("css selector", ".chip")) == 3
    chromium.one("#reset").click()
    assert chromium.found() == 30
    chromium.choose("#strategy", "image_audio_caption")
    assert "strategy=image_audio_caption" in chromium.driver.current_url
    assert chromium.found() == 30


def test_counts_of_a_facet_are_what_choosing_it_gives(chromium: Browser, site: Site) -> None:
    chromium.open(f"{site.url}#genre=Electronic&style=ukiyo-e")
    counts = chromium.ask(
        "return [...document.querySelectorAll('#facet-style label')].map("
        "e => [e.querySelector('input').value, Number(e.querySelector('.count').textContent)])"
    )
    for style, count in counts:
        chromium.ask("state.set({style: [arguments[0]]})", style)
        assert chromium.found() == count


def test_searches_without_case_and_accents(chromium: Browser, site: Site) -> None:
    chromium.open(site.url)
    box = chromium.one("#search")
    box.send_keys("CAFE")
    chromium.wait("return location.hash.includes('CAFE')")
    plain = chromium.titles()
    assert chromium.found() == len(plain) >= 1
    marks = chromium.ask("return [...document.querySelectorAll('mark')].map(e => e.textContent)")
    assert "café" in marks
    assert {mark.lower() for mark in marks} <= {"café", "cafe"}
    box.clear()
    box.send_keys('education "ζωη"')
    chromium.wait("return location.hash.includes('education')")
    assert chromium.titles() == ["Ζωή <b>Éducation</b>"]


@pytest.mark.parametrize(
    ("sort", "value", "reverse"),
    [
        ("similarity", "similarity", True),
        ("similarity-least", "similarity", False),
        ("order", "order", False),
        ("order-last", "order", True),
    ],
)
def test_sorts(chromium: Browser, site: Site, sort: str, value: str, reverse: bool) -> None:
    chromium.open(site.url)
    chromium.choose("#sort", sort)
    shown = chromium.ask(
        "return [...document.querySelectorAll('#explore .card')].map("
        "e => artsound.sets.sample.byId.get(e.dataset.pair)[arguments[0]])",
        value,
    )
    assert len(shown) > 3
    assert shown == sorted(shown, reverse=reverse)


def test_plays(chromium: Browser, site: Site) -> None:
    chromium.open(site.url)
    button = chromium.one("#explore .card .play")
    assert button.get_attribute("aria-label").startswith("Play ")
    button.click()
    chromium.wait("return document.getElementById('audio').currentTime > 0.2", seconds=20)
    assert button.get_attribute("aria-label").startswith("Pause ")
    chromium.ask("scrollTo(0, document.body.scrollHeight)")  # it plays on when its card is gone
    before = chromium.ask("return document.getElementById('audio').currentTime")
    chromium.wait("return document.getElementById('audio').currentTime > arguments[0]", before)
    chromium.one("#stop").click()
    assert chromium.ask("return document.getElementById('audio').paused")


def test_a_link_to_a_pair_opens_it(chromium: Browser, site: Site) -> None:
    chromium.open(site.url)
    pair, title = chromium.ask(f"const p = ({PAIR[7:]})[7]; return [p.id, p.artwork.title]")
    chromium.open(f"{site.url}#pair={pair}")
    chromium.wait("return document.getElementById('pair').open")
    assert chromium.one("#pair-title").text == title
    assert chromium.one("#link").get_attribute("value") == f"{site.url}#pair={pair}"
    assert len(chromium.driver.find_elements("css selector", ".others a")) == 3
    chromium.press(ARROW["right"])
    chromium.wait("return state.now.pair !== arguments[0]", pair)
    chromium.press(ARROW["escape"])
    chromium.wait("return !document.getElementById('pair').open")
    assert "pair=" not in chromium.driver.current_url
    chromium.open(f"{site.url}#pair=no-such-pair")
    chromium.wait("return document.getElementById('pair').open")
    assert "no pair no-such-pair" in chromium.one("#pair-body").text


def test_back_closes_a_pair(chromium: Browser, site: Site) -> None:
    chromium.open(site.url)
    chromium.one("#explore .card a.open").click()
    chromium.wait("return document.getElementById('pair').open")
    chromium.driver.back()
    chromium.wait("return !document.getElementById('pair').open")


def test_compares_strategies(chromium: Browser, site: Site) -> None:
    chromium.open(f"{site.url}#view=compare&b=image_caption_audio_caption")
    first = chromium.one("#compare .versus")
    pair = chromium.ask(f"const p = ({PAIR[7:]})[0]; return [p.artwork.title, p.track.title,"
                        " p.track.partners.image_caption_audio_caption.artwork.title]")  # fmt: skip
    assert all(name in first.text for name in pair)
    different = int(chromium.one("#compared").text.split()[0])
    chromium.one("#differ").click()
    assert chromium.one("#compare .versus").get_attribute("aria-setsize") == str(different)
    chromium.one("#swap").click()
    assert chromium.ask("return [a.value, b.value]") == [
        "image_caption_audio_caption",
        "image_audio",
    ]


def test_shows_the_worst_pairs_first(chromium: Browser, site: Site) -> None:
    chromium.open(f"{site.url}#view=worst")
    script = (
        "return [...document.querySelectorAll('#worst .card')].map("
        "e => query.MEASURES[arguments[0]](artsound.sets.sample.byId.get(e.dataset.pair)))"
    )
    shown = chromium.ask(script, "similarity")
    assert shown[0] == chromium.ask(f"return Math.min(...({PAIR[7:]}).map(p => p.similarity))")
    assert shown == sorted(shown)
    chromium.choose("#worst-of", "artwork")
    shown = chromium.ask(script, "artwork")
    assert shown == sorted(shown)


def test_the_keyboard_is_enough(chromium: Browser, site: Site) -> None:
    chromium.open(site.url)
    chromium.press("/")
    assert chromium.ask("return document.activeElement.id") == "search"
    chromium.press(ARROW["escape"])
    at = "return Number(document.activeElement.dataset.at)"
    chromium.press(ARROW["right"], ARROW["right"])
    assert chromium.ask(at) == 1
    chromium.press(ARROW["down"])
    columns = chromium.ask(
        "return getComputedStyle(document.getElementById('explore-grid'))"
        ".gridTemplateColumns.split(' ').length"
    )
    assert chromium.ask(at) == 1 + columns
    chromium.press(" ")
    chromium.wait("return document.getElementById('audio').currentTime > 0", seconds=20)
    chromium.press(" ")
    chromium.wait("return document.getElementById('audio').paused")
    chromium.press("\ue007")
    chromium.wait("return document.getElementById('pair').open")
    chromium.press(ARROW["escape"])
    chromium.wait("return !document.getElementById('pair').open")
    assert chromium.ask(at) == 1 + columns  # the focus comes back
    chromium.press("?")
    assert chromium.one("#help").is_displayed()
    chromium.press(ARROW["escape"])


@pytest.mark.parametrize("view", ["explore", "compare", "worst", "overview"])
@pytest.mark.parametrize(("width", "height"), [(400, 800), (1400, 900), (3840, 2160)])
def test_nothing_is_wider_than_the_screen(
    chromium: Browser, site: Site, view: str, width: int, height: int
) -> None:
    chromium.open(f"{site.url}#view={view}", width, height)
    assert chromium.ask("return document.documentElement.scrollWidth") <= width
    cut_off = (
        "return [...document.querySelectorAll('.bench > aside, nav')]"
        ".filter(e => e.scrollWidth > e.clientWidth).map(e => e.tagName)"
    )
    assert chromium.ask(cut_off) == []
    if view == "explore" and width == 400:
        assert not chromium.one("#strategy").is_displayed()
        chromium.one("#filter-button").click()
        assert chromium.one("#strategy").is_displayed()
        assert chromium.ask("return document.documentElement.scrollWidth") <= width


def test_every_control_has_a_name(chromium: Browser, site: Site) -> None:
    chromium.open(site.url, dark=True)
    assert chromium.ask(NAMELESS) == []
    chromium.ask(
        "document.body.insertAdjacentHTML('beforeend', '<label><select id=bad-1><option>x</select>"
        "</label><audio id=bad-2 controls></audio><select id=bad-3><option>y</select>')"
    )
    assert chromium.ask(NAMELESS) == ["bad-1", "bad-2", "bad-3"]  # the check itself can fail
    assert chromium.ask("return [...document.images].filter(e => !e.alt).length") == 0
    light = "rgb(244, 244, 241)"
    assert chromium.ask("return getComputedStyle(document.body).backgroundColor") != light


def test_texts_are_never_read_as_html(chromium: Browser, site: Site) -> None:
    chromium.open(f"{site.url}#q=onerror")
    assert chromium.found() == 1
    told = chromium.ask("return document.querySelector('#explore .caption p').textContent")
    assert told == HOSTILE
    chromium.one("#explore .card a.open").click()
    chromium.wait("return document.getElementById('pair').open")
    assert HOSTILE in chromium.ask("return document.getElementById('pair').textContent")
    assert chromium.ask("return window.broken") is None
    assert not chromium.driver.find_elements("css selector", ".caption script, .caption img")
    assert not chromium.driver.find_elements("css selector", "a[href^='javascript']")
    assert (
        chromium.ask("return document.querySelectorAll('#overview td b, #overview i').length") == 0
    )
    assert chromium.logs() == []


def test_broken_media_do_not_break_a_card(chromium: Browser, site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(site.folder, folder)
    for image in (folder / "media" / "images").iterdir():
        image.write_bytes(b"no image")
    for clip in (folder / "media" / "audio").iterdir():
        clip.unlink()
    chromium.open((folder / "index.html").as_uri())
    chromium.wait("return document.querySelectorAll('#explore .plate').length > 2")
    assert "cannot be shown" in chromium.one("#explore .plate").text
    chromium.one("#explore .play").click()
    chromium.wait("return document.querySelector('#explore .play').disabled")
    assert "cannot be played" in chromium.one("#playing").text
    assert chromium.one("#explore .caption p").text


def test_a_sample_says_so_and_the_whole_is_searched_as_text(
    chromium: Browser, sampled: Site
) -> None:
    chromium.open(sampled.url)
    assert chromium.found() == 200
    told = chromium.one(".scope").text
    assert "Sample of 200" in told
    assert "All " in told
    assert "stratified over style" in told
    assert not any("whole" in url for url in chromium.requested())
    chromium.one("[data-scope=whole]").click()
    chromium.wait("return !document.getElementById('found').textContent.includes('reading')")
    total = chromium.found()
    assert total == 3000
    chromium.one("#search").send_keys("river guitar")
    chromium.wait("return location.hash.includes('guitar')")
    assert 0 < chromium.found() < total
    assert chromium.ask("return document.querySelectorAll('.card').length") < 60
    inside = chromium.ask(
        "const known = artsound.sets.sample.byId;"
        "return artsound.sets.whole.pairs.image_audio.find(p => !known.has(p.id)).id"
    )
    chromium.open(f"{sampled.url}#pair={inside}")  # in the whole only
    chromium.wait("return document.getElementById('pair').open")
    assert inside in chromium.one("#pair-body").text
    assert chromium.logs() == []


def test_scrolls_through_many_with_few_elements(chromium: Browser, sampled: Site) -> None:
    chromium.open(f"{sampled.url}#scope=whole&sort=order")
    chromium.wait(
        "return document.getElementById('found').textContent.startsWith('3,000 of 3,000')"
    )
    chromium.ask("scrollTo(0, document.body.scrollHeight)")
    chromium.wait(
        "const last = [...document.querySelectorAll('#explore .card')].pop();"
        "return last && last.ariaPosInSet === last.ariaSetSize"
    )
    assert chromium.ask("return document.querySelectorAll('.card').length") < 60


def test_links_keep_what_is_looked_at(chromium: Browser, site: Site) -> None:
    chromium.open(f"{site.url}#view=worst&worst=music")
    chromium.ask("document.querySelector('.skip').click()")
    assert chromium.one("#worst").is_displayed()
    assert "view=worst" in chromium.driver.current_url
    assert chromium.ask("return document.activeElement.id") == "main"
    chromium.ask("location.hash = '#main'")  # as a link from elsewhere has it
    chromium.ask("return new Promise((done) => setTimeout(done, 50))")
    assert chromium.ask("return state.now.view") == "worst"
    chromium.open(site.url)
    chromium.one("#explore .card .play").click()
    chromium.wait("return !document.getElementById('player').hidden")
    chromium.ask("state.set({q: 'the', sort: 'similarity'})")
    before = chromium.ask("return {...state.now}")
    chromium.one("#playing").click()
    chromium.wait("return document.getElementById('pair').open")
    after = chromium.ask("return {...state.now}")
    assert after.pop("pair")
    assert {**after, "pair": ""} == before
    chromium.press(ARROW["escape"])
    chromium.wait("return !document.getElementById('pair').open")
    chromium.one("nav a[data-view=compare]").click()
    assert chromium.ask("return [state.now.view, state.now.q]") == ["compare", "the"]


def test_keys_without_results_do_nothing(chromium: Browser, site: Site) -> None:
    chromium.open(f"{site.url}#q=zzzzzz")
    assert chromium.found() == 0
    chromium.press(ARROW["down"], ARROW["right"], " ", ARROW["left"])
    assert chromium.logs() == []


def test_a_pair_outside_the_list_has_no_neighbours(chromium: Browser, site: Site) -> None:
    chromium.open(site.url)
    pair = chromium.ask(f"return ({PAIR[7:]})[0].id")
    steps = "return ['pair-before', 'pair-next'].map((id) => !document.getElementById(id).disabled)"
    chromium.open(f"{site.url}#pair={pair}")
    chromium.wait("return document.getElementById('pair').open")
    assert chromium.ask(steps) == [False, True]
    chromium.open(f"{site.url}#q=zzzzzz&pair={pair}")
    chromium.wait("return document.getElementById('pair').open")
    chromium.press(ARROW["right"], ARROW["left"])
    assert chromium.ask("return state.now.pair") == pair
    assert chromium.ask(steps) == [False, False]
    outside = chromium.ask(
        "return artsound.sets.sample.pairs.image_audio.find(p => p.id !== arguments[0]).id", pair
    )
    style = chromium.ask(f"return ({PAIR[7:]})[0].artwork.style")
    chromium.open(f"{site.url}#style={style}&pair={outside}")
    chromium.wait("return document.getElementById('pair').open")
    if chromium.ask("return ![...document.querySelectorAll('[data-pair]')]"
                    ".some(e => e.dataset.pair === arguments[0])", outside):  # fmt: skip
        chromium.press(ARROW["right"])
        assert chromium.ask("return state.now.pair") == outside


def test_the_focus_is_never_lost(chromium: Browser, site: Site) -> None:
    chromium.open(f"{site.url}#q=the&accepted=either&split=train")
    focused = "const e = document.activeElement; return e.className || e.id"
    chromium.ask("document.querySelectorAll('.chip')[1].click()")
    assert chromium.ask(focused) == "chip"
    for _ in range(2):
        chromium.ask("document.querySelector('.chip').click()")
    assert chromium.ask(focused) == "main"
    chromium.one("#facet-style input").click()
    chromium.one("#reset").click()
    assert chromium.ask(focused) == "main"
    playing = chromium.ask(
        "const card = document.querySelectorAll('#explore .card')[2];"
        "card.querySelector('.play').click(); return card.dataset.pair"
    )
    chromium.wait("return !document.getElementById('player').hidden")
    chromium.one("#stop").click()
    assert chromium.ask("return document.activeElement.dataset.pair") == playing


def test_opening_and_closing_a_pair_does_not_scroll(chromium: Browser, site: Site) -> None:
    chromium.open(site.url, 1280, 700)
    chromium.ask("scrollTo(0, 900)")
    chromium.wait("return scrollY === 900")
    card = (
        "[...document.querySelectorAll('#explore .card')].find("
        "e => e.getBoundingClientRect().top > 60)"
    )
    chromium.wait(f"return Boolean({card})")  # the cards of this place are drawn after scrolling
    chromium.ask(f"{card}.querySelector('a.open').click()")
    chromium.wait("return document.getElementById('pair').open")
    assert chromium.ask("return scrollY") == 900


def test_what_an_address_may_not_say_is_the_standard(chromium: Browser, site: Site) -> None:
    chromium.open(f"{site.url}#sort=nonsense&accepted=x&split=y&worst=z&strategy=w")
    assert chromium.found() == 30
    for name in ("sort", "accepted", "split", "strategy", "worst-of"):
        assert chromium.ask("return document.getElementById(arguments[0]).selectedIndex", name) == 0


def test_the_comparison_says_what_it_leaves_out(chromium: Browser, sampled: Site) -> None:
    chromium.open(f"{sampled.url}#view=compare")
    told = "return document.getElementById('compared').textContent"
    assert "of 200 tracks of the sample get another artwork" in chromium.ask(told)
    chromium.open(f"{sampled.url}#view=compare&scope=whole")
    chromium.wait("return document.getElementById('compared').textContent.includes('3,000 tracks')")
    assert "sample" not in chromium.ask(told)
    assert "shown" not in chromium.ask(told)
    chromium.ask(
        "const rows = artsound.sets.whole.pairs.image_audio;"
        "while (rows.length <= MOST) rows.push(...rows.slice(0, 3000));"
        "state.set({differ: true}); state.set({differ: false})"
    )
    assert "; the first 10,000 are shown" in chromium.ask(told)
