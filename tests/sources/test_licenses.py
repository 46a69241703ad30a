"""Licences as the Free Music Archive writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artsound.sources.licenses import UNKNOWN, spdx


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Attribution-NonCommercial-ShareAlike 3.0 International", "CC-BY-NC-SA-3.0"),
        ("Attribution-Noncommercial-Share Alike 3.0 United States", "CC-BY-NC-SA-3.0"),
        ("Attribution-NonCommercial-NoDerivatives (aka Music Sharing) 3.0 International",
         "CC-BY-NC-ND-3.0"),
        ("Creative Commons Attribution-NonCommercial-NoDerivatives 4.0", "CC-BY-NC-ND-4.0"),
        ("Attribution 3.0 United States", "CC-BY-3.0-US"),
        ("Attribution-ShareAlike 3.0 Germany", "CC-BY-SA-3.0-DE"),
        ("Attribution-Noncommercial-No Derivative Works 3.0 Germany", "CC-BY-NC-ND-3.0-DE"),
        ("Attribution-NonCommercial 3.0 Spain", "CC-BY-NC-3.0"),
        ("Attribution-Share Alike 2.0 UK: England & Wales", "CC-BY-SA-2.0-UK"),
        ("Attribution-NoDerivs-NonCommercial 1.0", "CC-BY-NC-ND-1.0"),
        ("Attribution-NoDerivatives 4.0", "CC-BY-ND-4.0"),
        ("Attribution", "LicenseRef-CC-BY"),
        ("Attribution-NonCommercial-ShareAlike", "LicenseRef-CC-BY-NC-SA"),
        ("Attribution-Noncommercia-Share Alike 2.5 Mexico", "CC-BY-NC-SA-2.5"),
        ("Attribution-Noncommercial-Share Alike 2.5 UK: Scotland", "CC-BY-NC-SA-2.5"),
        ("Attribution-Noncommercial-NoDerivatives 2.1 Japan", "LicenseRef-CC-BY-NC-ND-2.1"),
        ("Attribution-Share Alike 2.1 Japan", "CC-BY-SA-2.1-JP"),
        ("Noncommercial Sampling Plus", "LicenseRef-CC-NC-Sampling-Plus-1.0"),
        ("Music Sharing", "LicenseRef-CC-BY-NC-ND"),
        ("FMA Sound Recording Common Law", "LicenseRef-FMA-sound-recording-common-law"),
        ("No Rights Reserved", "CC0-1.0"),
        ("CC BY-SA 4.0", "CC-BY-SA-4.0"),
        ("CopyrightPlus", UNKNOWN),
        ("CC0 1.0 Universal", "CC0-1.0"),
        ("Public Domain Mark 1.0", "CC-PDM-1.0"),
        ("Free Art License", "LAL-1.3"),
        ("Sampling Plus 1.0", "LicenseRef-CC-Sampling-Plus-1.0"),
        ("Orphan Work", "LicenseRef-orphan-work"),
        ("FMA-Limited: Download Only", "LicenseRef-FMA-download-only"),
        ("GNU General Public License v2.0 or later", "GPL-2.0-or-later"),
        ("GNU Lesser General Public License v3.0", "LGPL-3.0-only"),
        ("MIT License", "MIT"),
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("", UNKNOWN),
        (None, UNKNOWN),
        ("All rights reserved", UNKNOWN),
    ],
)  # fmt: skip
def test_known_spellings(written: str | None, expected: str) -> None:
    assert spdx(written) == expected


@given(st.text(max_size=80))
def test_anything_gives_something(written: str) -> None:
    assert spdx(written)
    assert spdx(spdx(written)) == spdx(written)
