"""The authors' projection layers of 2024: equal numbers come out, other files are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from art2mus.aligner import ImageAligner
from artsound.errors import ArtsoundError


class Layer2024(nn.Module):
    """What their `ImageProjectionLayer` computes, by its names: linear, tanh, linear, reshape."""

    def __init__(self, tokens: int, width: int = 768, size: int = 1024) -> None:
        super().__init__()
        self.tokens, self.width = tokens, width
        self.projection1 = nn.Linear(size, 2 * width)
        self.projection2 = nn.Linear(2 * width, tokens * width)

    def forward(self, embeddings: Tensor) -> Tensor:
        out: Tensor = self.projection2(torch.tanh(self.projection1(embeddings)))
        return out.reshape(-1, self.tokens, self.width)


@pytest.mark.parametrize("tokens", [1, 4])
@pytest.mark.parametrize("saved", ["pt", "safetensors", "several GPUs", "half"])
def test_gives_the_same_tokens(tmp_path: Path, tokens: int, saved: str) -> None:
    torch.manual_seed(tokens)
    theirs = Layer2024(tokens)
    state: dict[str, Tensor] = theirs.state_dict()
    path = tmp_path / "layer.pt"
    if saved == "safetensors":
        from safetensors.torch import save_file

        path = tmp_path / "model.safetensors"
        save_file(state, path)
    elif saved == "several GPUs":
        torch.save({f"module.{name}": held for name, held in state.items()}, path)
    elif saved == "half":
        torch.save({name: held.half() for name, held in state.items()}, path)
        theirs.load_state_dict({name: held.half().float() for name, held in state.items()})
    else:
        torch.save(state, path)
    ours = ImageAligner.from_2024(path)
    embeddings = nn.functional.normalize(torch.randn(3, 1024), dim=-1)
    with torch.no_grad():
        assert (ours(embeddings) - theirs(embeddings)).abs().max() < 1e-6
    assert ours.settings == {
        "embedding_dim": 1024,
        "tokens": tokens,
        "hidden_dim": 768,
        "staging_dim": 1024,
        "boundary_tokens": False,
        "projection_hidden": 1536,
    }
    ours.save_pretrained(tmp_path / "ours")
    again = ImageAligner.from_pretrained(tmp_path / "ours")
    assert torch.equal(again(embeddings), ours(embeddings))


def _state(**changes: Tensor | None) -> dict[str, Tensor]:
    state: dict[str, Any] = Layer2024(4, width=6, size=10).state_dict() | {
        name.replace("_", ".", 1): held for name, held in changes.items()
    }
    return {name: held for name, held in state.items() if held is not None}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (_state(projection2_bias=None), "it lacks projection2.bias"),
        (_state(sos_embed=torch.ones(6)), "it holds sos.embed"),
        (_state(projection2_weight=torch.zeros(24, 7)), r"its layers are of \(12, 10\)"),
        (_state(projection1_bias=torch.zeros(3)), "its biases do not fit"),
        (
            _state(projection2_weight=torch.zeros(25, 12), projection2_bias=torch.zeros(25)),
            "it gives 25 numbers, no multiple of 6",
        ),
        (_state(projection1_bias=torch.full((12,), torch.nan)), "not finite"),
        ({"weight": torch.zeros(3)}, "no image projection layer of Art2Mus 2024: it holds weight"),
    ],
)
def test_refuses_other_files(tmp_path: Path, state: dict[str, Tensor], said: str) -> None:
    path = tmp_path / "layer.pt"
    torch.save(state, path)
    with pytest.raises(ArtsoundError, match=said) as error:
        ImageAligner.from_2024(path, hidden_dim=6)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_refuses_what_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ArtsoundError, match="no such file"):
        ImageAligner.from_2024(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(ArtsoundError, match="no checkpoint"):
        ImageAligner.from_2024(tmp_path / "text.pt")
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(ArtsoundError, match="more than tensors"):
        ImageAligner.from_2024(tmp_path / "module.pt")
