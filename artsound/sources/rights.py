"""SOURCES.csv: an optional sidecar that says whose a file is and where it comes from.

Neither ArtGraph nor FMA states a licence for every file. A collection that knows more lists it in a
file `SOURCES.csv` with the columns `file`, `licence` (SPDX) and `upstream_url`; others are ignored.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Final

from artsound.errors import ArtsoundError
from artsound.sources.archive import MemberError, Source

SIDECAR: Final = "SOURCES.csv"
_LIMIT: Final = 1 << 28
# SPDX's words for "nobody has said": they leave what is known otherwise.
_UNSAID: Final = ("NOASSERTION", "NONE", "")


@dataclass(frozen=True)
class Rights:
    """What is known of a file; None where nothing is."""

    license: str | None = None
    url: str | None = None


def read_rights(source: Source) -> dict[str, Rights]:
    """Return the rights by file name (the last component of the path); empty without a sidecar.

    Of several sidecars the first in order of path counts for a file.

    Raises:
        ArtsoundError: a sidecar cannot be read.
    """
    found: dict[str, Rights] = {}
    for member in source.find_all(SIDECAR):
        try:
            text = source.read(member, _LIMIT).decode("utf-8-sig", "replace")
            rows = list(csv.DictReader(io.StringIO(text, newline="")))
        except (MemberError, csv.Error) as error:
            raise ArtsoundError(
                f"{source.path}: {member.path} cannot be read ({error}): restore or remove it"
            ) from error
        for row in rows:
            name = (row.get("file") or "").rpartition("/")[2]
            if name:
                licence = (row.get("licence") or "").strip()
                url = (row.get("upstream_url") or "").strip()
                found.setdefault(name, Rights(None if licence in _UNSAID else licence, url or None))
    return found
