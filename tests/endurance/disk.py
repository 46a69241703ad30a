"""Disks that fill up, folders that cannot be written, parts that change, two builds at once.

Usage: python -m tests.endurance.disk [--out FILE]       (as root: it mounts small file systems)
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from artsound.sources.sample import write_sample
from tests.endurance.ledger import Ledger

_SMALL = "96k"  # less than the tables of the checks and their logs
_ENOUGH = "64m"


@dataclass(frozen=True)
class Outcome:
    """What one trouble led to.

    Attributes:
        trouble: what was wrong.
        survived: whether all was as it should be.
        said: the command's message.
    """

    trouble: str
    survived: bool
    said: str


class Checks:
    """A build of the sample as far as the tracks.

    Args:
        folder: where the sources are.
    """

    def __init__(self, folder: Path) -> None:
        paths = write_sample(folder / "sources")
        where = ["--artworks", paths.artworks, "--tracks", paths.metadata.parent]
        options = ["--until", "tracks", "--workers", "2", "--quiet"]
        line = [sys.executable, "-m", "artsound.cli", "build", *where, *options, "--out"]
        self._command = [str(part) for part in line]

    def build(self, out: Path) -> tuple[int, str]:
        """Build in a folder; return the exit code and what was said."""
        done = subprocess.run(
            [*self._command, str(out)], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stderr.strip()

    def begin(self, out: Path) -> subprocess.Popen[bytes]:
        """Begin to build in a folder."""
        return subprocess.Popen([*self._command, str(out)], stderr=subprocess.DEVNULL)


def parts(work: Path) -> dict[str, bytes]:
    """Return the bytes of a workspace's parts."""
    return {path.relative_to(work).as_posix(): path.read_bytes() for path in _parts(work)}


def _parts(work: Path) -> list[Path]:
    return sorted((work / "tables").rglob("*.parquet"))


def _one_line(said: str) -> bool:
    return said.startswith("artsound: ") and "\n" not in said


def can_mount() -> bool:
    """Say whether file systems can be mounted here."""
    with tempfile.TemporaryDirectory() as folder:
        line = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
        if os.geteuid() or subprocess.run(line, capture_output=True, check=False).returncode:
            return False
        subprocess.run(["umount", folder], check=True)
    return True


@contextmanager
def _mounted(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def full(checks: Checks, folder: Path, wanted: dict[str, bytes]) -> Outcome:
    """Fill the disk, give more of it, and continue."""
    with _mounted(folder / "small", _SMALL) as small:
        code, said = checks.build(small / "work")
        failed_well = code == 1 and _one_line(said)
        _remount(small, f"size={_ENOUGH}")
        again, _ = checks.build(small / "work")
        left = list(small.rglob(".tmp*"))
        same = parts(small / "work") == wanted
    return Outcome("disk full", failed_well and not again and same and not left, said)


def read_only(checks: Checks, folder: Path, wanted: dict[str, bytes]) -> Outcome:
    """Build where nothing may be written, then where it may."""
    with _mounted(folder / "fixed", _ENOUGH) as fixed:
        _remount(fixed, "ro")
        code, said = checks.build(fixed / "work")
        _remount(fixed, "rw")
        again, _ = checks.build(fixed / "work")
        same = parts(fixed / "work") == wanted
    return Outcome("read-only folder", code == 1 and _one_line(said) and not again and same, said)


def changed(checks: Checks, work: Path, wanted: dict[str, bytes], trouble: str) -> Outcome:
    """Spoil a committed part; the next build makes it again and no other."""
    part = _parts(work)[2]
    data = part.read_bytes()
    if trouble == "part truncated":
        part.write_bytes(data[: len(data) // 2])
    elif trouble == "part altered":
        part.write_bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
    else:
        part.with_suffix(".json").write_bytes(b'{"rows": ')
    others = {path: path.stat().st_mtime_ns for path in _parts(work) if path != part}
    code, said = checks.build(work)
    untouched = all(path.stat().st_mtime_ns == when for path, when in others.items())
    return Outcome(trouble, code == 0 and parts(work) == wanted and untouched, said)


def at_once(checks: Checks, folder: Path, wanted: dict[str, bytes]) -> Outcome:
    """Begin a second build in a workspace that is being built."""
    work = folder / "shared"
    first = checks.begin(work)
    while not (work / "logs").exists() and first.poll() is None:
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)  # lest it ends before the second has begun
    code, said = checks.build(work)
    first.send_signal(signal.SIGCONT)
    ended = first.wait()
    refused = code == 1 and _one_line(said) and "another build is running" in said
    survived = refused and ended == 0 and parts(work) == wanted
    return Outcome("two builds at once", survived, said)


def run(folder: Path, out: Path | None = None) -> list[Outcome]:
    """Meet all troubles that can be made here and that no earlier sitting met.

    Args:
        folder: where.
        out: where a row a trouble is kept; None to keep nothing.
    """
    ledger = Ledger(out, {"script": "disk"})
    checks = Checks(folder)
    code, said = checks.build(folder / "plain")
    if code:
        raise SystemExit(f"the build fails without any trouble: {said}")
    wanted = parts(folder / "plain")
    troubles: dict[str, Callable[[str], Outcome]] = {}
    if can_mount():
        troubles["disk full"] = lambda _: full(checks, folder, wanted)
        troubles["read-only folder"] = lambda _: read_only(checks, folder, wanted)
    for trouble in ("part truncated", "part altered", "marker damaged"):
        troubles[trouble] = lambda name: changed(checks, folder / "plain", wanted, name)
    troubles["two builds at once"] = lambda _: at_once(checks, folder, wanted)
    met = {row["trouble"] for row in ledger}
    for trouble, meet in troubles.items():
        if trouble not in met:
            ledger.append(asdict(meet(trouble)))
    return [Outcome(**row) for row in ledger]


def main() -> None:
    """Print what each trouble led to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, help="keep what is found here, and go on from it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run(Path(folder), given.out)
        for outcome in outcomes:
            said = outcome.said.replace(folder, "...")
            print(f"{outcome.trouble:20} {'survived' if outcome.survived else 'FAILED':9} {said}")
    if len(outcomes) < 6:
        print("not tried, since only root may mount: disk full, read-only folder")
    if not all(outcome.survived for outcome in outcomes):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
