"""Whether a node sees the parts that other nodes have made.

A network file system lets a node believe in an old listing of a folder for a while: NFS for up to a
minute by default. Whoever counts the parts of a table there may count too few.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from artsound.errors import ArtsoundError
from artsound.workspace import Workspace

PATIENCE_S: Final = 90.0
_POLL_S: Final = 0.25


def wait_for_parts(
    workspace: Workspace,
    tables: Mapping[str, int],
    shard: int | None = None,
    patience_s: float = PATIENCE_S,
) -> None:
    """Return once this node sees what is there.

    Args:
        workspace: where the tables are.
        tables: how many parts each table has.
        shard: the only part that matters; if None, each table must have its parts and no others.
        patience_s: how long to wait, in seconds.

    Raises:
        ArtsoundError: the node still sees something else; says what.
    """
    until = time.monotonic() + patience_s
    for table, count in tables.items():
        while wrong := _wrong(workspace, table, count, shard):
            if time.monotonic() > until:
                raise ArtsoundError(
                    f"{table}: this node {wrong} after {patience_s:.0f} s: see that all nodes share"
                    f" {workspace.folder(table)}, and run the same command again to continue"
                )
            time.sleep(_POLL_S)


def _wrong(workspace: Workspace, table: str, count: int, shard: int | None) -> str:
    """Return what is wrong with the parts that are seen; nothing if nothing is."""
    seen = set(workspace.shards(table))
    wanted = set(range(count)) if shard is None else {shard}
    if missing := wanted - seen:
        return f"does not see part {min(missing)} of {count}"
    if shard is None and (more := seen - wanted):
        return f"still sees part {min(more)}, of {count} parts from 0 on,"
    return ""
