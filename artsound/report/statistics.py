"""All tables of the report, in the order of the paper and then beyond it."""

from __future__ import annotations

from artsound.report.caption_tables import caption_tables
from artsound.report.coverage_tables import coverage_tables
from artsound.report.curves import Curve
from artsound.report.data import Data
from artsound.report.duplicate_tables import duplicate_tables
from artsound.report.pair_tables import pair_tables
from artsound.report.progress import Say
from artsound.table import Table


def report_tables(data: Data, found: list[Curve], say: Say = lambda what: None) -> list[Table]:
    """Return the tables that a workspace or a release can give.

    Args:
        data: the workspace or the release.
        found: the similarities by order of pairing.
        say: told what takes seconds, before it does.

    Raises:
        ArtsoundError: a file of the workspace is not what its stage wrote.
    """
    return [
        *caption_tables(data),
        *pair_tables(data, found, say),
        *duplicate_tables(data, say),
        *coverage_tables(data),
    ]
