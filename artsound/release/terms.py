"""What a licence lets one do, as far as its SPDX id tells: a reader's guide, not legal advice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Terms:
    """What a licence allows; nothing where the licence is not known.

    Attributes:
        redistribute: passing copies on.
        change: passing changed copies on.
        commercial: doing so for money.
        credit: the makers must be named.
        share_alike: changed copies must stay under the same licence.
    """

    redistribute: bool = False
    change: bool = False
    commercial: bool = False
    credit: bool = True
    share_alike: bool = False


UNKNOWN: Final = Terms()
_FREE: Final = Terms(True, True, True, credit=False)
_CREDIT: Final = Terms(True, True, True)
_COPYLEFT: Final = Terms(True, True, True, share_alike=True)
_PATTERNS: Final = (
    (r"CC0-.*|CC-PDM-.*|CC-PDDC|PDDL-.*|Unlicense|0BSD|LicenseRef-public-domain", _FREE),
    (r"MIT|ISC|Zlib|Apache-.*|BSD-.*|OFL-.*", _CREDIT),
    (r"(A|L)?GPL-.*|GFDL-.*|LAL-.*|FreeArt-.*|LicenseRef-[AL]?GPL", _COPYLEFT),
)
_CREATIVE_COMMONS: Final = re.compile(r"(?:LicenseRef-)?CC-BY((?:-(?:NC|ND|SA))*)(?:-\d.*)?")


def terms(expression: str | None) -> Terms:
    """Return what an SPDX id, or ids joined by `OR` or `AND`, allows.

    Of licences to choose from, the one that allows most counts; of licences that hold together,
    what all of them allow. `AND` binds closer than `OR`; parentheses are not read (unknown).
    """
    choices = [
        [_terms(one) for one in re.split(r"\s+AND\s+", choice)]
        for choice in re.split(r"\s+OR\s+", (expression or "").strip())
    ]
    return max((_together(choice) for choice in choices), key=_freedom)


def non_commercial(licence: str) -> bool:
    """Say whether any licence named in an SPDX expression forbids commercial use."""
    return bool(re.search(r"(?<![A-Za-z])NC(?![A-Za-z])|non-?commercial", licence, re.IGNORECASE))


def _freedom(found: Terms) -> tuple[bool, ...]:
    return (
        found.redistribute,
        found.change,
        found.commercial,
        not found.share_alike,
        not found.credit,
    )


def _together(found: list[Terms]) -> Terms:
    return Terms(
        all(one.redistribute for one in found),
        all(one.change for one in found),
        all(one.commercial for one in found),
        any(one.credit for one in found),
        any(one.share_alike for one in found),
    )


def _terms(licence: str) -> Terms:
    if match := _CREATIVE_COMMONS.fullmatch(licence):
        parts = match[1].split("-")
        return Terms(True, "ND" not in parts, "NC" not in parts, share_alike="SA" in parts)
    known = (found for pattern, found in _PATTERNS if re.fullmatch(pattern, licence))
    return next(known, UNKNOWN)
