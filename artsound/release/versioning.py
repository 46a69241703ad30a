"""A release's version and its CHANGELOG.md.

Versions are semantic, read for data: a user's code or results can break at a new major version
(rows or columns gone, a row in another split), a minor one adds rows or columns or changes values,
and a patch changes nothing in the tables.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from artsound.errors import UsageError
from artsound.release.diff import Difference

CHANGELOG: Final = "CHANGELOG.md"
FIRST: Final = "1.0.0"
_HEAD: Final = "# Changelog\n"
_SEMANTIC: Final = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?"
)

Order = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


def precedence(version: str) -> Order:
    """Return what versions are ordered by (Semantic Versioning 2.0.0, section 11).

    Raises:
        UsageError: it is not `MAJOR.MINOR.PATCH`, optionally with `-PRERELEASE`.
    """
    match = _SEMANTIC.fullmatch(version)
    if match is None:
        raise UsageError(f"{version!r} is not a semantic version: give one as in 1.2.0")
    identifiers = match[4].split(".") if match[4] else []
    return (
        int(match[1]),
        int(match[2]),
        int(match[3]),
        not identifiers,
        tuple((not one.isdigit(), int(one) if one.isdigit() else 0, one) for one in identifiers),
    )


def next_version(version: str | None, before: str | None, difference: Difference | None) -> str:
    """Return the version of a release.

    Args:
        version: the one that was asked for, if any.
        before: that of the release before, if there is one.
        difference: what has changed since then.

    Raises:
        UsageError: it is not semantic, or not above the one before.
    """
    if version is not None:
        given = precedence(version)
        if before is not None and given <= precedence(before):
            raise UsageError(
                f"--version {version} is not above {before}, that of the previous release"
            )
        return version
    if before is None or difference is None:
        return FIRST
    major, minor, patch, final, _ = precedence(before)
    if not final:
        return f"{major}.{minor}.{patch}"
    if difference.breaks:
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if difference.changed else f"{major}.{minor}.{patch + 1}"


def write_changelog(
    folder: Path, version: str, pairs: int, previous: Path | None, difference: Difference | None
) -> None:
    """Write CHANGELOG.md: what is new in this release, above what the one before says.

    It says nothing of the media, so that a release has the same changelog with and without them,
    and no dates, so that the same build gives the same bytes.
    """
    if difference is None:
        lines = [f"First release: {pairs:,} pairs."]
    else:
        lines = [f"- {line}" for line in difference.lines()] or ["Nothing in the tables changed."]
    old = previous / CHANGELOG if previous else None
    before = old.read_text("utf-8").removeprefix(_HEAD) if old and old.is_file() else ""
    text = f"{_HEAD}\n## {version}\n\n" + "\n".join(lines) + f"\n{before}"
    (folder / CHANGELOG).write_text(text, "utf-8")
