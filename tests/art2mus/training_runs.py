"""What whole trainings are tested on: a tiny release, a tiny backbone, and the command itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from art2mus.training.settings import TrainSettings
from tests.art2mus.tiny_backbone import write_tiny_backbone
from tests.tiny_release import write_tiny_release

# The command line as `art2mus` composes it, with these commands alone: quick to start.
_COMMAND = """
import sys, typer
from art2mus.train_app import register
from artsound.commands import run
app = typer.Typer(pretty_exceptions_enable=False)
register(app)
sys.exit(run(app, "art2mus"))
"""
PAIRS = 8


@dataclass(frozen=True)
class Ground:
    """Where trainings are run."""

    release: Path | str
    backbone: Path
    cache: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path) -> Ground:
        """Write the release, of 8 training rows and one test row, and the backbone."""
        return cls(
            write_tiny_release(folder / "release", pairs=PAIRS),
            write_tiny_backbone(folder / "backbone"),
            folder / "cache",
        )

    def overrides(self, *more: str) -> list[str]:
        """Return the settings of a training of 2 rows a step, 4 steps an epoch and 2 epochs."""
        return [
            f"backbone={self.backbone}",
            "aligner.tokens=2",
            "batch.size=2",
            "batch.per_process=1",
            "schedule.epochs=2",
            "schedule.warmup_steps=2",
            "validation.split=test",
            "validation.every_epochs=1",
            "validation.timesteps=2",
            "validation.generate=false",
            *more,
        ]

    def settings(self, *more: str) -> TrainSettings:
        """Return the same, read."""
        return TrainSettings.read("lite", self.overrides(*more))

    def command(
        self, out: Path, *more: str, processes: int = 1, options: tuple[str, ...] = ()
    ) -> subprocess.Popen[str]:
        """Start `art2mus train` in processes of its own."""
        sets = [part for one in self.overrides(*more) for part in ("--set", one)]
        arguments = ["train", str(self.release), "--out", str(out), "--recipe", "lite", *sets]
        arguments += ["--cache", str(self.cache), *options]
        script = self.cache.parent / "command.py"
        script.write_text(_COMMAND)
        start = [str(script)]
        if processes > 1:
            start = ["-m", "torch.distributed.run", "--standalone"]
            start += [f"--nproc-per-node={processes}", str(script)]
        return subprocess.Popen(
            [sys.executable, *start, *arguments],
            env={
                **(self.environment or os.environ),
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": str(Path.cwd()),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, out: Path, *more: str, processes: int = 1, options: tuple[str, ...] = ()) -> str:
        """Run `art2mus train` to its end and return what it said."""
        started = self.command(out, *more, processes=processes, options=options)
        said: str = started.communicate(timeout=280)[0]
        assert started.returncode == 0, said
        return said


def kill_after(started: subprocess.Popen[str], out: Path, steps: int) -> None:
    """Kill a training, with SIGKILL, once its log tells of a step."""
    log = out / "training" / "log.jsonl"
    until = time.monotonic() + 240
    while time.monotonic() < until:
        if started.poll() is not None:
            raise AssertionError(f"it ended before it was killed: {started.communicate()[0]}")
        if steps_in(log) >= steps:
            started.send_signal(signal.SIGKILL)
            started.wait()
            return
        time.sleep(0.02)
    started.kill()
    raise AssertionError(f"no step {steps} in time: {started.communicate()[0]}")


def steps_in(log: Path) -> int:
    """Return the last step that a log tells of."""
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    whole = [json.loads(line) for line in lines if line.endswith("\n")]
    return max((entry["step"] for entry in whole), default=0)


def entries(out: Path) -> list[dict[str, Any]]:
    """Return a training's log."""
    return [json.loads(line) for line in (out / "training/log.jsonl").read_text().splitlines()]


def weights(folder: Path) -> bytes:
    """Return the bytes of a checkpoint's weights."""
    return (folder / "aligner/diffusion_pytorch_model.safetensors").read_bytes()
