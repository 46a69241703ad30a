"""The whole build of the embedded sample with the lite recipe: nothing lost, everything said."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from artsound.embeddings import EMBEDDED
from artsound.models import registry
from artsound.pipeline import stages
from artsound.recipe import Recipe
from artsound.schema import REASONS
from artsound.status import status
from artsound.workspace import Workspace

RECIPE = Recipe.read("lite")


def _rows(built: Workspace, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = built.read(table).to_pylist()
    return rows


def _ok(built: Workspace, table: str) -> set[Any]:
    return {next(iter(row.values())) for row in _rows(built, table) if row["status"] == "ok"}


def test_every_source_item_is_a_row(built: Workspace) -> None:
    assert len(_rows(built, "artworks")) == 42
    assert len(_rows(built, "tracks")) == 34
    assert len(_ok(built, "artworks")) == 40
    assert len(_ok(built, "tracks")) == 30


def test_every_usable_item_is_captioned(built: Workspace) -> None:
    assert {r["artwork_id"] for r in _rows(built, "image_captions")} == _ok(built, "artworks")
    assert {r["track_id"] for r in _rows(built, "audio_captions")} == _ok(built, "tracks")
    for table in ("image_captions", "audio_captions", "segment_captions"):
        for row in _rows(built, table):
            assert row["status"] == "ok", row
            assert len(row["caption"]) > 40
            assert row["model"].startswith("lite-")


def test_reasons_are_out_of_the_vocabulary(built: Workspace) -> None:
    for table in built.tables():
        if "reason" in built.read(table).column_names:
            for row in _rows(built, table):
                assert (row["status"] == "ok") == (row["reason"] is None)
                assert row["reason"] is None or row["reason"].partition(":")[0] in REASONS


@pytest.mark.parametrize(
    ("table", "key", "score", "section"),
    [
        ("image_caption", "artwork_id", "ic_score", "image_captions"),
        ("audio_caption", "track_id", "ac_score", "audio_captions"),
    ],
)
def test_refinement_does_real_work(
    built: Workspace, table: str, key: str, score: str, section: str
) -> None:
    settings = getattr(RECIPE, section)
    captions = {row[key]: row for row in _rows(built, f"{table}s")}
    attempts: dict[Any, list[dict[str, Any]]] = {}
    for row in _rows(built, f"{table}_attempts"):
        attempts.setdefault(row[key], []).append(row)
    assert set(attempts) == set(captions)
    for item, caption in captions.items():
        tried = attempts[item]
        assert [row["attempt"] for row in tried] == list(range(1, len(tried) + 1))
        assert caption["attempts"] == len(tried) <= settings.max_regenerations + 1
        (kept,) = (row for row in tried if row["kept"])
        assert kept["caption"] == caption["caption"]
        assert caption["accepted"] == (caption[score] >= settings.threshold)
        assert caption[score] == max(row[score] for row in tried)
        for row in tried[:-1]:
            assert row[score] < settings.threshold
        for row in tried[1:]:
            assert "fell short" in row["prompt"]
        assert "fell short" not in tried[0]["prompt"]
    counts = Counter(len(tried) for tried in attempts.values())
    first_failures = sum(counts.values()) - counts[1]
    rescued = sum(len(attempts[i]) > 1 and captions[i]["accepted"] for i in captions)
    assert 0.15 * len(captions) < first_failures < 0.6 * len(captions)
    assert rescued > 0


def test_scores_are_what_their_formulas_say(built: Workspace) -> None:
    for row in _rows(built, "audio_captions"):
        expected = 0.30 * row["rouge1"] + 0.70 * row["bert_score"]
        assert row["ac_score"] == pytest.approx(expected, abs=1e-12)
    for row in _rows(built, "image_captions"):
        assert row["pac_score"] is None
        assert row["ic_score_of"] == "clip"
        assert row["ic_score"] == row["clip_score"]
        assert 0 <= row["clip_score"] <= 1


def test_embeddings_are_unit_vectors_of_every_usable_item(built: Workspace) -> None:
    for what, embedded in EMBEDDED.items():
        rows = _rows(built, f"embeddings/lite-conse/{what}")
        assert {row[embedded.key] for row in rows} == _ok(built, embedded.table)
        vectors = np.array([row["vector"] for row in rows])
        assert vectors.shape[1] == 384
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_every_track_has_its_own_artwork(built: Workspace) -> None:
    pairs = _rows(built, "pairs/image_audio")
    assert {row["track_id"] for row in pairs} == _ok(built, "tracks")
    artworks = [row["artwork_id"] for row in pairs]
    assert len(set(artworks)) == len(artworks) == 30
    in_order = sorted(pairs, key=lambda row: row["order"])
    assert [row["order"] for row in in_order] == list(range(30))
    similarities = [row["similarity"] for row in in_order]
    assert similarities == sorted(similarities, reverse=True)


def test_status_says_that_all_is_done(built: Workspace) -> None:
    found = status(built)
    assert [row.table for row in found] == [stage.table for stage in stages(RECIPE)]
    assert {row.state for row in found} == {"done"}
    tracks = next(row for row in found if row.table == "tracks")
    assert tracks.rows == 34
    assert tracks.failures["audio silent"] == 1


def test_what_made_a_row_is_registered(built: Workspace) -> None:
    roles = {
        "image_captions": "artwork_captioner",
        "segment_captions": "segment_captioner",
        "audio_captions": "fuser",
        "embeddings/lite-conse/image": "embedder",
    }
    for table, role in roles.items():
        for name in {row["model"] for row in _rows(built, table)}:
            assert registry.entry(role, name).source


def test_no_temporary_file_stays(built: Workspace) -> None:
    assert not [path for path in built.root.rglob("*") if path.name.startswith(".tmp")]
