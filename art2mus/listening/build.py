"""`art2mus listen build`: a folder to open in a browser, and beside it the key to what is in it.

PAGE/index.html, style.css, app.js, shuffle.js
PAGE/data.js              the questions, the artworks and the tracks' opaque ids
PAGE/collector.js         where answers go; `art2mus listen serve` gives another in its place
PAGE/media/<id>.jpg       artworks
PAGE/media/<id>.flac      tracks, all alike but for the music
PAGE.key.json             whose music each track is: not for listeners
"""

from __future__ import annotations

import hmac
import io
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from PIL import Image

from art2mus.benchmark.clips import clip_of
from art2mus.data import Media, Pair, Release, check_release
from art2mus.listening.choose import check_enough, draw, eligible
from art2mus.listening.clips import QUIETEST_LUFS, Bench, Levelled, predictions
from art2mus.listening.documents import ASSETS, DATA, Item, Key, KeyItem, Test
from art2mus.listening.questions import ANCHOR, ARTWORKS, QUESTIONS, RATERS
from artsound.atomic import write_atomically
from artsound.errors import UsageError

Progress = Callable[[str, int, int], None]

_SOURCE: Final = files("art2mus.listening") / "page"
_SIDE: Final = 1200  # pixels of an artwork's longer side
_NAME: Final = re.compile(r"[\w][\w .+()-]{0,63}")
_LONGEST_S: Final = 60.0
_ID: Final = 16  # hexadecimal digits


@dataclass(frozen=True)
class Built:
    """What was written.

    Attributes:
        page: the file to open.
        key: the file to keep.
        artworks: how many.
        tracks: how many an artwork.
        seconds: of each clip.
        lufs: the clips' loudness.
        notes: what the builder should know, a line each.
    """

    page: Path
    key: Path
    artworks: int
    tracks: int
    seconds: float
    lufs: float
    notes: tuple[str, ...]


def _unheard(what: str, done: int, total: int) -> None:
    """Stand for a `Progress` where nobody looks."""


def key_of(page: Path) -> Path:
    """Return where the key of a page is: beside it, never in it."""
    page = page.resolve()
    return page.with_name(f"{page.name}.key.json")


def build(
    release: Release,
    split: str,
    models: Mapping[str, Path],
    out: Path,
    *,
    artworks: int = ARTWORKS,
    seed: int = 0,
    raters: int = RATERS,
    anchor: bool = True,
    seconds: float = 10.0,
    progress: Progress = _unheard,
) -> Built:
    """Write a listening test. The same input gives the same bytes.

    Source: section 5.4 of the paper, table 8. Clips are mono, so that a format does not tell the
    ground truth apart, and as long as the shortest of them.

    Args:
        release: the artworks, and the anchor's music.
        split: which of its splits.
        models: folders of `{pair_id}.wav` or `.flac` files by the models' names.
        out: the page's folder; it must not exist yet.
        artworks: how many are drawn, stratified over style.
        seed: of the drawing.
        raters: how many listeners are planned; only told.
        anchor: whether the release's own music is among the tracks.
        seconds: the most of a clip that is heard, from its beginning.
        progress: called with (what, done, total).

    Raises:
        UsageError: a name, a folder or a number will not do, or there are predictions for too few
            artworks; names what is missing.
        ArtsoundError: a prediction or a row of the release cannot be decoded; names it.
    """
    _check(models, out, artworks=artworks, anchor=anchor, seconds=seconds)
    check_release(release, split=split, needs_audio=anchor)
    found = {name: predictions(folder) for name, folder in models.items()}
    pairs = release.pairs(split)
    rows = eligible(pairs, found)
    others = ((name, release.pairs(name)) for name in release.splits if name != split)
    check_enough(rows, artworks, pairs, found, others)
    drawn = draw(pairs, rows, artworks, seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".tmp-{out.name}-", dir=out.parent) as temporary:
        bench = Bench(Path(temporary), seconds)
        page = Path(temporary) / "page"
        page.mkdir()
        images: dict[str, bytes] = {}
        for done, media in enumerate(release.media(split, drawn)):
            progress("reading", done, artworks)
            images[media.pair.pair_id] = _jpeg(media.image())
            _gather(bench, media, found, anchor=anchor)
        progress("reading", artworks, artworks)
        lufs, clips = bench.levelled()
        writer = _Writer(page, hmac.new(b"listening test", bench.digest, "sha256").digest())
        for row in drawn:
            writer.add_artwork(pairs[row], images[pairs[row].pair_id])
        total = artworks * (len(models) + anchor)
        for done, clip in enumerate(clips):
            progress("levelling", done, total)
            writer.add_track(clip)
        progress("levelling", total, total)
        key = Key(
            test=writer.id("test"),
            release=release.name,
            release_fingerprint=release.fingerprint,
            split=split,
            seed=seed,
            raters=raters,
            seconds=bench.shortest[0],
            lufs=lufs,
            models=[*models, *([ANCHOR] if anchor else [])],
            anchor=ANCHOR if anchor else None,
            items=writer.key_items,
            was_lufs=dict(sorted(writer.was_lufs.items())),
        )
        writer.finish(key)
        # The key first: a page without one could be answered, and never read.
        write_atomically(key_of(out), (key.model_dump_json(indent=2) + "\n").encode())
        page.rename(out)
    return Built(
        out / "index.html",
        key_of(out),
        artworks,
        len(key.models),
        key.seconds,
        lufs,
        (*_on_length(bench, seconds), *writer.notes, *_on_coverage(len(rows), pairs)),
    )


