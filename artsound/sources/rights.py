"""SOURCES.csv: an optional sidecar that says whose a file is and where it comes from.

Neither ArtGraph nor FMA states a licence for every file. A collection that knows more lists it in a
file `SOURCES.csv` with the columns `file`, `licence` (SPDX) and `upstream_url`; others are ignored.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Final

from artsound.sources.archive import Source

_LIMIT: Final = 1 << 28


@dataclass(frozen=True)
class Rights:
    """What is known of a file; empty where nothing is."""

    license: str = ""
    url: str = ""


def read_rights(source: Source) -> dict[str, Rights]:
    """Return the rights by file name (the last component of the path); empty without a sidecar."""
    member = source.find("SOURCES.csv")
    if member is None:
        return {}
    text = source.read(member, _LIMIT).decode("utf-8", "replace")
    found = {}
    for row in csv.DictReader(io.StringIO(text)):
        name = (row.get("file") or "").rpartition("/")[2]
        found[name] = Rights(row.get("licence") or "", row.get("upstream_url") or "")
    return found
