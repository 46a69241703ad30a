"""README.md of a release: the dataset card, filled in from the tables and from nothing else."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jinja2

from artsound.release.features import PAIR_COLUMNS
from artsound.schema import Status
from artsound.stage import Build

if TYPE_CHECKING:
    from artsound.release.assemble import Written

_SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
_LABELS: Final = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M")
_SCORES: Final = ("clip_score", "pac_score", "ic_score", "rouge1", "bert_score", "ac_score")


def write_card(
    folder: Path,
    build: Build,
    pairs: Sequence[Mapping[str, Any]],
    written: Sequence[Written],
    facts: Mapping[str, Any],
) -> None:
    """Write README.md, whose YAML tells `load_dataset` the configurations and their files."""
    source = resources.files("artsound") / "cards" / "dataset_card.md.j2"
    environment = jinja2.Environment(  # noqa: S701 - the result is Markdown, not a page
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.from_string(source.read_text("utf-8"))
    text = template.render(
        recipe=build.recipe,
        facts=facts,
        configs=_configs(written),
        size_category=_size_category(len(pairs)),
        pairs=len(pairs),
        columns=PAIR_COLUMNS,
        lite=any(model["name"].startswith("lite-") for model in facts["models"]),
        captions=[
            _caption_facts(build, "image_captions", build.recipe.image_captions.threshold),
            _caption_facts(build, "audio_captions", build.recipe.audio_captions.threshold),
        ],
        scores=[_summary(name, (row[name] for row in pairs)) for name in _SCORES],
        similarity=_summary("similarity", (row["similarity"] for row in pairs)),
        rejected={table: _rejected(build, table) for table in ("artworks", "tracks")},
        artwork_licenses=Counter(row["artwork_license"] for row in pairs).most_common(),
        track_licenses=Counter(row["track_license"] for row in pairs).most_common(),
    )
    (folder / "README.md").write_text(text, "utf-8")


def _configs(written: Sequence[Written]) -> dict[str, list[Written]]:
    configs: dict[str, list[Written]] = {}
    for part in written:
        configs.setdefault(part.config, []).append(part)
    return configs


def _size_category(rows: int) -> str:
    return _LABELS[sum(rows >= size for size in _SIZES)]


def _summary(name: str, values: Iterable[float | None]) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    if not known:
        return {"name": name, "n": 0}
    return {
        "name": name,
        "n": len(known),
        "min": min(known),
        "mean": statistics.fmean(known),
        "max": max(known),
        "sd": statistics.pstdev(known),
    }


def _caption_facts(build: Build, table: str, threshold: float) -> dict[str, Any]:
    rows = build.workspace.read(table).to_pylist()
    lengths = [len(row["caption"]) for row in rows if row["caption"]]
    return {
        "name": table,
        "rows": len(rows),
        "failed": sum(row["status"] != Status.OK for row in rows),
        "threshold": threshold,
        "accepted": sum(row["accepted"] for row in rows),
        "first": sum(row["accepted"] and row["attempts"] == 1 for row in rows),
        "attempts": sum(row["attempts"] for row in rows),
        "lengths": _summary("length", lengths),
    }


def _rejected(build: Build, table: str) -> list[tuple[str, int]]:
    rows = build.workspace.read(table, ["status", "reason"]).to_pylist()
    reasons = (row["reason"] for row in rows if row["status"] != Status.OK)
    return Counter(reason.partition(":")[0] for reason in reasons).most_common()
