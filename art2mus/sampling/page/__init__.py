"""`index.html` of a folder of samples: each artwork with its music, from disk, without a server.

    out/index.html
    out/page/style.css, player.js
    out/page/<sha256>.jpg     thumbnails, by the image's checksum
    out/page/<sha256>.png     spectrograms, by the sound's
    out/page/files.json       which of these files are the page's; no other is ever touched

Links are relative, every text is escaped, and a policy in the page forbids it to ask for anything
outside the folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import jinja2

from art2mus.sampling.page.own import COPIED, FIXED, INDEX, OwnFiles, in_page
from art2mus.sampling.page.pictures import PagePictures
from art2mus.sampling.page.spectrogram import HEIGHT, WIDTH
from art2mus.sampling.records import PAGE, read_records, sound_of
from artsound.atomic import write_atomically

_ASSETS: Final = files("art2mus.sampling.page")
_TEMPLATE: Final = "index.html.j2"


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


def check_page(out: Path) -> None:
    """Refuse a folder whose page somebody else wrote, before anything is done.

    Raises:
        UsageError: one of the page's names is somebody else's file.
        ArtsoundError: the page's list of its files is damaged.
    """
    OwnFiles(out).check(FIXED)


def write_page(
    out: Path,
    pictures: PagePictures,
    progress: Callable[[str, int, int], None],
    rank_by: str | None = None,
) -> Path:
    """Write the page of all samples in a folder, those of earlier commands too.

    Args:
        out: the folder.
        pictures: its thumbnails are made already.
        progress: called with ("page", done, total).
        rank_by: the embedder by whose score an artwork's sounds are ranked, where all of them have
            it. Where not all do, or if None, the first by name of the scores that all have.

    Returns:
        The page's path.

    Raises:
        UsageError: somebody else's file has the name of one of the page's.
        ArtsoundError: a sound cannot be read.
    """
    records = {
        name: record
        for name, record in read_records(out).items()
        if sound_of(out, name, record).is_file()
    }
    links = {
        name: in_page(pictures.spectrogram(record["audio_sha256"]))
        for name, record in records.items()
    }
    thumbnails = {
        in_page(pictures.thumbnail(record["image_sha256"]))
        for record in records.values()
        if pictures.has_thumbnail(record["image_sha256"])
    }
    used = {*FIXED, *links.values(), *thumbnails}
    pictures.own.claim(used)
    for done, (name, record) in enumerate(records.items()):
        progress("page", done, len(records))
        pictures.add_spectrogram(sound_of(out, name, record), record["audio_sha256"])
    progress("page", len(records), len(records))
    for asset in COPIED:
        write_atomically(pictures.folder / asset, (_ASSETS / asset).read_bytes())
    shown = [_shown(pictures, group, links, rank_by) for group in _by_artwork(records)]
    text = _template().render(
        shown=shown,
        sounds=len(records),
        toy=[one.title for one in shown if one.toy],
        models=_models(records),
        scored_by=sorted({name for record in records.values() for name in record["scores"]}),
        folder=PAGE,
        width=WIDTH,
        height=HEIGHT,
    )
    write_atomically(out / INDEX, text.encode())
    pictures.own.keep(used)  # without those of sounds that were made anew or deleted
    return out / INDEX


def _by_artwork(records: Mapping[str, dict[str, Any]]) -> list[dict[str, dict[str, Any]]]:
    groups: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for name, record in records.items():
        stem = name.removesuffix(f"-seed{record['seed']}")
        groups.setdefault((stem, record["image_sha256"]), {})[name] = record
    return list(groups.values())


def _shown(
    pictures: PagePictures,
    group: Mapping[str, dict[str, Any]],
    links: Mapping[str, str],
    rank_by: str | None,
) -> Shown:
    first_name, first = next(iter(group.items()))
    by = _ranked_by(group, rank_by)
    ranked = sorted(
        group, key=lambda name: (-group[name]["scores"][by] if by else 0.0, group[name]["seed"])
    )
    sounds = [
        Heard(
            name=name,
            link=quote(group[name]["audio"]),
            picture=links[name],
            seed=int(group[name]["seed"]),
            seconds=group[name]["samples"] / group[name]["sample_rate"],
            scores=tuple(
                (space, f"{value:.3f}") for space, value in sorted(group[name]["scores"].items())
            ),
            place=place if by else 0,
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
    if by:
        lines.append(("ranked by", f"{by} score"))
    has = pictures.has_thumbnail(first["image_sha256"])
    thumbnail = pictures.thumbnail(first["image_sha256"]).name
    return Shown(
        title=first_name.removesuffix(f"-seed{first['seed']}"),
        image=f"{PAGE}/{thumbnail}" if has else "",
        lines=tuple(lines),
        sounds=tuple(sounds),
        toy=any(record["toy_prior"] for record in group.values()),
    )


def _ranked_by(group: Mapping[str, dict[str, Any]], wanted: str | None) -> str | None:
    """Return whose score ranks an artwork's sounds: scores of two spaces do not compare."""
    shared = set.intersection(*(set(record["scores"]) for record in group.values()))
    if len(group) < 2 or not shared:
        return None
    return wanted if wanted in shared else min(shared)


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
