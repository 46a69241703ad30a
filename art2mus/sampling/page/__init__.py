"""`index.html` of a folder of samples: each artwork with its music, from disk, without a server.

    out/index.html
    out/page/style.css, player.js
    out/page/<sha256>.jpg     thumbnails, by the image's checksum
    out/page/<sha256>.png     spectrograms, by the sound's

Links are relative, every text is escaped, and a policy in the page forbids it to ask for anything
outside the folder.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import jinja2
import soundfile
from PIL import Image

from art2mus.sampling.page.spectrogram import HEIGHT, WIDTH, spectrogram
from art2mus.sampling.records import PAGE, read_records, sound_of
from artsound.atomic import write_atomically
from artsound.errors import ArtsoundError

_ASSETS: Final = files("art2mus.sampling.page")
_TEMPLATE: Final = "index.html.j2"
_COPIED: Final = ("style.css", "player.js")
_THUMBNAIL: Final = 640  # pixels of the longer side
_DIGITS: Final = 24  # of a checksum, in names


class PagePictures:
    """The page's pictures, each made once.

    Args:
        out: the folder of samples.
    """

    def __init__(self, out: Path) -> None:
        self.folder = out / PAGE

    def thumbnail(self, sha256: str) -> Path:
        """Return where the thumbnail of an image is."""
        return self.folder / f"{sha256[:_DIGITS]}.jpg"

    def has_thumbnail(self, sha256: str) -> bool:
        """Say whether the thumbnail of an image is there."""
        return self.thumbnail(sha256).is_file()

    def add_thumbnail(self, sha256: str, image: Image.Image) -> None:
        """Make the thumbnail of an image, if it is not there."""
        if not self.has_thumbnail(sha256):
            small = image.copy()
            small.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
            buffer = io.BytesIO()
            small.save(buffer, "JPEG", quality=85)
            write_atomically(self.thumbnail(sha256), buffer.getvalue())

    def spectrogram(self, sound: Path, sha256: str) -> Path:
        """Return the spectrogram of a sound file, made if it is not there.

        Raises:
            ArtsoundError: the file cannot be read.
        """
        path = self.folder / f"{sha256[:_DIGITS]}.png"
        if not path.is_file():
            try:
                samples, rate = soundfile.read(sound, dtype="float32")
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise ArtsoundError(f"{sound} cannot be read: delete it and run again") from error
            write_atomically(path, spectrogram(samples, int(rate)))
        return path


@dataclass(frozen=True)
class Heard:
    """One sound on the page.

    Attributes:
        name: of its files.
        link: to the sound, from the page.
        picture: to its spectrogram.
        seed: of its noise.
        seconds: how long it is.
        scores: what they are called, and how much, as text.
        place: among the sounds of its artwork by score, from 1; 0 where there is nothing to rank.
    """

    name: str
    link: str
    picture: str
    seed: int
    seconds: float
    scores: tuple[tuple[str, str], ...]
    place: int


@dataclass(frozen=True)
class Shown:
    """One artwork on the page.

    Attributes:
        title: its file's name.
        image: link to its thumbnail; empty where there is none.
        lines: what is known of it.
        sounds: its music, the best first where it was ranked.
        toy: whether a toy prior made it.
    """

    title: str
    image: str
    lines: tuple[tuple[str, str], ...]
    sounds: tuple[Heard, ...]
    toy: bool


def write_page(
    out: Path, pictures: PagePictures, progress: Callable[[str, int, int], None]
) -> Path:
    """Write the page of all samples in a folder, those of earlier commands too.

    Args:
        out: the folder.
        pictures: its thumbnails are made already.
        progress: called with ("page", done, total).

    Returns:
        The page's path.

    Raises:
        ArtsoundError: a sound cannot be read.
    """
    records = {
        name: record
        for name, record in read_records(out).items()
        if sound_of(out, name, record).is_file()
    }
    used = set(_COPIED)
    links = {}
    for done, (name, record) in enumerate(records.items()):
        progress("page", done, len(records))
        path = pictures.spectrogram(sound_of(out, name, record), record["audio_sha256"])
        used |= {path.name, pictures.thumbnail(record["image_sha256"]).name}
        links[name] = f"{PAGE}/{path.name}"
    progress("page", len(records), len(records))
    for asset in _COPIED:
        write_atomically(pictures.folder / asset, (_ASSETS / asset).read_bytes())
    shown = [_shown(pictures, group, links) for group in _by_artwork(records)]
    text = _template().render(
        shown=shown,
        sounds=len(records),
        toy=[one.title for one in shown if one.toy],
        models=_models(records),
        folder=PAGE,
        width=WIDTH,
        height=HEIGHT,
    )
    write_atomically(out / "index.html", text.encode())
    for path in sorted(pictures.folder.iterdir()):
        if path.is_file() and path.name not in used:
            path.unlink()  # of sounds that were made anew or deleted
    return out / "index.html"


def _by_artwork(records: Mapping[str, dict[str, Any]]) -> list[dict[str, dict[str, Any]]]:
    groups: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for name, record in records.items():
        stem = name.removesuffix(f"-seed{record['seed']}")
        groups.setdefault((stem, record["image_sha256"]), {})[name] = record
    return list(groups.values())


def _shown(
    pictures: PagePictures, group: Mapping[str, dict[str, Any]], links: Mapping[str, str]
) -> Shown:
    first_name, first = next(iter(group.items()))
    ranked = sorted(group, key=lambda name: (-_best(group[name]), group[name]["seed"]))
    scored = len(group) > 1 and all(record.get("scores") for record in group.values())
    sounds = [
        Heard(
            name=name,
            link=quote(group[name]["audio"]),
            picture=links[name],
            seed=int(group[name]["seed"]),
            seconds=group[name]["samples"] / group[name]["sample_rate"],
            scores=tuple(
                (by, f"{value:.3f}") for by, value in sorted(group[name]["scores"].items())
            ),
            place=place if scored else 0,
        )
        for place, name in enumerate(ranked, 1)
    ]
    facts = first.get("release", {})
    lines = [("image", str(first["image"]))]
    lines += [
        (label, facts[key])
        for label, key in (
            ("style", "style"),
            ("artwork", "artwork_caption"),
            ("paired with", "music_caption"),
        )
        if facts.get(key)
    ]
    settings = first["settings"]
    guidance = f"guidance {settings['guidance']:g}" if settings["guidance"] > 1 else "no guidance"
    lines.append(("made with", f"{settings['scheduler']}, {settings['steps']} steps, {guidance}"))
    has = pictures.has_thumbnail(first["image_sha256"])
    thumbnail = pictures.thumbnail(first["image_sha256"]).name
    return Shown(
        title=first_name.removesuffix(f"-seed{first['seed']}"),
        image=f"{PAGE}/{thumbnail}" if has else "",
        lines=tuple(lines),
        sounds=tuple(sounds),
        toy=any(record["toy_prior"] for record in group.values()),
    )


def _best(record: Mapping[str, Any]) -> float:
    return max(record.get("scores", {}).values(), default=0.0)


def _models(records: Mapping[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """Return what made the sounds, each kind once: (checkpoint, the rest of it)."""
    found = {}
    for record in records.values():
        made = record["checkpoint"]
        prior = f"{made['backbone']}{' (a toy prior)' if record['toy_prior'] else ''}"
        text = (
            f"step {made['step']}, {made['tokens']} tokens, encoder {made['encoder']}, backbone"
            f" {prior}, aligner sha256 {made['aligner_sha256'][:12]}"
        )
        found[(made["name"], text)] = record["licence_note"]
    return [(name, f"{text}; {note}") for (name, text), note in found.items()]


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string((_ASSETS / _TEMPLATE).read_text("utf-8"))
