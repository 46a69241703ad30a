"""A release of a few made-up pairs, written in a blink: what the Hub's tests push and load."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from datasets import Audio, Features, Image, Value
from PIL import Image as Pictures

RATE = 16_000
FEATURES = Features(
    {
        "pair_id": Value("string"),
        "image": Image(),
        "audio": Audio(),
        "artwork_caption": Value("string"),
        "music_caption": Value("string"),
        "similarity": Value("float64"),
        "ic_score": Value("float64"),
        "ac_score": Value("float64"),
        "style": Value("string"),
    }
)
_CARD = """---
license: other
configs:
- config_name: default
  default: true
  data_files:
  - split: train
    path: data/train-*.parquet
  - split: test
    path: data/test-*.parquet
- config_name: tracks
  data_files:
  - split: train
    path: tracks/train-*.parquet
---

# ArtSound, a tiny one

{note}
"""


def write_tiny_release(
    folder: Path, *, pairs: int = 8, shards: int = 2, note: str = "Made up.", seconds: float = 1.0
) -> Path:
    """Write a release of `pairs` training rows in so many shards, and one test row."""
    rows = [_row(number, seconds) for number in range(pairs + 1)]
    per = -(-pairs // shards)
    for shard in range(shards):
        name = f"data/train-{shard:05d}-of-{shards:05d}.parquet"
        _write(folder / name, rows[shard * per : min((shard + 1) * per, pairs)], FEATURES)
    _write(folder / "data/test-00000-of-00001.parquet", rows[pairs:], FEATURES)
    tracks = [{"track_id": number, "title": f"Track {number}"} for number in range(pairs)]
    kinds = Features({"track_id": Value("int64"), "title": Value("string")})
    _write(folder / "tracks/train-00000-of-00001.parquet", tracks, kinds)
    (folder / "README.md").write_text(_CARD.format(note=note), "utf-8")
    write_tiny_manifest(folder)
    return folder


def write_tiny_manifest(folder: Path) -> None:
    """Write the manifest of what is in a folder now."""
    files = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }
    manifest = {"format": 1, "artsound": "0.1.0", "rows": {}, "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2), "utf-8")


def samples(number: int, seconds: float = 1.0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return a row's music: a tone and some noise; odd rows are stereo, (samples, channels)."""
    random = np.random.default_rng(number)
    time = np.arange(int(RATE * seconds)) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 220 * (number + 1) * time) + 0.01 * random.normal(
        size=time.size
    )
    quantised = np.round(tone * 32767) / 32768
    mono = quantised.astype(np.float32)
    return np.stack([mono, mono[::-1]], axis=1) if number % 2 else mono


def _row(number: int, seconds: float) -> dict[str, Any]:
    picture, music = io.BytesIO(), io.BytesIO()
    random = np.random.default_rng(number)
    Pictures.fromarray(random.integers(0, 255, (32, 24, 3), np.uint8)).save(picture, "PNG")
    soundfile.write(music, samples(number, seconds), RATE, format="FLAC")
    return {
        "pair_id": f"{number:06d}-tiny",
        "image": {"bytes": picture.getvalue(), "path": f"{number}.png"},
        "audio": {"bytes": music.getvalue(), "path": f"{number}.flac"},
        "artwork_caption": f"A painting, number {number}",
        "music_caption": f"A tone, number {number}",
        "similarity": 0.1 * number,
        "ic_score": 0.1 * number,
        "ac_score": 1 - 0.1 * number,
        "style": "baroque" if number % 2 else "realism",
    }


def _write(path: Path, rows: list[dict[str, Any]], features: Features) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, features.arrow_schema), path)
