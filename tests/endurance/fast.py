"""A whole build that is quick: the paper's recipe with tiny checkpoints and a local chat server.

Every stage runs the real code of its real architecture; the captions are the server's, which
depend on nothing but the request, so that two builds of one source are equal byte for byte.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import tempfile
from pathlib import Path

from artsound.sources.sample import write_sample
from tests.chat_server import ChatServer
from tests.conftest import SampleSources
from tests.models.imagebind import tiny as tiny_imagebind
from tests.models.tiny_bpe import clip_vocabulary, write_vocabulary
from tests.models.tiny_clip import write_clip
from tests.models.tiny_text import write_roberta

SEES, HEARS, MERGES = "llava-1.6-mistral-7b", "qwen2-audio-7b", "qwen3-14b"
SERVED = (
    "llava-hf/llava-v1.6-mistral-7b-hf",
    "Qwen/Qwen2-Audio-7B-Instruct",
    "Qwen/Qwen3-14B",
)


def write_weights(folder: Path) -> Path:
    """Write the tiny checkpoints."""
    write_clip(folder / "clip")
    write_roberta(folder / "roberta")
    (folder / "tokenizer").mkdir(parents=True)
    write_vocabulary(folder / "tokenizer", *clip_vocabulary(), 77)
    tiny_imagebind.write_checkpoint(folder / "imagebind_huge.pth")
    return folder


def settings(weights: Path, url: str, shard_rows: int = 10) -> list[str]:
    """Return the paper recipe's overrides, as `key=value`."""
    bind = dataclasses.asdict(tiny_imagebind.CONFIG)
    given = {
        "clip-score.checkpoint": weights / "clip",
        "bertscore-roberta-large.checkpoint": weights / "roberta",
        "bertscore-roberta-large.options.layer": 2,
        "imagebind.checkpoint": weights / "imagebind_huge.pth",
        "imagebind.companions.tokenizer": weights / "tokenizer",
        **{f"imagebind.options.{name}": value for name, value in bind.items()},
        **{f"{name}.endpoint": url for name in (SEES, HEARS, MERGES)},
    }
    return [
        f"shard_rows={shard_rows}",
        f"segment_captions.captioner={HEARS}",
        "image_captions.pac_scorer=none",
        "image_captions.max_regenerations=1",
        "audio_captions.max_regenerations=1",
        'pairing.strategies=["image_audio"]',
        *(f"models.{key}={value}" for key, value in given.items()),
    ]


def arguments(
    sources: SampleSources, out: Path, overrides: list[str], workers: int = 2
) -> list[str]:
    """Return the words of a build, after `artsound`."""
    where = ["--artworks", sources.artworks, "--tracks", sources.tracks, "--out", out]
    options = ["--recipe", "paper", "--workers", workers, "--quiet"]
    sets = [part for override in overrides for part in ("--set", override)]
    return ["build", *map(str, (*where, *options)), *sets]


def command(sources: SampleSources, out: Path, overrides: list[str], workers: int = 2) -> list[str]:
    """Return the command line of a build."""
    return [sys.executable, "-m", "artsound.cli", *arguments(sources, out, overrides, workers)]


def main() -> None:
    """Build the sample with it, to see how quick it is.

    Usage: python -m tests.endurance.fast [--out FOLDER]
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ChatServer(SERVED) as server:
        paths = write_sample(Path(folder) / "sources")
        sources = SampleSources(paths.artworks, paths.metadata.parent)
        overrides = settings(write_weights(Path(folder) / "weights"), server.url)
        subprocess.run(command(sources, given.out or Path(folder) / "work", overrides), check=True)
        print(f"{len(server.asked)} requests")


if __name__ == "__main__":
    main()
