"""What of a validation can be known to fail before anything takes long."""

from __future__ import annotations

from typing import Final

from art2mus.backbone import Backbone
from art2mus.benchmark.metrics.registry import choose
from art2mus.data import Release
from art2mus.sampling.schedulers import make_scheduler, set_steps
from art2mus.training.settings import Validation
from artsound.errors import UsageError

# Families of metrics that compare sets of clips; of one clip they are undefined, or say nothing.
_OF_SETS: Final = ("fad", "kad", "kid", "retrieval")


def check_validation(settings: Validation, release: Release, backbone: Backbone) -> None:
    """Refuse a validation whose music cannot be made, or whose best would always be undefined.

    Args:
        settings: the recipe's.
        release: only the size of its split is looked at.
        backbone: its noise schedule alone is loaded.

    Raises:
        UsageError: the sampler has no so many steps, or the best goes by a metric that needs more
            clips than there will be.
    """
    if settings.split is None or not settings.generate:
        return
    try:
        set_steps(make_scheduler(None, backbone.scheduler), settings.steps, "cpu")
    except UsageError as error:
        raise UsageError(f"validation.steps: {error}") from error
    clips = min(settings.artworks, release.splits[settings.split])
    if settings.best == "loss" or clips > 1:
        return
    if choose([settings.best])[0].metric.name.startswith(_OF_SETS):
        raise UsageError(
            f"validation.best = {settings.best!r} compares sets of clips, and there will be one"
            f" (split {settings.split!r}, validation.artworks = {settings.artworks}): --set"
            " validation.best=loss, or validate on more artworks"
        )
