"""A folder of predictions: `{pair_id}.wav` or `.flac`, and a record beside each that we made.

    out/PAIR.wav     float32, as the model gave it: nothing clipped, nothing rounded
    out/PAIR.json    the model, its settings, the seed, the release, and the sound's checksum

A record tells only of the sound whose checksum it has: other music under the same name is not what
it says, whoever put it there. The sounds alone are a folder of predictions too: records are for
continuing, and for the results.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from art2mus.benchmark.clips import ClipError
from art2mus.benchmark.inspection import Inspection, checksum, inspect
from art2mus.benchmark.models.base import Sound
from art2mus.benchmark.store import FeatureStore
from artsound.atomic import write_atomically
from artsound.errors import ArtsoundError, UsageError

FORMAT: Final = "art2mus-prediction/1"
SUFFIXES: Final = (".wav", ".flac")
# Sound files that somebody may take for predictions.
_SILENT: Final = "silence"  # the control, whose silence is no fault
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
        notes: what is worth saying and stops nothing, a line each.
        records: of the predictions, by pair_id: of all of them, or of none.
    """

    usable: Mapping[str, Path]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    records: Mapping[str, dict[str, Any]] = field(default_factory=dict)


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
    store: FeatureStore,
    *,
    seconds: float | None,
    release: str,
) -> Checked:
    """Look through every prediction of a folder and say all that is wrong at once.

    Args:
        folder: the predictions.
        pair_ids: the pairs that must have one.
        every: all pairs of the split.
        store: where what files are like is kept.
        seconds: how much of each is heard; None for all.
        release: the fingerprint of what they were made for.

    Raises:
        UsageError: there is no such folder, or nothing in it.
    """
    found, problems = find(folder)
    seen = inspect(found, list(pair_ids), store, seconds)
    known, wanted = set(every), set(pair_ids)
    usable = {
        name: path for name, path in found.items() if name in wanted and name not in seen.unusable
    }
    records, faults = _records(folder, usable, seen.checksums, release)
    problems += [f"{name}: no prediction" for name in seen.missing]
    problems += [f"{found[name].name}: no such pair in the split" for name in sorted(found)
                 if name not in known]  # fmt: skip
    problems += [
        reason.replace(f"{found[name]}", found[name].name, 1)
        for name, reason in seen.unusable.items()
    ]
    if {record["model"] for record in records.values()} != {_SILENT}:
        problems += [f"{found[name].name}: silent" for name in seen.silent]
    return Checked(usable, (*problems, *faults), _short(found, seen, seconds), records)


def _short(found: Mapping[str, Path], seen: Inspection, seconds: float | None) -> tuple[str, ...]:
    """Return a line on clips that are shorter than what is heard of each; none where none are."""
    if not seen.short or seconds is None:
        return ()
    first = min(seen.short, key=lambda name: (seen.short[name], name))
    least, most = (choose(seen.short.values()) for choose in (min, max))
    return (
        f"{len(seen.short)} of {len(seen.checksums)} clips are shorter than the {seconds:g} s that"
        f" are heard of each ({least:.2f} to {most:.2f} s), such as {found[first].name}: the row is"
        " marked, and stands beside whole clips only with --any-length",
    )


def _records(
    folder: Path, usable: Mapping[str, Path], checksums: Mapping[str, str], release: str
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the records of predictions, and what is wrong with them, a line each.

    What a record says counts only if there is one for each prediction: some of them do not tell
    what the others are.
    """
    records: dict[str, dict[str, Any]] = {}
    without, elsewhere, stale = [], [], []
    for name, path in usable.items():
        record = read_record(folder, name)
        if record is None:
            without.append(path.name)
        elif record.get("pair_id") != name or record.get("audio_sha256") != checksums[name]:
            stale.append(path.name)
        elif record.get("release") != release:
            elsewhere.append(f"{name}.json")
        else:
            records[name] = record
    faults = [
        f"{name}: not the file that {Path(name).stem}.json tells of: remove that record, or"
        " generate it again"
        for name in stale
    ]
    if elsewhere:
        faults.append(
            f"{len(elsewhere)} records are of another release, such as {elsewhere[0]}: score them"
            " on that one, or generate them again for this"
        )
    if without and len(without) < len(usable):
        faults.append(
            f"{len(without)} of {len(usable)} predictions have no record, such as {without[0]}, and"
            " the others have: generate them again, or remove the other records"
        )
    return (records if len(records) == len(usable) else {}), faults


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
    for suffix in SUFFIXES:
        path.with_name(f"{pair_id}{suffix}").unlink(missing_ok=True)
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


def describes(record: Mapping[str, Any], pair_id: str, sound: Path) -> bool:
    """Say whether a record tells of this pair's sound, by its checksum."""
    try:
        return record.get("pair_id") == pair_id and record.get("audio_sha256") == checksum(sound)
    except ClipError:
        return False
