"""The explorer: one folder with a page to see and hear the pairs, from disk or any static host.

    out/index.html          the page, with the report's tables and figures in it
    out/assets/             its style and its scripts
    out/data/meta.js        what there is
    out/data/sample-*.js    the pairs that are shown with media, in chunks
    out/data/whole-*.js     every pair as text, if that is more; read when someone asks for it
    out/media/images/       thumbnails: `<stem>-c.webp` for cards, `<stem>-l.webp` larger
    out/media/audio/        copies of the clips

Nothing in it asks for anything outside the folder, and a policy in the page forbids it to.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jinja2
import pyarrow as pa

from artsound.atomic import write_atomically
from artsound.report.columns import beside
from artsound.report.curves import strategy_label
from artsound.report.data import Data
from artsound.report.figures import Figure
from artsound.report.own import OwnFiles
from artsound.report.page.choose import Choice, choose
from artsound.report.page.export import (
    SAMPLE_CHUNK,
    WHOLE_CHUNK,
    Pairs,
    Shown,
    write_chunks,
)
from artsound.report.page.media import MediaFolder
from artsound.report.page.script import write_script
from artsound.report.progress import Progress
from artsound.table import Table, shown

_ASSETS: Final = files("artsound.report") / "assets"
_TEMPLATE: Final = "index.html.j2"
_LITE: Final = "lite-"
_MODELS: Final = (
    ("image_captions", "model", "artwork captions"),
    ("image_captions", "scorer", "artwork caption scores"),
    ("audio_captions", "model", "music captions"),
    ("audio_captions", "scorer", "music caption scores"),
)
_TOLD: Final = 100  # items between two reports of progress


def write_page(
    data: Data,
    own: OwnFiles,
    *,
    pairs: int,
    seed: int,
    media: bool,
    tables: Sequence[Table],
    figures: Sequence[Figure],
    progress: Progress,
) -> Path:
    """Write the explorer; run again, it makes only the media that are not there yet.

    Args:
        data: the tables of a workspace or a release.
        own: the report's folder, in which `figures/` is already.
        pairs: how many pairs are shown with media; of more, a sample (`choose`).
        seed: of that sample.
        media: whether to make thumbnails and copy clips.
        tables: shown in the overview.
        figures: likewise, from `figures/<name>.svg`.
        progress: called with what is being done, how much of it is done, and of how much.

    Returns:
        The page's path.
    """
    out = own.root
    made = Pairs.read(data)
    choice = Choice([], 0, 0)
    sample: dict[str, Any] = {"chunks": 0, "tracks": 0, "bytes": 0}
    whole = sample
    there = Shown({}, {})
    if made is not None:
        choice = _choose(data, made, pairs, seed)
        tracks = [made.tracks[row] for row in choice.rows]
        if media:
            there = _media(data, made, tracks, MediaFolder(own), progress)
        progress("data", 0, choice.total)
        sample = write_chunks(data, made, tracks, there, own, "sample", SAMPLE_CHUNK)
        if not choice.whole:
            whole = write_chunks(data, made, made.tracks, there, own, "whole", WHOLE_CHUNK)
        progress("data", choice.total, choice.total)
    labels = {name: strategy_label(name) for name in (made.strategies if made else [])}
    meta = {
        "strategies": list(labels),
        "labels": labels,
        "sample": sample,
        "whole": whole,
        "media": bool(there.images or there.clips),
    }
    write_script(out / "data" / "meta.js", "begin", meta)
    own.add(out / "data" / "meta.js")
    for asset in sorted(_ASSETS.iterdir(), key=lambda one: one.name):
        if asset.name != _TEMPLATE and not asset.name.startswith("."):
            write_atomically(out / "assets" / asset.name, asset.read_bytes())
            own.add(out / "assets" / asset.name)
    page = _template().render(
        data=data,
        choice=choice,
        seed=seed,
        clips=len(there.clips),
        images=len(there.images),
        strategies=list(labels.values()),
        tables=tables,
        figures=figures,
        shown=shown,
        models=_models(data),
        lite=_LITE,
        asked=media,
    )
    path = out / "index.html"
    write_atomically(path, page.encode())
    own.add(path)
    return path


def _choose(data: Data, made: Pairs, pairs: int, seed: int) -> Choice:
    base = made.of[made.base]
    artworks = pa.chunked_array([[base[track][0] for track in made.tracks]], pa.string())
    styles: list[str | None] = [None] * len(made.tracks)
    if data.artworks is not None:
        styles = beside(artworks, data.artworks, "style").to_pylist()
    similarity = [base[track][1] for track in made.tracks]
    return choose(made.tracks, styles, similarity, pairs=pairs, seed=seed)


def _media(
    data: Data, made: Pairs, tracks: Sequence[int], folder: MediaFolder, progress: Progress
) -> Shown:
    """Make the media of some tracks' pairs; other strategies' artworks only in the small size."""
    by_place = sorted(tracks, key=data.place)
    sums = _checksums(data.tracks)
    clips: dict[int, str] = {}
    for done, track in enumerate(by_place):
        if not done % _TOLD:
            progress("clips", done, len(by_place))
        if (name := folder.clip(track, sums.get(track), data.audio)) is not None:
            clips[track] = name
    progress("clips", len(by_place), len(by_place))
    sums = _checksums(data.artworks)
    wanted: dict[str, bool] = {}
    for artwork, strategy in made.artworks(tracks):
        wanted[artwork] = wanted.get(artwork, False) or strategy == made.base
    # An artwork lies beside the track that it is paired with by the base strategy.
    beside_it = {pair[0]: track for track, pair in made.of[made.base].items()}
    last = len(made.of[made.base])
    order = sorted(
        wanted,
        key=lambda one: (data.place(beside_it[one]), 0) if one in beside_it else ((last, 0, 0), 1),
    )
    images: dict[str, tuple[str, bool]] = {}
    asked = ((one, sums.get(one), wanted[one]) for one in order)
    for done, found in enumerate(folder.images(asked, data.image)):
        if not done % _TOLD:
            progress("thumbnails", done, len(order))
        if found is not None:
            images[found[0]] = found[1:]
    progress("thumbnails", len(order), len(order))
    return Shown(images, clips)


def _checksums(table: Any) -> dict[Any, str | None]:
    if table is None:
        return {}
    return dict(zip(table.column(0).to_pylist(), table["sha256"].to_pylist(), strict=True))


def _models(data: Data) -> list[tuple[str, str, bool]]:
    """Return (what, model, whether it is a stand-in) for every model that made what is shown."""
    found = []
    for name, column, what in _MODELS:
        table = getattr(data, name)
        if table is not None and column in table.column_names:
            found += [
                (what, model) for model in sorted(filter(None, table[column].unique().to_pylist()))
            ]
    embedders = {
        model
        for table in data.pairs.values()
        for model in table["embedder"].unique().to_pylist()
        if model
    }
    found += [("embeddings and similarity", model) for model in sorted(embedders)]
    return [(what, model, model.startswith(_LITE)) for what, model in found]


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string((_ASSETS / _TEMPLATE).read_text("utf-8"))
