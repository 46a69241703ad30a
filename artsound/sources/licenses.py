"""Licences as the Free Music Archive writes them, as SPDX ids (SPDX licence list 3.27)."""

from __future__ import annotations

import re
from typing import Final

UNKNOWN: Final = "LicenseRef-unknown"

# Creative Commons licences ported to a country: those that have an SPDX id of their own.
_PORTED: Final = frozenset(
    (
        "CC-BY-2.5-AU", "CC-BY-3.0-AT", "CC-BY-3.0-AU", "CC-BY-3.0-DE", "CC-BY-3.0-IGO",
        "CC-BY-3.0-NL", "CC-BY-3.0-US", "CC-BY-NC-3.0-DE", "CC-BY-NC-ND-3.0-DE",
        "CC-BY-NC-ND-3.0-IGO", "CC-BY-NC-SA-2.0-DE", "CC-BY-NC-SA-2.0-FR", "CC-BY-NC-SA-2.0-UK",
        "CC-BY-NC-SA-3.0-DE", "CC-BY-NC-SA-3.0-IGO", "CC-BY-ND-3.0-DE", "CC-BY-SA-2.0-UK",
        "CC-BY-SA-2.1-JP", "CC-BY-SA-3.0-AT", "CC-BY-SA-3.0-DE", "CC-BY-SA-3.0-IGO",
    )
)  # fmt: skip
# SPDX's UK is England and Wales; Scotland has licences of its own.
_COUNTRIES: Final = {
    "united states": "US", "germany": "DE", "france": "FR", "netherlands": "NL", "austria": "AT",
    "australia": "AU", "england": "UK", "japan": "JP", "intergovernmental": "IGO", "igo": "IGO",
}  # fmt: skip
_VERSIONS: Final = frozenset(("1.0", "2.0", "2.5", "3.0", "4.0"))

# Looked for in this order, before and after the Creative Commons attribution licences.
_FIRST: Final = (
    (r"\bcc[ -]?0\b|\bcc zero\b|creative commons zero|no rights reserved", "CC0-1.0"),
    (r"public domain mark", "CC-PDM-1.0"),
    (r"public domain dedication", "CC-PDDC"),
    (r"public domain", "LicenseRef-public-domain"),
    (r"non-?commercial sampling ?(plus|\+)", "LicenseRef-CC-NC-Sampling-Plus-1.0"),
    (r"sampling ?(plus|\+)", "LicenseRef-CC-Sampling-Plus-1.0"),
)
_LAST: Final = (
    (r"^(creative commons )?music sharing", "LicenseRef-CC-BY-NC-ND"),
    (r"free art licen[cs]e|licence art libre", "LAL-1.3"),
    (r"orphan work", "LicenseRef-orphan-work"),
    (r"fma.*download only", "LicenseRef-FMA-download-only"),
    (r"sound recording common law", "LicenseRef-FMA-sound-recording-common-law"),
    (r"\bmit\b", "MIT"),
    (r"\bapache\b.*\b2(\.0)?\b", "Apache-2.0"),
)
_SPDX: Final = re.compile(
    r"(CC0|CC-BY|CC-PD|GPL|LGPL|AGPL|GFDL|Apache|LAL|OFL|BSD|LicenseRef)-[A-Za-z0-9.-]+\+?|MIT|ISC"
)


def spdx(written: str | None) -> str:
    """Return the SPDX id of a licence as written.

    A Creative Commons licence ported to a country keeps the country only where SPDX has an id for
    that port; else the unported licence of the same version stands for it. A licence that says no
    version, or one that SPDX does not know, becomes a `LicenseRef-` with what it says
    (`LicenseRef-CC-BY-NC-SA`). What is not recognised, or empty, is `LicenseRef-unknown`.

    Args:
        written: such as `Attribution-Noncommercial-Share Alike 3.0 United States`.
    """
    text = " ".join((written or "").split())
    if _SPDX.fullmatch(text):
        return text
    plain = text.lower()
    for pattern, identifier in _FIRST:
        if re.search(pattern, plain):
            return identifier
    if re.search(r"\battribution\b|\bcc[ -]by\b", plain):
        return _creative_commons(plain)
    if re.search(r"general public licen[cs]e|\b[al]?gpl", plain):
        return _gpl(plain)
    return next((found for pattern, found in _LAST if re.search(pattern, plain)), UNKNOWN)


def _creative_commons(plain: str) -> str:
    short = re.search(r"\bcc[ -]by((?:-(?:nc|nd|sa))*)", plain)
    squeezed = re.sub(r"[^a-z]", "", plain) + (short[1] if short else "")
    parts = ["BY"]
    # One of FMA's spellings has lost a letter: "Noncommercia-Share Alike".
    if "noncommercia" in squeezed or "-nc" in squeezed:
        parts.append("NC")
    if "noderiv" in squeezed or "-nd" in squeezed:
        parts.append("ND")
    elif "sharealike" in squeezed or "-sa" in squeezed:
        parts.append("SA")
    found = re.search(r"\b\d\.\d\b", plain)
    name = "-".join(["CC", *parts])
    if found is None:
        return f"LicenseRef-{name}"
    identifier = f"{name}-{found[0]}"
    for country, code in _COUNTRIES.items():
        if re.search(rf"\b{country}\b", plain) and f"{identifier}-{code}" in _PORTED:
            return f"{identifier}-{code}"
    return identifier if found[0] in _VERSIONS else f"LicenseRef-{identifier}"


def _gpl(plain: str) -> str:
    name = "LGPL" if "lesser" in plain or "library" in plain or "lgpl" in plain else "GPL"
    name = "AGPL" if "affero" in plain or "agpl" in plain else name
    version = re.search(r"(\d)(?:\.(\d))?", plain)
    if not version:
        return f"LicenseRef-{name}"
    later = "or-later" if re.search(r"or (any )?(later|newer)|\d\+", plain) else "only"
    return f"{name}-{version[1]}.{version[2] or 0}-{later}"
