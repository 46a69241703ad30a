"""What these tests share: a small release, files of sound, and the command line."""

from __future__ import annotations

import io
import os
import signal
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from artsound.commands import run
from artsound.stopping import SIGNALS
from tests.tiny_release import write_tiny_release

ROOT = Path(__file__).parents[3]
PAIRS = 5
SECONDS = 2.0
_COMMAND = (
    "import sys; from art2mus.benchmark_app import app; from artsound.commands import run;"
    " sys.exit(run(app, 'art2mus benchmark'))"
)


def write_release(folder: Path, pairs: int = PAIRS, seconds: float = SECONDS) -> Path:
    return write_tiny_release(folder, pairs=pairs, shards=1, seconds=seconds)


def pair_id(number: int) -> str:
    return f"{number:06d}-tiny"


def write_tones(folder: Path, pairs: int = PAIRS, *, seconds: float = SECONDS) -> Path:
    """Write a prediction for every training pair: tones of the wrong pitch."""
    folder.mkdir(parents=True)
    for number in range(pairs):
        time = np.arange(int(seconds * 16_000)) / 16_000
        tone = 0.2 * np.sin(2 * np.pi * (330 + 40 * number) * time)
        soundfile.write(folder / f"{pair_id(number)}.wav", tone, 16_000)
    return folder


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", _COMMAND, *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


def benchmark(*arguments: str | Path, cwd: Path) -> Done:
    """Run `art2mus benchmark` in this process: importing torch anew takes seconds each time."""
    from art2mus.benchmark_app import app

    out, err = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    given, path = sys.argv, list(sys.path)
    sys.argv = ["art2mus benchmark", *map(str, arguments)]
    try:
        with chdir(cwd), redirect_stdout(out), redirect_stderr(err):
            try:
                code = run(app, "art2mus benchmark")
            except SystemExit as end:
                code = int(end.code or 0)
    finally:
        sys.argv, sys.path[:] = given, path
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return Done(code, out.getvalue(), err.getvalue())
