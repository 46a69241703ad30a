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

    def check(self, out: Path) -> None:
        """Refuse what cannot be, before anything is opened.

        Args:
            out: the folder of the predictions.

        Raises:
            UsageError: a setting is out of its range, or the folder is a file.
        """
        if not 1.0 <= self.seconds <= 600.0:
            raise UsageError(f"seconds = {self.seconds:g}: give 1 to 600")
        if self.batch < 1:
            raise UsageError(f"batch = {self.batch}: give 1 or more")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"limit = {self.limit}: give 1 or more")
        if self.seed < 0:
            raise UsageError(f"seed = {self.seed}: give 0 or more")
        if out.exists() and not out.is_dir():
            raise UsageError(f"{out} is a file: predictions are written into a folder")


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


@dataclass(frozen=True)
class Prepared:
    """A run that nothing stands in the way of: all is checked, and no weights are loaded.

    Attributes:
        named: the model.
        release: the dataset.
        out: the folder of the predictions.
        settings: what is generated.
        every: all pairs of the split.
        missing: those of the wanted pairs whose music is not there.
        identity: what the music is made with.
        about: what the model says of itself.
    """

    named: Named
    release: Release
    out: Path
    settings: RunSettings
    every: Sequence[str]
    missing: frozenset[str]
    identity: Mapping[str, Any]
    about: Mapping[str, Any]

    def generate(self, progress: Progress = lambda what, done, total: None) -> Ran:
        """Make what is missing.

        Args:
            progress: called with what is being done, how much of it is done, and of how much.

        Raises:
            ArtsoundError: the model is not there, or makes what is no music; or media of the
                release cannot be read.
        """
        split, batch = self.settings.split, self.settings.batch
        ids = tuple(self.every[: self.settings.limit])
        wanted = set(self.missing)
        ran = Ran(ids, len(wanted), len(ids) - len(wanted))
        if not wanted:
            return ran
        model = self.named.model
        model.load()
        progress("generating", ran.there, len(ids))
        for begin in range(0, len(ids), batch):
            rows = range(begin, min(begin + batch, len(self.every)))
            names = [self.every[row] for row in rows]
            if wanted.isdisjoint(names):
                continue
            seeds = [seed_of(self.settings.seed, name) for name in names]
            items = list(self.release.media(split, rows))
            made = model.generate(items, self.settings.seconds, seeds)
            for name, seed, sound in zip(names, seeds, made, strict=True):
                if name in wanted:
                    known = {"pair_seed": seed, "about": self.about, "code": __version__}
                    write_prediction(self.out, name, sound, {**self.identity, **known})
                    wanted.discard(name)
            progress("generating", len(ids) - len(wanted), len(ids))
        return ran


def prepare(
    named: Named, release: Release, out: Path, settings: RunSettings, *, cache: Path
) -> Prepared:
    """Find out all that can stand in the way of a run without loading weights.

    Args:
        named: the model.
        release: the dataset.
        out: the folder of the predictions, made where there is none.
        settings: what is generated.
        cache: where replies of chat models are kept.

    Raises:
        UsageError: something does not fit, or what is there was made with other settings.
        ArtsoundError: the model is not there, or the release is none to trust.
    """
    settings.check(out)
    release.require(settings.split)
    every = release.pairs(settings.split).column("pair_id")
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
    missing = frozenset(
        name
        for name in every[: settings.limit]
        if not _there(out, name, identity, settings.overwrite)
    )
    return Prepared(named, release, out, settings, every, missing, identity, about)


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

    Arguments and errors are those of `prepare` and of `Prepared.generate`.
    """
    return prepare(named, release, out, settings, cache=cache).generate(progress)


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
