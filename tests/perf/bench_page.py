"""The page at 5,000 pairs with media: writing it, its size, first card and filters in Chromium.

    python -m tests.perf.bench_page [--pairs 5000] [--of 5000] [--keep FOLDER]

With `--of 105884` the page shows a sample, and the whole as text: its index is timed too.
"""

from __future__ import annotations

import argparse
import io
import resource
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from artsound.report.data import open_data
from artsound.report.media import Place
from tests.report.browser import Browser, browser
from tests.report.pages import page
from tests.report.synthetic import write_report_workspace

REPEATS = 5
FILTERS = {
    "style": "state.set({style: ['realism']})",
    "two styles and a genre": "state.set({style: ['realism', 'baroque'], genre: ['Rock']})",
    "similarity range": "state.set({similarity: [0.1, 0.2]})",
    "fell short": "state.set({accepted: 'either'})",
    "search": "state.set({q: 'river guitar'})",
    "search of one letter": "state.set({q: 'a'})",
    "sort": "state.set({sort: 'similarity-least'})",
    "strategy": "state.set({strategy: 'image_audio_caption'})",
    "worst view": "state.set({view: 'worst'})",
    "comparison": "state.set({view: 'compare'})",
}
# Till the frame after the change is drawn.
TIMED = """
const [change, done] = [arguments[0], arguments[1]];
const begin = performance.now();
new Function(change)();
const script = performance.now() - begin;
requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => done([script, performance.now() - begin]);
  channel.port2.postMessage(0);
});
"""


class MadeUp:
    """A picture of 1200 x 900 pixels for every artwork, and a second of noise for every track.

    Real clips of 30 seconds are about a megabyte each: 5,000 of them add some 5 GB to the folder.
    """

    def __init__(self, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        coarse = random.integers(0, 256, (60, 80, 3), np.uint8)
        self._image = Image.fromarray(coarse).resize((1200, 900), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        soundfile.write(buffer, random.normal(0, 0.1, 22_050), 22_050, format="OGG")
        self._clip = buffer.getvalue()

    def image(self, artwork_id: str) -> Image.Image | None:
        """Return the picture, turned by the artwork so that files differ."""
        return self._image.rotate(len(artwork_id) * 7 % 360)

    def audio(self, track_id: int) -> tuple[bytes, str] | None:
        """Return the clip."""
        return self._clip, ".ogg"

    def place(self, track_id: int) -> Place:
        """Return the order of the tracks."""
        return (0, 0, track_id)


def sizes(out: Path) -> None:
    for name in ("data", "media/images", "media/audio", "assets"):
        files = [path for path in (out / name).rglob("*") if path.is_file()]
        total = sum(path.stat().st_size for path in files)
        print(f"  {name:14} {len(files):7,} files {total / 1e6:10.1f} MB")


def load(chromium: Browser, url: str) -> None:
    marks: dict[str, list[float]] = {"first-card": [], "first paint": [], "sample-read": []}
    for _ in range(REPEATS):
        chromium.open(url)
        chromium.wait("return performance.getEntriesByName('sample-read').length")
        for name, found in marks.items():
            entry = "first-contentful-paint" if name == "first paint" else name
            script = "return performance.getEntriesByName(arguments[0])[0].startTime"
            found.append(chromium.ask(script, entry))
    for name, found in marks.items():
        print(f"  {name:24} {statistics.median(found):7.0f} ms (most {max(found):.0f})")


def filters(chromium: Browser, url: str) -> None:
    chromium.driver.set_script_timeout(60)
    for name, change in FILTERS.items():
        found = []
        for _ in range(REPEATS):
            chromium.ask("state.set({view: 'explore', sort: 'order', strategy: ''}); state.reset()")
            found.append(chromium.driver.execute_async_script(TIMED, change))
        script, drawn = (statistics.median(one) for one in zip(*found, strict=True))
        most = max(one[1] for one in found)
        print(f"  {name:24} {script:7.1f} ms, drawn after {drawn:.1f} ms (most {most:.1f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5000)
    parser.add_argument("--of", type=int, default=5000)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work, out = Path(scratch) / "work", given.keep or Path(scratch) / "out"
        write_report_workspace(work, pairs=given.of, artworks=int(1.1 * given.of))
        data = replace(open_data(work), media=MadeUp())
        for what in ("anew", "again"):
            begin = time.perf_counter()
            index = page(data, out, pairs=given.pairs)
            print(f"page of {given.pairs:,} of {given.of:,} pairs written {what}:"
                  f" {time.perf_counter() - begin:.1f} s")  # fmt: skip
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"peak memory {peak:.2f} GiB")
        sizes(out)
        with browser() as chromium:
            print("load, from disk:")
            load(chromium, index.as_uri())
            time.sleep(2)  # the captions are folded while the page is idle
            print("filters:")
            filters(chromium, index.as_uri())
            if chromium.ask("return artsound.meta.whole.chunks"):
                begin = time.perf_counter()
                chromium.ask("state.set({view: 'explore', scope: 'whole'})")
                chromium.wait(
                    "return artsound.sets.whole?.chunks === artsound.meta.whole.chunks", seconds=300
                )
                print(f"the whole as text read: {time.perf_counter() - begin:.1f} s; filters:")
                filters(chromium, index.as_uri())


if __name__ == "__main__":
    main()
