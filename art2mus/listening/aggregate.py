"""From answers to numbers: per-person means, their intervals, preferences, agreement, the check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from art2mus.benchmark.bootstrap import Floats, Interval
from art2mus.listening.documents import Answers, Key
from art2mus.listening.questions import HIGHEST, LOWEST, QUESTIONS
from artsound.errors import MissingDependency

_SOUND: Final = 0  # the question that the anchor is checked by: audio quality
_PLACES: Final = range(len(QUESTIONS))
_WIDTH: Final = float(HIGHEST - LOWEST)
_UPPER: Final = 0.975
_ALIKE: Final = 1e-9  # means of whole numbers differ by more, or by rounding only


@dataclass(frozen=True)
class Mean:
    """A mean over raters.

    Attributes:
        value: of the raters' own means.
        interval: its 95 % interval over raters; None for a single one, or where all of them have
            the same mean, which leaves no spread to go by.
    """

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class Ratings:
    """The answers of all raters, ordered.

    Attributes:
        raters: their codes, R of them.
        models: their names, M of them, the anchor's last.
        anchor: the anchor's place among the models; None for a test without.
        scores: 1 to 5, shape (R, artworks, M, questions).
        preferred: the place of the model that was preferred, shape (R, artworks).
    """

    raters: tuple[str, ...]
    models: tuple[str, ...]
    anchor: int | None
    scores: Floats
    preferred: NDArray[np.int64]

    @classmethod
    def of(cls, key: Key, answers: Sequence[Answers]) -> Ratings:
        """Bring answers, which were checked against the key, into order by the key."""
        places = {name: place for place, name in enumerate(key.models)}
        artworks = {artwork: row for row, artwork in enumerate(key.items)}
        shape = (len(answers), len(artworks))
        scores = np.full((*shape, len(places), len(QUESTIONS)), np.nan)
        preferred = np.full(shape, -1, np.int64)
        for rater, one in enumerate(answers):
            for item in one.answers:
                row, whose = artworks[item.artwork], key.items[item.artwork].tracks
                for track in item.tracks:
                    given = [track.scores[question.id] for question in QUESTIONS]
                    scores[rater, row, places[whose[track.track]]] = given
                if item.preferred is not None:
                    preferred[rater, row] = places[whose[item.preferred]]
        anchor = None if key.anchor is None else places[key.anchor]
        codes = tuple(one.rater for one in answers)
        return cls(codes, tuple(key.models), anchor, scores, preferred)

    def without(self, raters: Sequence[str]) -> Ratings:
        """Return the ratings of the other raters."""
        keep = [place for place, rater in enumerate(self.raters) if rater not in raters]
        return Ratings(
            tuple(self.raters[place] for place in keep),
            self.models,
            self.anchor,
            self.scores[keep],
            self.preferred[keep],
        )

    @cached_property
    def person_means(self) -> Floats:
        """Each rater's mean over the artworks, shape (R, M, questions)."""
        means: Floats = self.scores.mean(axis=1)
        return means

    @cached_property
    def person_shares(self) -> Floats:
        """The share of the artworks for which each rater preferred a model, shape (R, M)."""
        chosen = self.preferred[:, :, None] == np.arange(len(self.models))
        shares: Floats = chosen.mean(axis=1)
        return shares

    def flagged(self) -> list[str]:
        """Return the raters to whom the ground truth sounds worse than the models do, on average.

        By audio quality (Q1) only: whether the music fits its artwork is a matter of the dataset's
        pairing too, and a listener may well prefer another's.
        """
        if self.anchor is None or len(self.models) < 2:
            return []
        sound = self.person_means[:, :, _SOUND]
        others = np.delete(sound, self.anchor, axis=1).mean(axis=1)
        low = sound[:, self.anchor] < others
        return [rater for rater, is_low in zip(self.raters, low, strict=True) if is_low]

    def means(self) -> list[list[Mean]]:
        """Return table 9: per-person means averaged, a list of four a model.

        Source: the caption of table 9 of the paper.
        """
        return [
            [_mean(self.person_means[:, model, place], LOWEST, HIGHEST) for place in _PLACES]
            for model in range(len(self.models))
        ]

    def shares(self) -> list[Mean]:
        """Return how often each model was preferred, from 0 to 1, averaged over raters."""
        return [_mean(self.person_shares[:, model], 0, 1) for model in range(len(self.models))]

    def differences(self) -> list[tuple[str, str, list[Mean]]]:
        """Return for each two models the first's mean minus the second's, paired by rater."""
        found = []
        for first, one in enumerate(self.models):
            for second in range(first + 1, len(self.models)):
                other = self.models[second]
                less = self.person_means[:, first] - self.person_means[:, second]
                less = less.round(12) + 0.0  # no -0.0000 out of a last bit
                means = [_mean(less[:, place], -_WIDTH, _WIDTH) for place in _PLACES]
                found.append((one, other, means))
        return found

    def agreement(self, *, with_anchor: bool) -> list[float | None]:
        """Return Krippendorff's alpha of each question, ordinal, over the tracks as units.

        Source: K. Krippendorff, "Content Analysis", chapter 11; computed by `krippendorff`. 1 is
        full agreement, 0 is what chance gives; None where there is one rater, or one value only.

        Args:
            with_anchor: count the ground truth's tracks, on which agreement is easy.

        Raises:
            MissingDependency: the package is not installed.
        """
        scores = self.scores
        if self.anchor is not None and not with_anchor:
            scores = np.delete(scores, self.anchor, axis=2)
        return [_alpha(scores[..., place].reshape(len(self.raters), -1)) for place in _PLACES]

    def preference_agreement(self) -> float | None:
        """Return Krippendorff's alpha of the preferred tracks, nominal, over the artworks."""
        domain = list(range(len(self.models)))
        return _alpha(self.preferred.astype(np.float64), "nominal", domain)


def _mean(values: Floats, lowest: float, highest: float) -> Mean:
    """Return the mean over raters with Student's 95 % interval, kept within the scale.

    Raters are few. A percentile bootstrap makes of two an interval from one to the other, and so
    calls every second difference of equal models real; Student's t (1908) does so in one of twenty
    cases at most, from two raters on.

    Args:
        values: one of each rater, shape (R,).
        lowest: of the scale.
        highest: of the scale.
    """
    mean, raters = float(values.mean()), len(values)
    if raters < 2 or np.ptp(values) < _ALIKE:
        return Mean(mean, None)
    error = float(values.std(ddof=1)) / raters**0.5
    half = float(stdtrit(raters - 1, _UPPER)) * error
    return Mean(mean, (max(float(lowest), mean - half), min(float(highest), mean + half)))


def _alpha(
    data: Floats,
    level: Literal["nominal", "ordinal"] = "ordinal",
    domain: Sequence[int] = range(LOWEST, HIGHEST + 1),
) -> float | None:
    """Return alpha of (raters, units)."""
    try:
        import krippendorff
    except ImportError as error:
        raise MissingDependency("rater agreement", "pip install krippendorff") from error

    if len(data) < 2 or not data.size or len(np.unique(data)) < 2:
        return None
    return float(
        krippendorff.alpha(
            reliability_data=data, value_domain=list(domain), level_of_measurement=level
        )
    )
