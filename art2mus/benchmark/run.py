"""`art2mus benchmark run`: a model's music for the pairs of a split, written as it comes.

Pairs are taken in batches that depend on the whole split and the batch size alone. A batch of which
something is missing is generated anew as a whole, and only what is missing is written: so a run
that was killed, or that was limited to the first pairs, gives the same files as one that was not,
whatever in a model's arithmetic depends on the rest of the batch. The batch size is a part of what
the music was made with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from art2mus.benchmark.models.base import Task
from art2mus.benchmark.models.registry import Named
from art2mus.benchmark.predictions import describes, read_record, write_prediction
from artsound import __version__
from artsound.atomic import sweep
from artsound.errors import UsageError

if TYPE_CHECKING:
    from art2mus.data import Release

# Called with (what, done, total).
Progress = Callable[[str, int, int], None]

_IDENTITY: Final = ("model", "release", "seconds", "seed", "batch", "settings")
_SEEDS: Final = 2**31


@dataclass(frozen=True)
class RunSettings:
    """What is generated.

    Attributes:
        split: of the release.
        seconds: of each piece.
        seed: of the run.
        limit: only the first so many pairs are written; all if None.
        batch: how many are generated at a time; beyond the limit, too, where a batch is cut by it.
        device: where: `cpu` or `cuda`.
        overwrite: make anew what was made with other settings, instead of refusing.
    """

    split: str = "test"
    seconds: float = 10.0
    seed: int = 0
    limit: int | None = None
    batch: int = 1
    device: str = "cpu"
    overwrite: bool = False

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            UsageError: a setting is out of its range.
        """
        if not 1.0 <= self.seconds <= 600.0:
            raise UsageError(f"seconds = {self.seconds:g}: give 1 to 600")
        if self.batch < 1:
            raise UsageError(f"batch = {self.batch}: give 1 or more")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"limit = {self.limit}: give 1 or more")
        if self.seed < 0:
            raise UsageError(f"seed = {self.seed}: give 0 or more")


@dataclass(frozen=True)
class Ran:
    """What a run did.

    Attributes:
        pair_ids: whose music is there now.
        made: how many pieces it made.
        there: how many were there.
    """

    pair_ids: tuple[str, ...]
    made: int
    there: int


def run(
    named: Named,
    release: Release,
    out: Path,
    settings: RunSettings,
    *,
    cache: Path,
    progress: Progress = lambda what, done, total: None,
) -> Ran:
    """Generate music for the pairs of a split; run again, it makes only what is not there.

    Args:
        named: the model.
        release: the dataset.
        out: the folder of the predictions, made where there is none.
        settings: what is generated.
        cache: where replies of chat models are kept.
        progress: called with what is being done, how much of it is done, and of how much.

    Raises:
        UsageError: something does not fit, or what is there was made with other settings.
        ArtsoundError: the model is not there, or makes what is no music; or the release is none to
            trust.
    """
    settings.check()
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file: predictions are written into a folder")
    release.require(settings.split)
    every = release.pairs(settings.split).column("pair_id")
    ids = every[: settings.limit]
    task = Task(release, settings.split, settings.seconds, settings.seed, settings.device, cache)
    identity = {
        "model": named.name,
        "release": release.fingerprint,
        "seconds": settings.seconds,
        "seed": settings.seed,
        "batch": settings.batch,
        "settings": dict(named.model.open(task)),
    }
    about = dict(named.model.about())
    sweep(out)
    missing = [name for name in ids if not _there(out, name, identity, settings.overwrite)]
    ran = Ran(tuple(ids), len(missing), len(ids) - len(missing))
    if not missing:
        return ran
    named.model.load()
    wanted = set(missing)
    progress("generating", ran.there, len(ids))
    for begin in range(0, len(ids), settings.batch):
        rows = range(begin, min(begin + settings.batch, len(every)))
        names = [every[row] for row in rows]
        if wanted.isdisjoint(names):
            continue
        seeds = [seed_of(settings.seed, name) for name in names]
        items = list(release.media(settings.split, rows))
        made = named.model.generate(items, settings.seconds, seeds)
        for name, seed, sound in zip(names, seeds, made, strict=True):
            if name in wanted:
                known = {**identity, "pair_seed": seed, "about": about, "code": __version__}
                write_prediction(out, name, sound, known)
                wanted.discard(name)
        progress("generating", len(ids) - len(wanted), len(ids))
    return ran


def seed_of(seed: int, pair_id: str) -> int:
    """Return a pair's own seed, from 0 to 2^31 - 1, whichever other pairs are generated."""
    digest = hashlib.sha256(f"{seed} {pair_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % _SEEDS


def _there(out: Path, pair_id: str, identity: Mapping[str, Any], overwrite: bool) -> bool:
    """Say whether a pair's music is there, made as it is asked for now.

    Raises:
        UsageError: it was made otherwise, and is not to be overwritten.
    """
    sound = out / f"{pair_id}.wav"
    other = out / f"{pair_id}.flac"
    if not sound.exists() and not other.exists():
        return False
    record = read_record(out, pair_id)
    difference = "no record of this command is beside it"
    if record is not None and not other.exists():
        difference = different(record, identity)
        if not difference and describes(record, pair_id, sound):
            return True
        difference = difference or "it is not the file that its record tells of"
    if not overwrite:
        raise UsageError(
            f"{sound if sound.exists() else other} was made otherwise ({difference}): give another"
            " --out, or --overwrite"
        )
    return False


def different(record: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """Return the first thing that a record says otherwise; empty where all is equal.

    Args:
        record: of a prediction.
        identity: what a run is told by, or another record.
    """
    for key in _IDENTITY:
        theirs, mine = record.get(key), identity.get(key)
        if isinstance(theirs, Mapping) and isinstance(mine, Mapping):
            for name in [*mine, *theirs]:
                if theirs.get(name) != mine.get(name):
                    return f"{name} {_short(theirs.get(name))}, now {_short(mine.get(name))}"
        elif theirs != mine:
            return f"{key} {_short(theirs)}, now {_short(mine)}"
    return ""


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def seeds_in(records: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the runs' seeds that records tell of."""
    return sorted({int(record["seed"]) for record in records if "seed" in record})
