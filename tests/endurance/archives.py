"""Source collections of any size, written member by member: ArtGraph's zip and the FMA's two."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

_COLUMNS = (
    ("album", "title"), ("artist", "name"), ("set", "subset"), ("track", "genre_top"),
    ("track", "genres"), ("track", "genres_all"), ("track", "license"), ("track", "title"),
)  # fmt: skip
_STYLES = ("Impressionism", "Ukiyo-e", "Baroque", "Realism")
_LICENSE = "Attribution"


def _info(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name)  # dated 1980: the same bytes whenever they are written


def write_artgraph(path: Path, images: Iterable[tuple[str, bytes]]) -> Path:
    """Write images, each listed as an artwork of one of four styles."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in images:
            names.append(name)
            archive.writestr(_info(f"imagesf2/{name}"), data)
        for member, text in mapping(names).items():
            archive.writestr(_info(member), text)
    return path


def mapping(names: Iterable[str]) -> dict[str, str]:
    """Return the list of artworks and their styles: the text of each file by its path."""
    listed = io.StringIO()
    rows = list(enumerate(names))
    csv.writer(listed, lineterminator="\n").writerows(rows)
    styles = "".join(f"{index},{style}\n" for index, style in enumerate(_STYLES))
    edges = "".join(f"{index},{index % len(_STYLES)}\n" for index, _ in rows)
    return {
        "mapping/artwork_entidx2name.csv": listed.getvalue(),
        "mapping/style_entidx2name.csv": styles,
        "raw/relations/artwork___style___style/edge.csv": edges,
    }


def write_fma(folder: Path, clips: Iterable[tuple[int, bytes]]) -> Path:
    """Write clips, each with its row in `tracks.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    ids: list[int] = []
    with zipfile.ZipFile(folder / "fma_large.zip", "w") as archive:
        for track, data in clips:
            ids.append(track)
            name = f"{track:06d}"
            archive.writestr(_info(f"fma_large/{name[:3]}/{name}.mp3"), data)
    with zipfile.ZipFile(folder / "fma_metadata.zip", "w") as archive:
        archive.writestr(_info("fma_metadata/tracks.csv"), _tracks_csv(ids))
    return folder


def _tracks_csv(ids: Iterable[int]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["", *(group for group, _ in _COLUMNS)])
    rows.writerow(["", *(name for _, name in _COLUMNS)])
    rows.writerow(["track_id", *[""] * len(_COLUMNS)])
    for track in ids:
        title = f"Piece {track}"
        rows.writerow([track, "Album", "Artist", "large", "Folk", "[]", "[]", _LICENSE, title])
    return text.getvalue()
