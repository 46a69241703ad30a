"""LP-MusicCaps as the role that captions music segments in a build."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from artsound.errors import UsageError
from artsound.models.base import SegmentRequest
from artsound.models.lp_musiccaps.mel import SAMPLE_RATE
from artsound.models.lp_musiccaps.model import LPMusicCaps
from artsound.models.setup import Setup


class LPMusicCapsCaptioner:
    """The paper's music captioner (Protocol `SegmentCaptioner`).

    Args:
        model: with its weights and its tokenizer.
    """

    name: str = "lp-musiccaps"
    sample_rate: int = SAMPLE_RATE

    def __init__(self, model: LPMusicCaps) -> None:
        self._model = model

    @classmethod
    def from_recipe(cls, setup: Setup) -> Self:
        """Load it as a recipe wants it; the companion `bart` is the folder of facebook/bart-base.

        Raises:
            UsageError: the recipe's settings do not fit.
            ArtsoundError: weights are missing, damaged, unsafe or another model's.
        """
        if setup.settings.options:
            raise UsageError(f"models.{setup.name}.options: LP-MusicCaps has none, leave them out")
        return cls(
            LPMusicCaps.from_checkpoint(
                setup.checkpoint(),
                bart=setup.checkpoint("bart"),
                device=setup.device(),
                dtype=setup.dtype(),
            )
        )

    def caption(self, requests: Sequence[SegmentRequest]) -> list[str]:
        """Return one caption a request; the prompts are ignored.

        Raises:
            ValueError: a waveform is empty, longer than 10 s, not finite or at another rate.
        """
        for request in requests:
            if request.sample_rate != SAMPLE_RATE:
                raise ValueError(
                    f"segment {request.item_id} is at {request.sample_rate} Hz, not {SAMPLE_RATE}"
                )
        return self._model.caption([request.waveform for request in requests], SAMPLE_RATE)
