"""Where artworks do say what their music is, the controls show it on artworks never seen."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from art2mus.lite.controls import Losses, advantage
from art2mus.lite.cross_validation import FoldSettings, cross_validate, folds
from art2mus.lite.prior import PriorSettings
from art2mus.training.settings import StandIns
from artsound.errors import UsageError
from tests.art2mus.lite.made_up import EMBEDDING, made_up_music


def test_folds_are_a_partition_and_the_same_for_the_same_seed() -> None:
    parts = folds(11, 3, seed=1)
    assert sorted(pair for part in parts for pair in part) == list(range(11))
    assert parts == folds(11, 3, seed=1)
    assert parts != folds(11, 3, seed=2)
    assert {len(part) for part in parts} == {3, 4}
    with pytest.raises(UsageError, match="4 folds of 7 pairs: take 2 to 3"):
        folds(7, 4, seed=0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_aligner_beats_both_controls_on_held_out_artworks(tmp_path: Path) -> None:
    music = made_up_music(tracks=8, clips=1)
    # The artworks' space is another than the music's: the aligner has to find its way.
    generator = torch.Generator().manual_seed(3)
    kinds = torch.randn(2, EMBEDDING, generator=generator)
    images = kinds[torch.arange(8) % 2] + 0.3 * torch.randn(8, EMBEDDING, generator=generator)
    settings = FoldSettings(
        folds=2,
        prior=PriorSettings(steps=150, batch=8, frames=16),
        tokens=4,
        steps=60,
        batch=8,
        frames=16,
        held_frames=16,
        learning_rate=1e-3,
        ema_decay=0.9,
        embedding_noise=0.0,
        stand_ins=StandIns(),
    )
    found = list(
        cross_validate(music, torch.nn.functional.normalize(images, dim=1), tmp_path, settings)
    )
    losses = Losses.averaged([fold.losses for fold in found], [fold.held for fold in found])
    assert len(losses.own) == 8
    for control in (losses.shuffled, losses.untrained):
        shown = advantage(losses.own, control)
        assert shown.low > 0, shown
    # The priors are kept: a second look trains only the aligners, and finds the same.
    again = next(cross_validate(music, images, tmp_path, settings))
    assert again.held == found[0].held
