"""`artsound status` says how to try failed rows again."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from artsound.recipe import Recipe
from artsound.schema import Reason
from artsound.status import hint, status
from artsound.workspace import Workspace


def _with_reasons(root: Path, table: str, reasons: list[str | None]) -> Workspace:
    workspace = Workspace(root)
    recipe = Recipe.read("lite").model_dump(mode="json")
    workspace.describe({"recipe": recipe, "sources": {}, "shards": {"artworks": 1, "tracks": 1}})
    workspace.commit(table, 0, pa.table({"reason": pa.array(reasons, pa.string())}), inputs="")
    return workspace


def test_failed_rows_come_with_the_stage_to_redo(tmp_path: Path) -> None:
    reasons = [None, f"{Reason.CAPTION_FAILED}: out of words", f"{Reason.CAPTION_FAILED}: again"]
    said = hint(status(_with_reasons(tmp_path, "segment_captions", reasons)))
    assert said is not None
    assert "2 in segment_captions" in said
    assert said.endswith("--redo-from segment_captions")


def test_rejected_rows_are_no_failure(tmp_path: Path) -> None:
    assert hint(status(_with_reasons(tmp_path, "artworks", [None, Reason.IMAGE_EMPTY]))) is None
