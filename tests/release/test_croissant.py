"""croissant.json, read by MLCommons' own library: is it valid, and does it find the rows?"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import mlcroissant
import pyarrow.parquet as pq
import pytest
from PIL import Image

from artsound.release.croissant import FILE
from artsound.release.tables import DEFAULT, by_config, parts


@pytest.fixture(scope="module")
def described(released: Path) -> Any:
    return mlcroissant.Dataset(jsonld=released / FILE)


def _plain(value: Any) -> Any:
    """Return a record's value as the table has it: texts come as bytes."""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return [_plain(item) for item in value] if isinstance(value, list) else value


def test_it_is_valid(described: Any) -> None:
    issues = described.metadata.ctx.issues
    assert not issues.errors
    # A release holds no times, so that equal tables give equal bytes.
    assert all("datePublished" in warning for warning in issues.warnings)


def test_every_configuration_and_column_is_described(released: Path, described: Any) -> None:
    records = {one.id: one for one in described.metadata.record_sets}
    for config, held in by_config(parts(released)).items():
        fields = [field.id.removeprefix(f"{config}/") for field in records[config].fields]
        assert fields == ["split", *held[0].schema.names]
        assert all(field.description for field in records[config].fields)
    assert len(records) == 2 * len(by_config(parts(released)))


def test_the_rows_are_the_tables_rows(released: Path, described: Any) -> None:
    found = list(described.records(DEFAULT))
    tables = {
        path.name.partition("-")[0]: pq.read_table(path).to_pylist()
        for path in (released / "data").glob("*.parquet")
    }
    splits = Counter(_plain(row["default/split"]) for row in found)
    assert splits == {split: len(rows) for split, rows in tables.items()}
    by_id = {row["pair_id"]: row for rows in tables.values() for row in rows}
    for row in found:
        expected = by_id[_plain(row["default/pair_id"])]
        assert isinstance(row["default/image"], Image.Image)
        assert row["default/audio"] == expected["audio"]["bytes"]
        for name in ("artwork_caption", "music_genres", "similarity", "track_id", "year", "style"):
            assert _plain(row[f"default/{name}"]) == expected[name]


@pytest.mark.parametrize("config", ["artworks", "tracks", "pairs_image_audio", "caption_attempts"])
def test_further_configurations_are_read(released: Path, described: Any, config: str) -> None:
    rows = sum(part.rows for part in by_config(parts(released))[config])
    assert sum(1 for _ in described.records(config)) == rows


def test_licences_and_limits_are_said(released: Path) -> None:
    document = json.loads((released / FILE).read_text("utf-8"))
    assert "https://spdx.org/licenses/CC-BY-SA-3.0.html" in document["license"]
    assert any("LicenseRef-public-domain" in licence for licence in document["license"])
    said = " ".join(document["rai:dataLimitations"])
    assert "lite-conse" in said
    assert "small stand-ins" in said
