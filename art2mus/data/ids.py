"""What may be a pair's id: it names files, and a release may come from anywhere.

Predictions, records and validation's music are written as `PAIR_ID.wav`. An id such as
`../../notes` would lead out of their folder, so no such release is read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from artsound.errors import ArtsoundError

_LONGEST: Final = 200  # bytes: a file's name has up to 255, with its suffix and while it is written
# Not hidden, and nothing that ends a path's part or a line of the terminal.
_PLAIN: Final = re.compile(r"(?!\.)[^\x00-\x1f\x7f-\x9f/\\]+")


def checked_id(pair_id: Any, where: str) -> str:
    """Return a pair's id, which names its files.

    Args:
        pair_id: as a release has it.
        where: the release and the split, for the error.

    Raises:
        ArtsoundError: it is empty, leads to another folder, or is longer than 200 bytes.
    """
    plain = isinstance(pair_id, str) and _PLAIN.fullmatch(pair_id) is not None
    if not plain or len(pair_id.encode()) > _LONGEST:
        shown = repr(pair_id) if len(repr(pair_id)) <= 80 else f"{repr(pair_id)[:77]}..."
        raise ArtsoundError(
            f"{where}: pair_id {shown} cannot name a file (files are PAIR_ID.wav): get the release"
            " from where you trust it, or build it again with `artsound release`"
        )
    return str(pair_id)


def check_ids(pair_ids: Sequence[Any], where: str) -> None:
    """Check the ids of a split: each names files of its own.

    Raises:
        ArtsoundError: one cannot name a file, or two pairs share one.
    """
    for pair_id in pair_ids:
        checked_id(pair_id, where)
    if len(set(pair_ids)) < len(pair_ids):
        twice = next(name for name, times in Counter(pair_ids).items() if times > 1)
        raise ArtsoundError(
            f"{where}: two pairs are called {twice}, so their files would be one: build the release"
            " again with `artsound release`"
        )
