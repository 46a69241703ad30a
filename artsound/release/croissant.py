"""croissant.json: the release described for machines (MLCommons Croissant 1.0).

The files are named by globs relative to croissant.json, so the description fits the folder
wherever it is, and one on the Hub. Their checksums are in manifest.json, which lists this file too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from artsound import paper
from artsound.release.columns import Column, columns
from artsound.release.tables import Part, by_config

FILE: Final = "croissant.json"

_CONTEXT: Final[Mapping[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES: Final = {
    "image": "sc:ImageObject",
    "audio": "sc:AudioObject",
    "string": "sc:Text",
    "bool": "sc:Boolean",
}
_SPDX: Final = "https://spdx.org/licenses"


def write_croissant(
    folder: Path,
    found: Sequence[Part],
    *,
    name: str,
    description: str,
    version: str,
    creator: str,
    licenses: Sequence[str],
    keywords: Sequence[str],
    limitations: Sequence[str],
) -> None:
    """Write croissant.json.

    Args:
        folder: the release.
        found: what the release holds.
        name: the dataset's name.
        description: what it is, in a sentence or two.
        version: the release's version.
        creator: who made the release.
        licenses: SPDX ids of the rows' licences.
        keywords: the card's tags.
        limitations: what a user must know, a sentence each.
    """
    configs = by_config(found)
    document: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.0",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": name,
        "description": description,
        "version": version,
        "url": paper.URL,
        "inLanguage": "en",
        "keywords": list(keywords),
        "license": [_license(one) for one in licenses],
        "creator": {"@type": "Organization", "name": creator},
        "citeAs": paper.bibtex(),
        "rai:dataLimitations": list(limitations),
        "distribution": [_file_set(config, parts) for config, parts in configs.items()],
        "recordSet": [
            described for config, parts in configs.items() for described in _records(config, parts)
        ],
    }
    text = json.dumps(document, indent=2, ensure_ascii=False)
    (folder / FILE).write_text(f"{text}\n", "utf-8")


def _license(identifier: str) -> str:
    """Return the licence's page where SPDX has one, else what the row says."""
    own = identifier.startswith("LicenseRef-") or " " in identifier
    return identifier if own else f"{_SPDX}/{identifier}.html"


def _file_set(config: str, parts: Sequence[Part]) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": _files(config),
        "name": _files(config),
        "description": f"The Parquet files of the configuration {config}.",
        "encodingFormat": "application/x-parquet",
        "includes": [part.pattern for part in parts],
    }


def _files(config: str) -> str:
    return f"{config}-files"


def _records(config: str, parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Return a configuration's record sets: its splits' names, and its rows."""
    splits = f"{config}-splits"
    split_names = [part.split for part in parts]
    named = {
        "@type": "cr:RecordSet",
        "@id": splits,
        "name": splits,
        "dataType": "cr:Split",
        "key": {"@id": f"{splits}/name"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{splits}/name",
                "name": "name",
                "dataType": "sc:Text",
            }
        ],
        "data": [{f"{splits}/name": split} for split in split_names],
    }
    split = {
        "@type": "cr:Field",
        "@id": f"{config}/split",
        "name": "split",
        "description": "the split that the row is in",
        "dataType": "sc:Text",
        "references": {"field": {"@id": f"{splits}/name"}},
        "source": {
            "fileSet": {"@id": _files(config)},
            "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": f"(?:.*/)?({'|'.join(split_names)})(?:-[^/]*)?$"},
        },
    }
    rows = {
        "@type": "cr:RecordSet",
        "@id": config,
        "name": config,
        "field": [split, *(_field(config, column) for column in columns(config, parts[0].schema))],
    }
    return [named, rows]


def _field(config: str, column: Column) -> dict[str, Any]:
    repeated = column.kind.startswith("list of ")
    kind = column.kind.removeprefix("list of ")
    source: dict[str, Any] = {
        "fileSet": {"@id": _files(config)},
        "extract": {"column": column.name},
    }
    if kind in ("image", "audio"):
        source["transform"] = {"jsonPath": "bytes"}
    found: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{config}/{column.name}",
        "name": column.name,
        "description": column.meaning,
        "dataType": _TYPES.get(kind) or ("sc:Float" if kind.startswith("float") else "sc:Integer"),
        "source": source,
    }
    return found | ({"repeated": True} if repeated else {})
