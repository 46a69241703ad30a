"""What shapes a sample: checked before anything heavy is imported."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from art2mus.sampling.loudness import FORMATS, AudioFormat
from art2mus.sampling.schedulers import SCHEDULERS
from artsound.errors import UsageError
from artsound.models.settings import is_local

PRECISIONS: Final = ("float32", "bfloat16")
SHORTEST_S: Final = 0.1
LONGEST_S: Final = 600.0  # far beyond what AudioLDM 2 was trained on, and what memory holds


def check_places(checkpoint: str | Path, out: Path) -> None:
    """Refuse a checkpoint that is no folder here and no repository, and a file as the output.

    Raises:
        UsageError: either is the case.
    """
    if is_local(str(checkpoint)) and not Path(checkpoint).expanduser().is_dir():
        raise UsageError(f"no checkpoint {checkpoint}: no such folder")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file: samples are written into a folder")


@dataclass(frozen=True)
class SampleSettings:
    """What shapes a sample, beside its checkpoint, image and seed.

    Attributes:
        steps: passes of the U-Net.
        guidance: scale of classifier-free guidance; 1 or less for none.
        negative_prompt: what to lead away from; the checkpoint's if None.
        duration_s: of the music, `SHORTEST_S` to `LONGEST_S`.
        scheduler: one of `schedulers.SCHEDULERS`.
        precision: what the backbone computes in: `float32` or `bfloat16`.
        format: of the file: `wav` or `flac`, 16 bits.
    """

    steps: int = 200
    guidance: float = 3.5
    negative_prompt: str | None = None
    duration_s: float = 10.0
    scheduler: str = "ddim"
    precision: str = "float32"
    format: AudioFormat = "wav"

    def check(self) -> None:
        """Refuse what cannot be, before anything is loaded.

        Raises:
            UsageError: a setting is out of its range.
        """
        if not 1 <= self.steps <= 999:
            raise UsageError(f"steps = {self.steps}: give 1 to 999")
        if not SHORTEST_S <= self.duration_s <= LONGEST_S:
            raise UsageError(
                f"duration = {self.duration_s}: give {SHORTEST_S:g} to {LONGEST_S:g} seconds"
            )
        if not math.isfinite(self.guidance):
            raise UsageError(f"guidance = {self.guidance}: give a finite number")
        for name, known in (
            ("scheduler", SCHEDULERS),
            ("precision", PRECISIONS),
            ("format", FORMATS),
        ):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} {getattr(self, name)!r}: there is {', '.join(known)}")
