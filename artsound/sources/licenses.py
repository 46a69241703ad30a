"""Licences as the Free Music Archive writes them, as SPDX ids."""

from __future__ import annotations

import re
from typing import Final

UNKNOWN: Final = "LicenseRef-unknown"

# Countries whose ported Creative Commons licences have an SPDX id of their own, by licence.
_COUNTRIES: Final = {
    "united states": "US", "germany": "DE", "france": "FR", "netherlands": "NL", "austria": "AT",
    "australia": "AU", "united kingdom": "UK", "england": "UK", "japan": "JP",
    "intergovernmental": "IGO", "finland": "FI",
}  # fmt: skip
_PORTED: Final = frozenset(
    [
        "CC-BY-2.5-AU",
        "CC-BY-3.0-AT",
        "CC-BY-3.0-AU",
        "CC-BY-3.0-DE",
        "CC-BY-3.0-IGO",
        "CC-BY-3.0-NL",
        "CC-BY-3.0-US",
        "CC-BY-NC-3.0-DE",
        "CC-BY-NC-ND-3.0-DE",
        "CC-BY-NC-ND-3.0-IGO",
        "CC-BY-NC-SA-2.0-DE",
        "CC-BY-NC-SA-2.0-FR",
        "CC-BY-NC-SA-2.0-UK",
        "CC-BY-NC-SA-3.0-DE",
        "CC-BY-NC-SA-3.0-IGO",
        "CC-BY-ND-3.0-DE",
        "CC-BY-SA-2.0-UK",
        "CC-BY-SA-2.1-JP",
        "CC-BY-SA-3.0-AT",
        "CC-BY-SA-3.0-DE",
        "CC-BY-SA-3.0-IGO",
    ]
)
_VERSIONS: Final = frozenset(("1.0", "2.0", "2.5", "3.0", "4.0"))

_OTHERS: Final = (
    (r"\bcc0\b|cc zero|public domain dedication", "CC0-1.0"),
    (r"public domain", "LicenseRef-public-domain"),
    (r"free art licen[cs]e|licence art libre|\blal\b", "LAL-1.3"),
    (r"orphan work", "LicenseRef-orphan-work"),
    (r"sampling plus|sampling\+", "LicenseRef-CC-Sampling-Plus-1.0"),
    (r"fma.*download only", "LicenseRef-FMA-download-only"),
    (r"fma.*sound recording common law|common law", "LicenseRef-FMA-sound-recording-common-law"),
    (r"\bmit\b", "MIT"),
    (r"apache.*2\.0", "Apache-2.0"),
)
_SPDX: Final = re.compile(r"(CC0|CC-BY|GPL|LGPL|AGPL|MIT|Apache|LAL|OFL|LicenseRef)[\w.+-]*")


def spdx(written: str | None) -> str:
    """Return the SPDX id of a licence as written.

    A Creative Commons licence ported to a country keeps the country only where SPDX has an id for
    that port; else the unported licence of the same version stands for it. What SPDX does not know
    is a `LicenseRef-`; what is not recognised, or empty, is `LicenseRef-unknown`.

    Args:
        written: such as `Attribution-Noncommercial-Share Alike 3.0 United States`.
    """
    text = " ".join((written or "").split())
    if _SPDX.fullmatch(text):
        return text
    plain = text.lower()
    for pattern, identifier in _OTHERS[:2]:
        if re.search(pattern, plain):
            return identifier
    if "attribution" in plain:
        return _creative_commons(plain)
    if "general public license" in plain or "gpl" in plain:
        return _gpl(plain)
    return next((found for pattern, found in _OTHERS if re.search(pattern, plain)), UNKNOWN)


def _creative_commons(plain: str) -> str:
    squeezed = re.sub(r"[^a-z]", "", plain)
    noncommercial = "noncommercial" in squeezed
    parts = ["BY"]
    if noncommercial:
        parts.append("NC")
    if "noderiv" in squeezed:
        parts.append("ND")
    elif "sharealike" in squeezed:
        parts.append("SA")
    version = re.search(r"\d\.\d", plain)
    if not version or version[0] not in (_VERSIONS | {"2.1"}):
        return UNKNOWN
    order = "NC-ND" if parts[1:] == ["NC", "ND"] else "-".join(parts[1:])
    if version[0] == "1.0" and parts[1:] == ["NC", "ND"]:
        order = "ND-NC"  # the order of names that version 1.0 was written in
    plain_id = "-".join(filter(None, ("CC-BY", order, version[0])))
    for country, code in _COUNTRIES.items():
        if country in plain and f"{plain_id}-{code}" in _PORTED:
            return f"{plain_id}-{code}"
    return plain_id if version[0] in _VERSIONS else UNKNOWN


def _gpl(plain: str) -> str:
    name = "LGPL" if "lesser" in plain or "lgpl" in plain else "GPL"
    name = "AGPL" if "affero" in plain or "agpl" in plain else name
    version = re.search(r"(\d)(?:\.(\d))?", plain)
    if not version:
        return UNKNOWN
    later = "or-later" if "or later" in plain or "+" in plain else "only"
    return f"{name}-{version[1]}.{version[2] or 0}-{later}"
