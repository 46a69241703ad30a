"""ImageAligner: sizes, settings, saving, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from art2mus.aligner import ImageAligner, check_embeddings
from artsound.errors import ArtsoundError, UsageError


@settings(max_examples=30)
@given(
    embedding_dim=st.integers(1, 40),
    tokens=st.integers(1, 20),
    boundary=st.booleans(),
    hidden=st.one_of(st.none(), st.integers(1, 9)),
    batch=st.integers(0, 4),
)
def test_gives_as_many_tokens_as_it_says(
    embedding_dim: int, tokens: int, boundary: bool, hidden: int | None, batch: int
) -> None:
    aligner = ImageAligner(
        embedding_dim,
        tokens,
        6,
        staging_dim=20,
        boundary_tokens=boundary,
        projection_hidden=hidden,
    )
    out = aligner(torch.randn(batch, embedding_dim))
    assert out.shape == (batch, tokens + 2 * boundary, 6)
    assert aligner.sequence_length == tokens + 2 * boundary
    if boundary and batch:
        assert torch.equal(out[:, 0], torch.ones(batch, 6))
        assert torch.equal(out[:, -1], torch.ones(batch, 6))


def test_is_the_papers_two_layers() -> None:
    aligner = ImageAligner(512, 6)
    assert {name: tuple(held.shape) for name, held in aligner.named_parameters()} == {
        "upscaler.weight": (1024, 512),
        "upscaler.bias": (1024,),
        "projection.weight": (6 * 768, 1024),
        "projection.bias": (6 * 768,),
        "start": (768,),
        "end": (768,),
    }
    embeddings = torch.randn(2, 512)
    with torch.no_grad():
        staged = embeddings @ aligner.upscaler.weight.T + aligner.upscaler.bias
        flat = staged @ aligner.projection.weight.T + aligner.projection.bias
        assert torch.allclose(aligner(embeddings)[:, 1:-1].flatten(1), flat, atol=1e-5)


def test_has_no_upscaler_for_imagebind() -> None:
    aligner = ImageAligner(1024, 16, boundary_tokens=False)
    assert [name for name, _ in aligner.named_parameters()] == [
        "projection.weight",
        "projection.bias",
    ]


def test_every_parameter_gets_a_gradient() -> None:
    for embedding_dim in (20, 8):
        aligner = ImageAligner(embedding_dim, 3, 6, staging_dim=20)
        aligner(torch.randn(2, embedding_dim)).square().sum().backward()
        assert all(held.grad is not None for held in aligner.parameters())


def test_is_saved_and_read_as_diffusers_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    aligner = ImageAligner(8, 3, 6, staging_dim=10, projection_hidden=5)
    aligner.save_pretrained(tmp_path)
    assert not list(tmp_path.glob("*.bin"))
    again = ImageAligner.from_pretrained(tmp_path)
    embeddings = torch.randn(2, 8)
    assert torch.equal(again(embeddings), aligner(embeddings))
    assert again.settings == aligner.settings


@pytest.mark.parametrize(
    ("name", "value"),
    [("tokens", 0), ("tokens", -4), ("embedding_dim", 0), ("hidden_dim", 0), ("tokens", 2.0)],
)
def test_refuses_sizes(name: str, value: int) -> None:
    with pytest.raises(UsageError, match=rf"{name} = {value}: an aligner needs a whole number"):
        ImageAligner(**({"embedding_dim": 8, "tokens": 4} | {name: value}))


def test_refuses_embeddings_of_another_encoder() -> None:
    aligner = ImageAligner(8, 3, 6, staging_dim=10)
    with pytest.raises(ArtsoundError, match=r"shape \(2, 9\): this aligner takes \(n, 8\)"):
        aligner(torch.randn(2, 9))
    with pytest.raises(ArtsoundError, match="takes"):
        aligner(torch.randn(8))


@given(row=st.integers(0, 4), value=st.sampled_from([float("nan"), float("inf"), -float("inf")]))
def test_names_the_embedding_that_is_not_finite(row: int, value: float) -> None:
    embeddings = torch.randn(5, 8)
    check_embeddings(embeddings, 8)
    embeddings[row, 3] = value
    with pytest.raises(ArtsoundError, match=rf"image {row + 1} of 5 .* not finite"):
        check_embeddings(embeddings, 8)