def _check(
    models: Mapping[str, Path], out: Path, *, artworks: int, anchor: bool, seconds: float
) -> None:
    if not models:
        raise UsageError("no models: give at least one, --model NAME=DIR")
    for name in models:
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"--model {name!r}: a name is letters, digits and _ . + - ( ), 64 at most"
            )
        if anchor and name == ANCHOR:
            raise UsageError(f"--model {name!r}: the hidden anchor has this name; choose another")
    if artworks < 1:
        raise UsageError(f"--artworks {artworks}: one at least")
    if not 1 <= seconds <= _LONGEST_S:
        raise UsageError(f"--seconds {seconds:g}: between 1 and {_LONGEST_S:g}")
    for path in (out, key_of(out)):
        if path.exists():
            raise UsageError(
                f"{path} exists, and listeners may be answering it: choose another --out, or"
                " delete the page and its key"
            )


def _gather(
    bench: Bench, media: Media, found: Mapping[str, Mapping[str, Path]], *, anchor: bool
) -> None:
    """Put the clips of one artwork on the bench."""
    pair_id = media.pair.pair_id
    for name, clips in found.items():
        bench.add_file((name, pair_id), clips[pair_id])
    if anchor:
        samples, rate = media.audio()
        where = f"{media.where}: the music of pair {pair_id}"
        bench.add((ANCHOR, pair_id), clip_of(samples, rate, bench.seconds, where), where)


def _jpeg(image: Image.Image) -> bytes:
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


class _Writer:
    """Writes the page's files, under names that say nothing.

    Args:
        page: the folder.
        secret: what the names are made from; it cannot be told from the page.
    """

    def __init__(self, page: Path, secret: bytes) -> None:
        self._page = page
        self._secret = secret
        self._media = page / "media"
        self._media.mkdir()
        self._pairs: dict[str, Pair] = {}
        self._tracks: dict[str, dict[str, str]] = {}
        self.was_lufs: dict[str, float | None] = {}
        self.notes: list[str] = []

    def id(self, *what: str) -> str:
        """Return the opaque id of something."""
        return hmac.new(self._secret, "\0".join(what).encode(), "sha256").hexdigest()[:_ID]

    def add_artwork(self, pair: Pair, jpeg: bytes) -> None:
        """Write an artwork."""
        self._pairs[pair.pair_id] = pair
        self._tracks[pair.pair_id] = {}
        (self._media / f"{self.id('artwork', pair.pair_id)}.jpg").write_bytes(jpeg)

    def add_track(self, clip: Levelled) -> None:
        """Write a track of an artwork that was added."""
        track = self.id("track", clip.pair_id, clip.model)
        (self._media / f"{track}.flac").write_bytes(clip.data)
        self._tracks[clip.pair_id][track] = clip.model
        self.was_lufs[track] = clip.was_lufs
        if clip.lufs is None:
            self.notes.append(f"{clip.model}: its music for {clip.pair_id} is silent")
        elif clip.lufs < QUIETEST_LUFS:
            self.notes.append(
                f"{clip.model}: its music for {clip.pair_id} stays at {clip.lufs:.1f} LUFS, below"
                " the others: its peaks leave no room"
            )

    @property
    def key_items(self) -> dict[str, KeyItem]:
        """The artworks and whose music their tracks are, in the order of the ids."""
        made = {
            self.id("artwork", pair_id): KeyItem(
                pair_id=pair_id,
                artwork_id=pair.artwork_id,
                style=pair.style,
                tracks=dict(sorted(self._tracks[pair_id].items())),
            )
            for pair_id, pair in self._pairs.items()
        }
        return dict(sorted(made.items()))

    def finish(self, key: Key) -> None:
        """Write what is not media."""
        for name in ASSETS:
            (self._page / name).write_bytes((_SOURCE / name).read_bytes())
        test = Test(
            test=key.test,
            seconds=key.seconds,
            questions={question.id: question.text for question in QUESTIONS},
            items=[
                Item(
                    id=artwork,
                    image=f"media/{artwork}.jpg",
                    description=self._pairs[item.pair_id].artwork_caption,
                    tracks={track: f"media/{track}.flac" for track in item.tracks},
                )
                for artwork, item in key.items.items()
            ],
        )
        (self._page / DATA).write_bytes(test.script())


def _on_length(bench: Bench, seconds: float) -> list[str]:
    length, where = bench.shortest
    return [f"all clips are cut to {length:.2f} s, as {where} is"] if length < seconds else []


def _on_coverage(rows: int, pairs: Sequence[Pair]) -> list[str]:
    if rows == len(pairs):
        return []
    return [
        f"drawn from {rows} artworks with music from every model; the split has {len(pairs)} pairs"
    ]
