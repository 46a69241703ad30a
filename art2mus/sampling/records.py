"""What lies in a folder of samples: the sound files, a JSON beside each, and whose they are.

    out/STEM.wav              the music for the image STEM.jpg
    out/STEM.json             what it was made of and with
    out/STEM-seed7.wav        the same of several seeds
    out/page/                 thumbnails and spectrograms, and the list of the page's files
    out/index.html            the page
    out/.art2mus-sample.lock  held while a command writes here

A record is written before its sound, and what it describes is there once the sound is: a command
that is stopped in between makes both anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from art2mus.sampling.inputs import Artwork
from art2mus.sampling.loudness import FORMATS
from artsound.atomic import write_atomically
from artsound.errors import UsageError

FORMAT: Final = "art2mus-sample/1"
PAGE: Final = "page"
IDENTITY: Final = ("image_sha256", "seed", "checkpoint", "settings")
_WEIGHTS: Final = ("aligner_sha256", "encoder_fingerprint", "backbone_fingerprint")


@dataclass(frozen=True)
class Item:
    """One sound to make, or that is there.

    Attributes:
        name: of its files, without a suffix.
        artwork: what it is the music of.
        seed: of its noise.
        done: whether it is there with equal settings.
    """

    name: str
    artwork: Artwork
    seed: int
    done: bool


def write_record(folder: Path, name: str, record: Mapping[str, Any]) -> None:
    """Write a record: the same content gives the same bytes."""
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    write_atomically(folder / f"{name}.json", text.encode())


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the records of a folder by their names; other JSON files are passed over."""
    found = ((path.stem, read_record(path)) for path in sorted(folder.glob("*.json")))
    return {name: record for name, record in found if record is not None}


def read_record(path: Path) -> dict[str, Any] | None:
    """Return a record; None where there is none, or where the file is no record."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        return None  # whatever it is, this program did not write it
    known = isinstance(content, dict) and content.get("format") == FORMAT
    return content if known else None


def sound_of(folder: Path, name: str, record: Mapping[str, Any]) -> Path:
    """Return the sound file of a record."""
    return folder / f"{name}.{record['settings']['format']}"


def plan(
    folder: Path,
    artworks: Sequence[Artwork],
    seeds: Sequence[int],
    wanted: Mapping[str, Any],
    *,
    overwrite: bool,
) -> list[Item]:
    """Name the sounds of artworks, and say which are there.

    A sound is named after its image, with `-seedN` where several seeds are asked for. Where another
    image has the name, of this command or of one before, `-2`, `-3` and so on follow the image's
    name; the first to come keeps it bare. The same image under the same name counts once. Nothing
    that belongs to another image is ever overwritten.

    Args:
        folder: where they are.
        artworks: in order.
        seeds: of each.
        wanted: the settings and the checkpoint, as `IDENTITY` names them in a record.
        overwrite: whether what is there with other settings is made anew.

    Raises:
        UsageError: one is there with other settings and is not to be overwritten, or somebody
            else's file is where one is to be written.
    """
    records = read_records(folder)
    owners = {name.lower(): str(record["image_sha256"]) for name, record in records.items()}
    for path in folder.glob("*"):
        if path.suffix.lstrip(".") in {*FORMATS, "json"}:
            owners.setdefault(path.stem.lower(), "")  # a file of someone else's
    items: list[Item] = []
    seen: set[tuple[str, str]] = set()
    claimed: set[str] = set()
    for artwork in artworks:
        if (artwork.stem.lower(), artwork.sha256) in seen:
            continue
        seen.add((artwork.stem.lower(), artwork.sha256))
        number, names = 1, _names(artwork.stem, seeds)
        while any(
            name.lower() in claimed or owners.get(name.lower(), artwork.sha256) != artwork.sha256
            for name in names
        ):
            number += 1
            names = _names(f"{artwork.stem}-{number}", seeds)
        claimed |= {name.lower() for name in names}
        for name, seed in zip(names, seeds, strict=True):
            mine = {"image_sha256": artwork.sha256, "seed": seed, **wanted}
            record = records.get(name)
            there = record is not None and sound_of(folder, name, record).is_file()
            difference = _difference(record, mine) if record and there else ""
            if difference and not overwrite:
                raise UsageError(
                    f"{folder / name}.json is of another {difference}: give another --out, or"
                    " --overwrite"
                )
            done = there and not difference
            target = folder / f"{name}.{wanted['settings'].get('format')}"
            if record and not done and target.exists() and target != sound_of(folder, name, record):
                raise UsageError(f"{target} is not of {name}.json: move it away before --overwrite")
            items.append(Item(name, artwork, seed, done))
    return items


def _names(stem: str, seeds: Sequence[int]) -> list[str]:
    return [stem] if len(seeds) == 1 else [f"{stem}-seed{seed}" for seed in seeds]


def _difference(record: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return the first thing that a record says otherwise; empty where all is equal."""
    for key in IDENTITY:
        theirs, mine = record.get(key), wanted[key]
        if not isinstance(mine, Mapping) or not isinstance(theirs, Mapping):
            if theirs != mine:
                return f"{key} ({theirs}, now {mine})"
            continue
        # What checkpoints and backbones are called, and where they lie, is no difference.
        for name in _WEIGHTS if key == "checkpoint" else mine:
            if theirs.get(name) != mine.get(name):
                short = [str(each)[:40] for each in (theirs.get(name), mine.get(name))]
                return f"{name} ({short[0]}, now {short[1]})"
    return ""
