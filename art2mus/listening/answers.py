"""Reading a listener's answers: whole and of the right test, or refused with a reason."""

from __future__ import annotations

from pydantic import ValidationError

from art2mus.listening.documents import Answers, Layout, first_error
from art2mus.listening.questions import QUESTIONS
from artsound.errors import ArtsoundError


class AnswersError(ArtsoundError):
    """Answers cannot be counted.

    Args:
        reason: why, for people.
        rater: whose they are, where that can be told.
    """

    def __init__(self, reason: str, rater: str = "") -> None:
        super().__init__(reason)
        self.rater = rater


def read_answers(data: bytes | str, test: str, layout: Layout) -> Answers:
    """Read a listener's answers and check them whole.

    Args:
        data: JSON.
        test: the id of the test they have to be of.
        layout: its artworks and tracks.

    Raises:
        AnswersError: they are malformed, of another test, or partial.
    """
    try:
        read = Answers.model_validate_json(data)
    except ValidationError as error:
        raise AnswersError(f"malformed: {first_error(error)}") from error
    if read.test != test:
        raise AnswersError(f"foreign: of test {read.test}, not of {test}", read.rater)
    try:
        _check(read, layout)
    except AnswersError as error:
        raise AnswersError(str(error), read.rater) from error
    return read


def _check(read: Answers, layout: Layout) -> None:
    artworks = [item.artwork for item in read.answers]
    if strange := set(artworks) - layout.keys():
        raise AnswersError(f"malformed: the test has no artwork {min(strange)}")
    if len(set(artworks)) < len(artworks):
        raise AnswersError("malformed: an artwork stands there twice")
    for item in read.answers:
        tracks = [track.track for track in item.tracks]
        known = layout[item.artwork]
        if set(tracks) - known or len(set(tracks)) < len(tracks):
            raise AnswersError(f"malformed: other tracks than those of artwork {item.artwork}")
        if item.preferred is not None and item.preferred not in known:
            raise AnswersError(f"malformed: artwork {item.artwork} has no track {item.preferred}")
    whole = sum(
        item.preferred is not None
        and {track.track for track in item.tracks} == layout[item.artwork]
        and all(
            track.scores.get(question.id) is not None
            for track in item.tracks
            for question in QUESTIONS
        )
        for item in read.answers
    )
    if whole < len(layout):
        raise AnswersError(f"partial: {whole} of {len(layout)} artworks are answered whole")
