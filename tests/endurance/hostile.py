"""Builds on hostile files: no crash, no hang, and a row with a reason for each.

The files come in batches, each a build of its own by `artsound build` as far as the tracks; the
artworks are in a zip, a tar and a folder by turns. A decoder that crashes is tried once more in a
new process, so that rows alone do not tell of every crash: the decoders that each worker started
are counted, too, by a hook that Python runs as it starts.

Usage: python -m tests.endurance.hostile [--files 10000] [--batch 500] [--out FILE]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from artsound.schema import REASONS, Reason
from artsound.workspace import Workspace
from tests.endurance.archives import write_fma
from tests.endurance.hostile_files import clips, images
from tests.endurance.hostile_members import FORMS, Entry, Form, entries, write
from tests.endurance.ledger import Ledger

OK: Final = "ok"
# What must become of every file of a kind, in whatever form the archive is.
EXPECTED: Final[Mapping[str, set[str]]] = {
    "zero bytes": {Reason.IMAGE_EMPTY, Reason.AUDIO_EMPTY},
    "member with ..": {Reason.UNSAFE_PATH},
    "absolute member": {Reason.UNSAFE_PATH},
    "symlink member": {Reason.UNSAFE_PATH},
    "hard link member": {Reason.UNSAFE_PATH},
    "device member": {Reason.UNSAFE_PATH},
    "pipe member": {Reason.UNSAFE_PATH},
    "listed under a path": {Reason.UNSAFE_PATH},
    "deep member": {OK},
    "long name": {OK},
    "odd name": {OK},
    "duplicate member": {OK},
    "name not in UTF-8": {Reason.IMAGE_MISSING},
    "listed and not there": {Reason.IMAGE_MISSING},
    "listed twice": {OK, Reason.DUPLICATE_ID},
}
FIRST_TRACK: Final = 1000
_HOOK: Final = """\
import os, sys
if "artsound.sources.decoder" in " ".join(sys.orig_argv):
    with open(os.environ["DECODER_STARTS"], "a") as stream:
        stream.write(f"{os.getppid()} {os.getpid()}\\n")
"""
_PATIENCE_S: Final = 3600.0


@dataclass
class Outcome:
    """What became of the files of one or more batches.

    Attributes:
        kinds: by the kind of trouble, how many files were `ok` or rejected for which reason.
        replaced: decoders that were started since the one before had ended.
        crashed: files rejected since two decoders ended at them.
        hung: files rejected since they took too long.
        wrong: rows without a reason of the vocabulary, or with another than their kind's.
        seconds: how long the builds took.
    """

    kinds: dict[str, dict[str, int]] = field(default_factory=dict)
    replaced: int = 0
    crashed: int = 0
    hung: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def files(self) -> int:
        """How many files there were."""
        return sum(sum(found.values()) for found in self.kinds.values())

    def note(self, kind: str, row: dict[str, Any]) -> None:
        """Take a row in."""
        said = row["reason"] or ""
        reason = said.partition(":")[0]
        self.crashed += "crashed the decoder" in said
        self.hung += "took the decoder" in said
        became = OK if row["status"] == OK else reason
        known = (reason in REASONS) if reason else row["status"] == OK
        if not known or became not in EXPECTED.get(kind, {became}):
            self.wrong.append(f"{kind}: {row['file_name']!r} {row['status']} {said}")
        counts = self.kinds.setdefault(kind, {})
        counts[became] = counts.get(became, 0) + 1

    def add(self, row: dict[str, Any]) -> None:
        """Take in what another outcome's fields say."""
        for kind, counts in row["kinds"].items():
            self.kinds[kind] = dict(Counter(self.kinds.get(kind, {})) + Counter(counts))
        self.replaced += row["replaced"]
        self.crashed += row["crashed"]
        self.hung += row["hung"]
        self.wrong += row["wrong"]
        self.seconds += row["seconds"]


