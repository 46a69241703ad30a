"""`artsound hydrate`: a release without media and the user's own archives give the full release.

The tables of a media-less release say of every item its file's name and SHA-256. A file counts if
both fit, wherever it lies in the archives, so the media are those that the build checked, and the
result is byte for byte what `artsound release --media embed` writes with the same libraries.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from artsound.errors import ArtsoundError, UsageError
from artsound.recipe import Recipe
from artsound.release.card import write_card
from artsound.release.configs import Written, write_pairs
from artsound.release.features import pair_features, released_schema
from artsound.release.lookup import read_tables
from artsound.release.manifest import facts_of, read_manifest, verify, versions, write_manifest
from artsound.release.media import AUDIO_FACTS, IMAGE_FACTS, Media, Problem
from artsound.release.pairs import released_lookup
from artsound.release.staging import staged
from artsound.release.tables import DEFAULT, Part, by_config, parts
from artsound.release.versioning import CHANGELOG


class MediaMissingError(ArtsoundError):
    """Files are missing or others than the release lists.

    Attributes:
        problems: each of them.
    """

    def __init__(self, message: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(message)
        self.problems = problems


@dataclass(frozen=True)
class Hydrated:
    """A filled release.

    Attributes:
        written: the default configuration's splits.
        problems: the files that are missing in it, by row; none unless `partial` was said.
        notes: libraries whose version is not the one that the media-less release was written with;
            the bytes may then differ from those of `release --media embed`.
    """

    written: tuple[Written, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def hydrate(
    release: Path, artworks: Path, tracks: Path, out: Path, *, partial: bool = False
) -> Hydrated:
    """Fill a media-less release from archives.

    Args:
        release: the release's folder.
        artworks: an archive, or a folder that holds archives or unpacked trees, with the artworks.
        tracks: the same for the music.
        out: where to write the full release; it must not exist or be empty.
        partial: write the release even if files are missing or different. The rows stay, with null
            media, and the manifest lists them; `hydrate` takes such a release again.

    Raises:
        UsageError: the folder is no release, has its media already, or `out` is in the way.
        MediaMissingError: files are missing or different, and `partial` was not said; nothing is
            written.
        ArtsoundError: the release is not as its manifest says.
    """
    manifest = read_manifest(release)
    if manifest.get("media", "embed") == "embed":
        raise UsageError(f"{release} has its media already: there is nothing to fill in")
    altered = verify(release)
    if altered:
        raise ArtsoundError(
            f"{release}: {len(altered)} files differ from the manifest ({altered[0]}): get it again"
        )
    recipe = Recipe.parse(manifest["recipe"], f"{release}/manifest.json")
    configs = by_config(parts(release))
    problems: list[Problem] = []
    with staged(out) as (folder, scratch):
        media = Media(
            _items(configs["artworks"], "artwork_id", IMAGE_FACTS, scratch),
            _items(configs["tracks"], "track_id", AUDIO_FACTS, scratch),
            artworks,
            tracks,
            recipe,
            problems.append,
        )
        if not partial:  # what is not listed is known before anything is read
            for part in configs[DEFAULT]:
                problems += media.absent(_rows(part))
            _raise(release, problems)
        written = [
            write_pairs(folder, recipe, part.split, _rows(part), media) for part in configs[DEFAULT]
        ]
        if not partial:
            _raise(release, problems)
        for name in configs:
            if name != DEFAULT:
                shutil.copytree(release / name, folder / name)
        shutil.copyfile(release / CHANGELOG, folder / CHANGELOG)
        here = versions()
        facts = facts_of(manifest) | {"media": "partial" if problems else "embed", "versions": here}
        facts.pop("missing_media", None)
        if problems:
            facts["missing_media"] = [asdict(problem) for problem in problems]
        write_card(folder, facts)
        write_manifest(folder, facts, [shard for one in written for shard in one.shards])
    return Hydrated(tuple(written), tuple(problems), _notes(manifest.get("versions", {}), here))


def _items(held: list[Part], key: str, columns: tuple[str, ...], scratch: Path) -> Any:
    paths = [path for part in held for path in part.files]
    return released_lookup(paths, key, columns, scratch / f"{key}.arrow")


def _rows(part: Part) -> Iterator[pa.Table]:
    """Yield the rows of a split without media."""
    return read_tables(part.files, released_schema(pair_features(media=False)).names)


def _raise(release: Path, problems: list[Problem]) -> None:
    if problems:
        rows = len({problem.pair_id for problem in problems})
        raise MediaMissingError(
            f"{release}: {len(problems)} files of {rows} rows are missing or different, so nothing"
            " was written: give the archives that have them, or say --partial to leave them empty",
            tuple(problems),
        )


def _notes(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        f"{name} is {now.get(name)} here, was {version} for the release: bytes may differ from"
        " those of a release with media"
        for name, version in then.items()
        if now.get(name) != version
    )
