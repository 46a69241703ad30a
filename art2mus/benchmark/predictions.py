"""A folder of predictions: `{pair_id}.wav` or `.flac`, and a record beside each that we made.

    out/PAIR.wav     float32, as the model gave it: nothing clipped, nothing rounded
    out/PAIR.json    the model, its settings and the seed

A record is written before its sound, so what is there as a sound was made as its record says. The
sounds alone are a folder of predictions too: records are for continuing, and for the results.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from art2mus.benchmark.clips import inspect
from art2mus.benchmark.models.base import Sound
from artsound.atomic import write_atomically
from artsound.errors import ArtsoundError, UsageError

FORMAT: Final = "art2mus-prediction/1"
SUFFIXES: Final = (".wav", ".flac")
# Sound files that somebody may take for predictions.
_OTHERS: Final = (".aac", ".aif", ".aiff", ".m4a", ".mp3", ".ogg", ".opus", ".webm", ".wma")


class PredictionsError(ArtsoundError):
    """Predictions are missing, or cannot be scored.

    Args:
        message: one line.
        problems: all that is wrong, a line each.
    """

    def __init__(self, message: str, problems: Sequence[str]) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Checked:
    """A folder of predictions that was looked through.

    Attributes:
        usable: files to score, by pair_id.
        problems: what is wrong with the folder, a line each; empty where nothing is.
    """

    usable: Mapping[str, Path]
    problems: tuple[str, ...] = field(default=())


def find(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Return a folder's predictions by pair_id, and what is wrong with their names, a line each.

    Raises:
        UsageError: there is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        raise UsageError(f"{folder} {what}: give the folder of the files PAIR_ID.wav")
    found: dict[str, Path] = {}
    problems = []
    for path in sorted(
        folder.iterdir(), key=lambda path: (path.suffix.lower() != ".wav", path.name)
    ):
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix.lower() in _OTHERS:
            problems.append(f"{path.name}: neither WAV nor FLAC; convert it")
        elif path.suffix.lower() in SUFFIXES:
            if path.stem in found:
                problems.append(f"{path.name}: there is {found[path.stem].name} too; remove one")
            else:
                found[path.stem] = path
    if not found and not problems:
        raise UsageError(f"{folder} has no predictions: its files are named PAIR_ID.wav or .flac")
    return found, problems


def check(
    folder: Path,
    pair_ids: Collection[str],
    every: Collection[str],
    *,
    seconds: float | None,
    silence_is_meant: bool = False,
) -> Checked:
    """Decode every prediction of a folder and say all that is wrong at once.

    Args:
        folder: the predictions.
        pair_ids: the pairs that must have one.
        every: all pairs of the split.
        seconds: how much of each is heard; None for all.
        silence_is_meant: whether silent ones are no fault, as the control's are none.

    Raises:
        UsageError: there is no such folder, or nothing in it.
    """
    found, problems = find(folder)
    seen = inspect(found, list(pair_ids), seconds)
    known, wanted = set(every), set(pair_ids)
    problems += [f"{name}: no prediction" for name in seen.missing]
    problems += [
        f"{found[name].name}: no such pair in the split" for name in seen.extra if name not in known
    ]
    problems += [
        reason.replace(f"{found[name]}", found[name].name, 1)
        for name, reason in seen.unusable.items()
    ]
    if not silence_is_meant:
        problems += [f"{found[name].name}: silent" for name in seen.silent]
    usable = {
        name: path for name, path in found.items() if name in wanted and name not in seen.unusable
    }
    return Checked(usable, tuple(problems))


def encode(sound: Sound) -> bytes:
    """Return a WAV file of 32-bit floats; the same samples give the same bytes."""
    # libsndfile would put the time of day into such a file.
    from scipy.io import wavfile

    buffer = io.BytesIO()
    wavfile.write(buffer, sound.sample_rate, sound.samples.T)
    return buffer.getvalue()


def write_prediction(
    folder: Path, pair_id: str, sound: Sound, made_with: Mapping[str, Any]
) -> None:
    """Write a sound and its record.

    Args:
        folder: where to.
        pair_id: whose it is.
        sound: what the model made.
        made_with: the model, its settings and its seed.
    """
    data = encode(sound)
    path = folder / f"{pair_id}.wav"
    # What the record no longer describes goes first.
    path.unlink(missing_ok=True)
    record = {
        "format": FORMAT,
        "pair_id": pair_id,
        **made_with,
        "sample_rate": sound.sample_rate,
        "channels": sound.samples.shape[0],
        "samples": sound.samples.shape[1],
        "audio_sha256": hashlib.sha256(data).hexdigest(),
        **({"notes": dict(sound.notes)} if sound.notes else {}),
    }
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    write_atomically(folder / f"{pair_id}.json", text.encode())
    write_atomically(path, data)


def read_record(folder: Path, pair_id: str) -> dict[str, Any] | None:
    """Return the record of a pair; None where there is none that this program wrote."""
    try:
        content = json.loads((folder / f"{pair_id}.json").read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        return None
    known = isinstance(content, dict) and content.get("format") == FORMAT
    return content if known else None
