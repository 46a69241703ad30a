"""The pairs stage on small embeddings tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from artsound import schema
from artsound.errors import ArtsoundError, UsageError
from artsound.pairing.strategies import PairsStage
from artsound.recipe import Recipe
from artsound.stage import Build
from artsound.workspace import Workspace

TABLE = "pairs/image_audio"


def _embeddings(key: str, ids: list[Any], model: str = "lite-conse") -> pa.Table:
    rng = np.random.default_rng(len(ids))
    kind = schema.ARTWORKS.field("artwork_id") if key == "artwork_id" else schema.TRACKS.field(key)
    return pa.Table.from_pydict(
        {
            key: ids,
            "vector": list(rng.standard_normal((len(ids), 4)).astype(np.float32)),
            "model": [model] * len(ids),
            "status": ["ok"] * len(ids),
            "reason": [None] * len(ids),
        },
        schema=schema.embeddings(4, kind),
    )


def _build(folder: Path, *settings: str, artworks: int = 6, model: str = "lite-conse") -> Build:
    workspace = Workspace(folder)
    names = [f"artwork-{number}" for number in range(artworks)]
    tables = {
        "image": _embeddings("artwork_id", names, model),
        "audio": _embeddings("track_id", [11, 12, 13, 14, 15]),
    }
    for what, table in tables.items():
        workspace.commit(f"embeddings/lite-conse/{what}", 0, table, inputs="x")
    return Build(Recipe.read("lite", settings), workspace, folder, folder)


def _pairs(build: Build) -> list[dict[str, Any]]:
    table = PairsStage("image_audio", "lite-conse").run(build, 0)[TABLE]
    assert table.schema == schema.PAIRS
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_rows_say_how_they_were_paired(tmp_path: Path) -> None:
    greedy = _pairs(_build(tmp_path))
    assert [row["track_id"] for row in greedy] == [11, 12, 13, 14, 15]
    assert sorted(row["order"] for row in greedy) == [0, 1, 2, 3, 4]
    first = next(row for row in greedy if row["order"] == 0)
    assert (first["artwork_rank"], first["track_rank"]) == (1, 1)
    assert {(row["method"], row["gap"]) for row in greedy} == {("greedy", None)}
    optimal = _pairs(_build(tmp_path, "pairing.method=optimal"))
    assert {(row["method"], row["gap"]) for row in optimal} == {("optimal", 0.0)}
    total = [sum(row["similarity"] for row in rows) for rows in (greedy, optimal)]
    assert total[0] <= total[1]


def test_tracks_without_an_artwork_say_why(tmp_path: Path) -> None:
    few = _pairs(_build(tmp_path / "few", artworks=2))
    left = [row for row in few if row["status"] == "unpaired"]
    assert len(left) == 3
    assert {(row["reason"], row["artwork_id"], row["artwork_rank"]) for row in left} == {
        ("no artwork left", None, None)
    }
    shared = _pairs(_build(tmp_path / "shared", "pairing.max_per_artwork=3", artworks=2))
    assert all(row["status"] == "ok" for row in shared)
    strict = _pairs(_build(tmp_path / "strict", "pairing.min_similarity=0.5"))
    reasons = {row["reason"] for row in strict if row["status"] == "unpaired"}
    assert reasons == {"no artwork left that is similar enough"}


def test_vectors_of_another_model_are_refused(tmp_path: Path) -> None:
    build = _build(tmp_path, model="lite-other")
    message = r"embeddings/lite-conse/image, row artwork-0: embedded by lite-other.*--redo-from"
    with pytest.raises(ArtsoundError, match=message):
        _pairs(build)


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="objective tail-averse is for method optimal"):
        Recipe.read("lite", ["pairing.objective=tail-averse"])
    with pytest.raises(UsageError, match="method nearest knows no limit"):
        Recipe.read("lite", ["pairing.method=nearest", "pairing.max_per_artwork=2"])
    with pytest.raises(UsageError, match="greater than or equal to 1"):
        Recipe.read("lite", ["pairing.max_per_artwork=0"])


def test_reports_progress_through_both_halves(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    build = _build(tmp_path)
    heard = Build(
        build.recipe,
        build.workspace,
        build.artworks,
        build.tracks,
        progress=lambda done, total: seen.append((done, total)),
    )
    _pairs(heard)
    assert seen == [(0, 10), (5, 10), (5, 10), (10, 10)]
