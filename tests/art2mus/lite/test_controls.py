"""The controls: they see an aligner that has learned, and nothing where there is nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from art2mus.backbone import Backbone
from art2mus.conditioning import PROMPT, PromptEncoder
from art2mus.lite.backbone import train_toy
from art2mus.lite.controls import Held, Losses, _interaction, advantage, measure
from art2mus.lite.prior import PriorSettings
from art2mus.training.objective import Objective
from tests.art2mus.lite.made_up import EMBEDDING, made_up_music

positive = st.floats(0.01, 10, allow_nan=False)


@settings(max_examples=30)
@given(own=st.lists(positive, min_size=2, max_size=20), factor=st.floats(0.5, 2))
def test_an_advantage_is_relative_and_lies_in_its_interval(own: list[float], factor: float) -> None:
    losses = np.array(own)[:, None]
    found = advantage(losses, losses * factor)
    assert found.mean == pytest.approx(factor - 1, abs=1e-9)
    assert found.low == pytest.approx(found.high, abs=1e-9)
    assert found.wins == (len(own) if factor > 1 and (losses * factor > losses).all() else 0)


def test_the_interval_is_seeded_and_widens_with_the_spread() -> None:
    own = np.ones((12, 1))
    control = 1.1 + np.linspace(-1, 1, 12)[:, None]
    wide, again = advantage(own, control), advantage(own, control)
    narrow = advantage(own, 1 + 0.1 * (control - 1))
    assert (wide.low, wide.high) == (again.low, again.high)
    assert wide.low < wide.mean < wide.high
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_a_condition_that_matters_is_seen_and_one_that_does_not_is_not(tmp_path: Path) -> None:
    music = made_up_music()
    folder = train_toy(music, tmp_path / "toy", PriorSettings(steps=1, batch=2, frames=16))
    backbone = Backbone.open(folder)
    text, _ = PromptEncoder(backbone).text([PROMPT])
    objective = Objective(
        unet=backbone.unet,
        language_model=backbone.language_model,
        loa_tokens=backbone.loa_tokens,
        text=text,
        text_mask=None,
        alphas_cumprod=backbone.scheduler.alphas_cumprod,
        scaling_factor=backbone.vae.config.scaling_factor,
    )
    moments = backbone.vae.encode(music.mels[:, None, :64]).latent_dist.parameters
    held = Held(torch.eye(EMBEDDING)[:4], [moments[music.rows == row] for row in range(4)])
    weights = torch.randn(
        EMBEDDING, backbone.hidden_dim, generator=torch.Generator().manual_seed(0)
    )

    def deaf(embeddings: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(embeddings), 2, backbone.hidden_dim)

    def hearing(embeddings: torch.Tensor) -> torch.Tensor:
        return 3 * (embeddings @ weights)[:, None].expand(-1, 2, -1)

    same = measure(objective, deaf, hearing, held, timesteps=(500,))
    # The noise is the same for every artwork, so that a deaf aligner wins and loses nothing.
    np.testing.assert_allclose(same.own, same.shuffled, rtol=1e-6)
    assert not np.allclose(same.own, same.untrained, rtol=1e-6)
    other = measure(objective, hearing, deaf, held, timesteps=(500,))
    assert not np.allclose(other.own, other.shuffled, rtol=1e-6)
    np.testing.assert_allclose(other.untrained, same.own, rtol=1e-6)


@settings(max_examples=30)
@given(st.integers(2, 12), st.integers(0, 1000), st.floats(0, 0.2))
def test_an_artwork_that_suits_all_music_is_no_advantage(
    count: int, seed: int, effect: float
) -> None:
    random = np.random.default_rng(seed)
    music, artworks = random.uniform(1, 9, (count, 1, 2)), random.uniform(-0.1, 0.1, (1, count, 2))
    matrix = music * (1 + artworks)
    np.testing.assert_allclose(_interaction(matrix), 0, atol=1e-12)
    matrix += music * effect * (1 - np.eye(count))[:, :, None]
    assert (_interaction(matrix) >= -1e-12).all()

    noisy = matrix * random.uniform(0.9, 1.1, matrix.shape)
    rows = noisy / noisy.mean(1, keepdims=True)
    diagonal = rows.diagonal().T
    others = (rows.sum(1) - diagonal) / (count - 1)
    np.testing.assert_allclose(_interaction(noisy).mean(0), (others - diagonal).mean(0), atol=1e-12)


def test_losses_of_several_splits_are_averaged_by_pair() -> None:
    def losses(*own: float) -> Losses:
        column = np.array(own)[:, None]
        return Losses(column, 2 * column, 3 * column)

    parts = [losses(1.0, 2.0), losses(5.0), losses(3.0, 6.0), losses(5.0)]
    found = Losses.averaged(parts, [(0, 2), (1,), (1, 2), (0,)])
    np.testing.assert_array_equal(found.own, [[3.0], [4.0], [4.0]])
    np.testing.assert_array_equal(found.shuffled, 2 * found.own)
    np.testing.assert_array_equal(found.untrained, 3 * found.own)
