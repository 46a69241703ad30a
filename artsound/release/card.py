"""README.md of a release: the dataset card, filled in from the tables and from nothing else.

The card, its picture and its Croissant description are a function of the release's tables and of
the facts that its manifest will hold. They name no path, host or time, so equal tables give equal
bytes, whichever way the tables came about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

import jinja2

from artsound import paper
from artsound.recipe import Recipe
from artsound.release import statistics
from artsound.release.columns import columns
from artsound.release.croissant import write_croissant
from artsound.release.picture import FILE as PICTURE
from artsound.release.picture import write_picture
from artsound.release.provenance import Provenance, provenance
from artsound.release.tables import DEFAULT, Part, by_config, parts
from artsound.release.terms import terms
from artsound.sources.limits import MediaLimits

NAME: Final = "README.md"
MAKER: Final = "The ArtSound developers"
TAGS: Final = ("art", "music", "image-to-music", "audio", "image", "cross-modal", "captions")

_SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
_LABELS: Final = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M")
_MOST: Final = 10
_LICENCES: Final = 100


def write_card(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write README.md, croissant.json and the picture of a release whose tables are written.

    The YAML of README.md tells `load_dataset` the configurations, their files and their features.

    Args:
        folder: the release.
        facts: what the manifest will say of it: `artsound`, `recipe`, `models`; also `version`,
            `media` (`embed`, `none` or `partial`) and `dropped_by_license` (rows by licence) where
            they apply.
    """
    recipe = Recipe.parse(facts["recipe"], "manifest.json")
    found = parts(folder)
    configs = by_config(found)
    pairs = configs[DEFAULT]
    has_media = facts.get("media", "embed") != "none"
    limits = MediaLimits(**recipe.media.model_dump())
    made_by = provenance(recipe, facts["models"])
    lite = any(model.lite for model in made_by)
    context = {
        "name": f"ArtSound ({recipe.name})" if lite else "ArtSound",
        "recipe": recipe,
        "facts": facts,
        "paper": paper,
        "maker": MAKER,
        "lite": lite,
        "models": made_by,
        "configs": configs,
        "columns": {name: columns(name, held[0].schema) for name, held in configs.items()},
        "media": has_media,
        "picture": PICTURE,
        "shown": write_picture(folder, pairs, limits) if has_media else [],
        "pairs": sum(part.rows for part in pairs),
        "numbers": statistics.pair_statistics(pairs),
        "captions": [
            (
                "artworks",
                "image captions",
                recipe.image_captions,
                statistics.caption_statistics(configs["artworks"], "image"),
                paper.IMAGE_CAPTIONS,
            ),
            (
                "tracks",
                "music captions",
                recipe.audio_captions,
                statistics.caption_statistics(configs["tracks"], "audio"),
                paper.AUDIO_CAPTIONS,
            ),
        ],
        "strategies": [
            statistics.strategy_statistics(config.removeprefix("pairs_"), held)
            for config, held in configs.items()
            if config.startswith("pairs_")
        ],
        "left_out": {name: statistics.left_out(configs[name]) for name in ("artworks", "tracks")},
        "hours": statistics.seconds(configs["tracks"]) / 3600,
        "most": _MOST,
        "most_licenses": _LICENCES,
    }
    environment = _environment()
    template = resources.files("artsound") / "cards" / "dataset_card.md.j2"
    body = environment.from_string(template.read_text("utf-8")).render(context)
    header = metadata(context["name"], configs)
    (folder / NAME).write_text(f"---\n{header}\n---\n\n{body}", "utf-8")
    numbers = context["numbers"]
    write_croissant(
        folder,
        found,
        name=context["name"],
        description=_description(context["pairs"], facts, recipe),
        version=str(facts.get("version", facts["artsound"])),
        creator=MAKER,
        licenses=[licence for licence, _, _ in numbers.licenses],
        keywords=TAGS,
        limitations=_limitations(made_by, numbers, recipe),
    )


def metadata(name: str, configs: Mapping[str, Sequence[Part]]) -> str:
    """Return the card's YAML, as `huggingface_hub` and `datasets` write it."""
    from datasets import DatasetInfo, Features, SplitDict, SplitInfo
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    rows = sum(part.rows for part in configs[DEFAULT])
    data = DatasetCardData(
        pretty_name=name,
        language=["en"],
        license="other",
        license_name="mixed-per-row",
        license_link=NAME,
        task_categories=["text-to-audio", "image-to-text"],
        annotations_creators=["machine-generated"],
        language_creators=["machine-generated"],
        multilinguality=["monolingual"],
        source_datasets=["original"],
        size_categories=[_LABELS[sum(rows >= size for size in _SIZES)]],
        tags=list(TAGS),
    )
    described = DatasetInfosDict()
    for config, held in configs.items():
        splits = SplitDict()
        for part in held:
            splits.add(SplitInfo(part.split, part.data_bytes, part.rows))
        described[config] = DatasetInfo(
            features=Features.from_arrow_schema(held[0].schema),
            splits=splits,
            download_size=sum(part.file_bytes for part in held),
            dataset_size=sum(part.data_bytes for part in held),
        )
    described.to_dataset_card_data(data)
    data["configs"] = [
        {
            "config_name": config,
            **({"default": True} if config == DEFAULT else {}),
            "data_files": [{"split": part.split, "path": part.pattern} for part in held],
        }
        for config, held in configs.items()
    ]
    text: str = data.to_yaml(line_break="\n").rstrip("\n")
    return text


def _description(pairs: int, facts: Mapping[str, Any], recipe: Recipe) -> str:
    return (
        f"{pairs:,} pairs of a digitised artwork and a music clip, both captioned, each caption"
        f" scored, paired by the similarity of their embeddings. Built by artsound"
        f" {facts['artsound']} with the recipe {recipe.name}."
    )


def _limitations(
    models: Sequence[Provenance], numbers: statistics.PairStatistics, recipe: Recipe
) -> list[str]:
    """Return the limits that a machine should pass on with the data."""
    said = [
        f"Pairs are chosen by {recipe.pairing.embedder}: scores by the same embedder favour them."
    ]
    if numbers.percentiles:
        said.append(
            f"One pair in a hundred has a similarity below {numbers.percentiles[1]:.4f};"
            f" the mean is {_mean(numbers):.4f}."
        )
    for kind, what in (("lite", "small stand-ins"), ("non_commercial", "non-commercial weights")):
        names = sorted({model.name for model in models if getattr(model, kind)})
        if names:
            said.append(f"Made by {what}: {', '.join(names)}.")
    return said


def _mean(numbers: statistics.PairStatistics) -> float:
    found = numbers.figures["similarity"]
    return found.mean if found else float("nan")


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701 - the result is Markdown, not a page
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"n": _count, "num": _number, "text": _text, "pct": _percent}
    environment.globals["terms"] = terms
    return environment


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _text(value: object) -> str:
    """Return what came from a source so that Markdown and tables take it as plain text."""
    plain = " ".join(str(value).split()).replace("&", "&amp;").replace("<", "&lt;")
    for mark in "\\`*_[]|":
        plain = plain.replace(mark, f"\\{mark}")
    return plain
