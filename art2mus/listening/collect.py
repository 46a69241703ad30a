"""Reading answers: JSON files, folders of them and a collector's SQLite; the rest with reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from art2mus.listening.answers import AnswersError, read_answers
from art2mus.listening.documents import Answers, Key
from art2mus.listening.serve import LIMIT
from art2mus.listening.store import MAGIC, stored
from artsound.errors import UsageError

_JSON: Final = ".json"


@dataclass(frozen=True)
class Rejected:
    """Answers that are not counted.

    Attributes:
        source: their file, and the row where it has several.
        rater: whose they are, where that can be told.
        reason: why.
    """

    source: str
    rater: str
    reason: str


@dataclass(frozen=True)
class Collected:
    """What was read.

    Attributes:
        answers: what counts, by the raters' codes in order.
        rejected: what does not, in the order it was read.
    """

    answers: tuple[Answers, ...]
    rejected: tuple[Rejected, ...]


def collect(key: Key, sources: Sequence[Path]) -> Collected:
    """Read listeners' answers; the first of a rater counts, and only whole ones do.

    Args:
        key: the test's.
        sources: JSON files, folders of JSON files, and SQLite files of the collector.

    Raises:
        UsageError: a source is not there, or is a database without answers.
    """
    kept: dict[str, tuple[Answers, str]] = {}
    rejected = []
    layout = key.layout
    for source, data in _documents(sources):
        try:
            answers = read_answers(_bounded(data), key.test, layout)
            if (before := kept.get(answers.rater)) is not None:
                same = "the same as" if before[0].canonical() == answers.canonical() else "unlike"
                raise AnswersError(f"duplicate: {same} in {before[1]}", answers.rater)
        except AnswersError as error:
            rejected.append(Rejected(source, error.rater, str(error)))
        else:
            kept[answers.rater] = answers, source
    return Collected(tuple(kept[rater][0] for rater in sorted(kept)), tuple(rejected))


def _documents(sources: Sequence[Path]) -> Iterator[tuple[str, bytes | str]]:
    """Yield what is to be read, and where it is from."""
    for path in sources:
        if path.is_dir():
            files = sorted(found for found in path.iterdir() if _is_json(found))
            if not files:
                raise UsageError(f"{path} has no {_JSON} files: give the folder of the downloads")
        else:
            files = [path]
        for file in files:
            yield from _file(file)


def _file(path: Path) -> Iterator[tuple[str, bytes | str]]:
    try:
        with path.open("rb") as stream:
            data = stream.read(LIMIT + 1)
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}: give JSON or SQLite files of answers"
        ) from error
    if data.startswith(MAGIC):
        for number, body in enumerate(stored(path), 1):
            yield f"{path} row {number}", body
    else:
        yield str(path), data


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == _JSON and path.is_file()


def _bounded(data: bytes | str) -> bytes | str:
    if isinstance(data, bytes) and not data.lstrip().startswith(b"{"):
        raise AnswersError("malformed: neither the JSON of answers nor SQLite")
    if len(data) > LIMIT:
        raise AnswersError(f"malformed: more than {LIMIT} bytes")
    return data