def batch(folder: Path, number: int, files: int) -> Outcome:
    """Build on a batch of about this many files, half of them images.

    Bombs, absurd headers and files of another kind are in the first batch alone, hostile members
    in the first of each form; the others are all damaged in ways of their own.

    Raises:
        SystemExit: the build failed, or did not end.
    """
    form: Form = FORMS[number % len(FORMS)]
    found = list(entries(form)) if number < len(FORMS) else []
    count = files // 2
    for at, (kind, data) in enumerate(images(count, 2 * number, special=not number)):
        path = f"imagesf2/hostile_image-{at}.jpg"
        found.append(Entry(kind, path, data, "file", path.rpartition("/")[2]))
    artworks = write(folder, form, found)
    kinds = [entry.kind for entry in found if entry.listed is not None]
    sounds: list[str] = []
    tracks = write_fma(folder / "fma", _numbered(files - count, number, sounds))
    outcome = Outcome()
    began = time.monotonic()
    work = folder / "work"
    starts = build(folder, artworks, tracks, work)
    outcome.seconds = time.monotonic() - began
    outcome.replaced = starts.total() - len(starts)
    workspace = Workspace(work)
    rows = sorted(workspace.read("artworks").to_pylist(), key=lambda row: row["artgraph_index"])
    for kind, row in zip(kinds, rows, strict=True):
        outcome.note(kind, row)
    for kind, row in zip(sounds, workspace.read("tracks").to_pylist(), strict=True):
        outcome.note(kind, row)
    return outcome


def build(folder: Path, artworks: Path, tracks: Path, work: Path) -> Counter[int]:
    """Build as far as the tracks; return how many decoders each worker process started."""
    hooks, log = folder / "hooks", folder / "decoders"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(_HOOK)
    line = [sys.executable, "-m", "artsound.cli", "build", "--workers", "2", "--quiet"]
    where = ["--artworks", artworks, "--tracks", tracks, "--out", work]
    sets = ["--until", "tracks", "--set", "shard_rows=100"]
    paths = os.pathsep.join([str(hooks), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [*line, *map(str, where), *sets],
        env=os.environ | {"PYTHONPATH": paths, "DECODER_STARTS": str(log)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired as stuck:
        os.killpg(process.pid, signal.SIGKILL)
        raise SystemExit(f"the build did not end within {_PATIENCE_S:.0f} s") from stuck
    if process.returncode:
        raise SystemExit(f"the build failed: {said.decode(errors='replace')}")
    if not log.exists():
        raise SystemExit("no start of a decoder was seen: the count of crashes would mean nothing")
    return Counter(int(start.split()[0]) for start in log.read_text().splitlines())


def _numbered(count: int, number: int, kinds: list[str]) -> Iterator[tuple[int, bytes]]:
    for at, (kind, data) in enumerate(clips(count, 2 * number + 1, special=not number)):
        kinds.append(kind)
        yield FIRST_TRACK + at, data


def run(folder: Path, files: int, size: int = 500, out: Path | None = None) -> Outcome:
    """Build on batches until there were this many files, earlier sittings included.

    Args:
        folder: where.
        files: how many.
        size: of a batch.
        out: where a row a batch is kept; None to keep nothing.
    """
    ledger = Ledger(out, {"script": "hostile", "batch": size})
    total = Outcome()
    for row in ledger:
        total.add(row)
    while total.files < files:
        number = len(ledger.rows)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            found = batch(Path(scratch), number, min(size, files))
        ledger.append(vars(found))
        total.add(vars(found))
    return total


def table(outcome: Outcome) -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"{'kind':24} {'files':>6} {'ok':>6} {'rejected':>8}  commonest reason"
    for kind, counts in outcome.kinds.items():
        rejected = Counter({reason: n for reason, n in counts.items() if reason != OK})
        commonest = rejected.most_common(1)[0][0] if rejected else ""
        good = counts.get(OK, 0)
        yield f"{kind:24} {good + rejected.total():6} {good:6} {rejected.total():8}  {commonest}"
    yield (
        f"{outcome.files} files in {outcome.seconds:.0f} s: {outcome.replaced} decoders replaced,"
        f" {outcome.crashed} files rejected for a crash, {outcome.hung} for their time,"
        f" {len(outcome.wrong)} rows not as they should be"
    )


def main() -> None:
    """Print what became of each kind of trouble."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--out", type=Path, help="keep what is found here, and go on from it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), given.files, given.batch, given.out)
    print("\n".join(table(outcome)))
    if outcome.wrong or outcome.replaced or outcome.crashed or outcome.hung:
        raise SystemExit("\n".join(outcome.wrong))


if __name__ == "__main__":
    main()
