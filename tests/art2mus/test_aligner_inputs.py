"""What an aligner is shown: artworks, or music brought to where they lie."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from art2mus.training.aligner_inputs import AlignerInputs, CentredMusic
from art2mus.training.settings import StandIns
from artsound.errors import UsageError

ROWS, SIZE = 40, 24


def _modalities(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return unit embeddings of artworks and of music, which lie apart."""
    generator = torch.Generator().manual_seed(seed)
    artworks = torch.randn(ROWS, SIZE, generator=generator) + 2
    music = torch.randn(ROWS, SIZE, generator=generator) - torch.linspace(0, 3, SIZE)
    return tuple(torch.nn.functional.normalize(one, dim=1) for one in (artworks, music))  # type: ignore[return-value]


def _distances(rows: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = torch.linalg.vector_norm(rows[:, None] - rows, dim=2)
    return found


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), spread=st.floats(0.01, 5))
def test_music_is_centred_where_the_artworks_are_and_keeps_its_shape(
    seed: int, spread: float
) -> None:
    artworks, music = _modalities(seed)
    held = CentredMusic.of(music, artworks, spread)
    brought = torch.stack([held[row] for row in range(ROWS)])
    assert torch.allclose(brought.mean(0), artworks.mean(0), atol=1e-5)
    assert torch.allclose(_distances(brought), spread * _distances(music), atol=1e-4)


def test_means_are_those_of_all_rows_though_few_are_read_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    artworks, music = _modalities(0)
    whole = CentredMusic.of(music, artworks, 1.0).shift
    monkeypatch.setattr("art2mus.training.aligner_inputs._AT_A_TIME", 7)
    assert torch.allclose(CentredMusic.of(music, artworks, 1.0).shift, whole)


def test_a_single_row_of_music_becomes_its_artwork() -> None:
    artworks, music = (one[:1] for one in _modalities(4))
    assert torch.allclose(CentredMusic.of(music, artworks, 0.3)[0], artworks[0], atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_the_examples_shows_music(share: float) -> None:
    artworks, music = _modalities(1)
    inputs = AlignerInputs.of(artworks, music, StandIns(share=share), 0.0)
    count = 0
    for epoch in range(25):
        for row in range(ROWS):
            found = inputs.embedding(row, 3, epoch, row)
            assert torch.equal(found, inputs.embedding(row, 3, epoch, row))
            of_artwork = torch.equal(found, artworks[row])
            assert of_artwork or (inputs.stand_ins and torch.equal(found, inputs.stand_ins[row]))
            count += not of_artwork
    assert count / (25 * ROWS) == pytest.approx(share, abs=0.05)


def test_without_a_share_music_is_not_looked_at() -> None:
    artworks, _ = _modalities(2)
    inputs = AlignerInputs.of(artworks, None, StandIns(), 0.5)
    assert inputs.stand_ins is None
    assert not torch.equal(inputs.embedding(0, 0, 0, 0), artworks[0])
    assert torch.equal(AlignerInputs(artworks).embedding(0, 0, 0, 0), artworks[0])


def test_music_that_is_missing_or_of_other_pairs_is_refused() -> None:
    artworks, music = _modalities(3)
    with pytest.raises(UsageError, match="no embeddings of music"):
        AlignerInputs.of(artworks, None, StandIns(share=0.5), 0.0)
    for other in (music[:-1], music[:, :-1]):
        with pytest.raises(UsageError, match="of the same pairs and of one joint space"):
            AlignerInputs.of(artworks, other, StandIns(share=0.5), 0.0)
