"""What a workspace does not have yet, in sentences for people."""

from __future__ import annotations

from collections.abc import Sequence

from artsound.status import StageStatus
from artsound.workspace import Workspace


def stages_missing(workspace: Workspace, stages: Sequence[StageStatus]) -> list[str]:
    """Say which stages are not done, and which attempts are not beside their captions."""
    found = []
    for stage in stages:
        if stage.state != "done":
            how = "is built only in part" if stage.state == "partly" else "is not built"
            found.append(f"{stage.table} {how}: run `artsound build` again, it continues.")
    for captions in ("image_captions", "audio_captions"):
        name = captions.replace("captions", "caption_attempts")
        parts = set(workspace.shards(name))
        if not parts.issuperset(workspace.shards(captions)):
            how = "is there only in part" if parts else "is not there"
            found.append(f"{name} {how}: run the build with --redo-from {captions}.")
    return found
