"""Backbone: found and checked at once, loaded when used, frozen, told apart by its weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AudioLDM2UNet2DConditionModel
from torch import nn
from transformers import GPT2Model

from art2mus.backbone import Backbone
from art2mus.backbone.files import PARTS
from art2mus.rollout import rollout
from artsound.errors import ArtsoundError, UsageError
from tests.art2mus.tiny_backbone import HIDDEN, TEXT, write_tiny_backbone
from tests.models.always_fast import always_fast


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_backbone(tmp_path_factory.mktemp("backbone"))


def test_opens_without_loading(folder: Path) -> None:
    backbone = Backbone.open(folder)
    assert backbone.name == str(folder)
    assert (backbone.hidden_dim, backbone.loa_tokens, backbone.sample_rate) == (16, 8, 16_000)
    assert not backbone.toy
    assert backbone.revision == ""
    assert backbone._loaded == {}


def test_parts_are_kept_frozen_and_let_go(folder: Path) -> None:
    backbone = Backbone.open(folder, dtype=torch.bfloat16)
    for name in PARTS:
        part = getattr(backbone, name)
        assert getattr(backbone, name) is part
        assert type(part).__name__ in PARTS[name]
        if isinstance(part, torch.nn.Module):
            assert not part.training
            assert not any(held.requires_grad for held in part.parameters())
            assert {held.dtype for held in part.parameters()} == {torch.bfloat16}
    unet = backbone.unet
    backbone.release("vae")
    assert backbone.unet is unet
    backbone.release()
    assert backbone.unet is not unet
    with pytest.raises(UsageError, match="no part 'vea'"):
        backbone.release("vea")


def test_gpt2_is_the_same_declared_either_way(folder: Path, tmp_path: Path) -> None:
    with_head = write_tiny_backbone(tmp_path, language_model="GPT2LMHeadModel")
    index = json.loads((with_head / "model_index.json").read_text())
    assert index["language_model"] == ["transformers", "GPT2LMHeadModel"]
    ours, other = (Backbone.open(at).language_model for at in (folder, with_head))
    assert type(ours) is type(other)
    for name, held in ours.state_dict().items():
        assert torch.equal(held, other.state_dict()[name])


def test_reads_the_weights_that_diffusers_reads(folder: Path) -> None:
    from diffusers import AudioLDM2Pipeline

    loaded: Any = AudioLDM2Pipeline
    pipeline = loaded.from_pretrained(folder)
    backbone = Backbone.open(folder)
    for name in PARTS:
        part = getattr(backbone, name)
        if isinstance(part, torch.nn.Module):
            theirs = getattr(pipeline, name).state_dict()
            assert part.state_dict().keys() == theirs.keys()
            assert all(torch.equal(held, theirs[key]) for key, held in part.state_dict().items())
    assert dict(backbone.scheduler.config) == dict(pipeline.scheduler.config)


def test_the_faster_forms_compute_what_the_plain_ones_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = always_fast(monkeypatch)
    backbone = Backbone.open(folder)
    kinds: tuple[Any, Any] = (AudioLDM2UNet2DConditionModel, GPT2Model)
    plain = [
        kind.from_pretrained(folder / part).eval()
        for kind, part in zip(kinds, ("unet", "language_model"), strict=True)
    ]
    latents, text = torch.randn(2, 8, 32, 16), torch.randn(2, 5, TEXT)
    tokens = torch.randn(2, 6, HIDDEN)
    found = []
    for unet, gpt2 in (plain, (backbone.unet, backbone.language_model)):
        given = tokens.clone().requires_grad_()
        noise = unet(
            latents,
            torch.tensor([10, 900]),
            encoder_hidden_states=rollout(gpt2, given),
            encoder_hidden_states_1=text,
        ).sample
        noise.square().sum().backward()
        assert given.grad is not None
        assert given.grad.abs().max() > 0
        found.append((noise.detach(), given.grad))
    for theirs, ours in zip(*found, strict=True):
        assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()
    linear = [layer for layer in backbone.unet.modules() if isinstance(layer, nn.Linear)]
    assert len(taken) >= len(linear) > 0


def test_fingerprint_is_of_the_weights(folder: Path, tmp_path: Path) -> None:
    same = Path(shutil.copytree(folder, tmp_path / "same"))
    (same / "README.md").write_text("a card")
    other = write_tiny_backbone(tmp_path / "other", seed=1)
    found = [Backbone.open(at).fingerprint for at in (folder, same, other)]
    assert found[0] == found[1] != found[2]
    int(found[0], 16)


def test_a_toy_says_so(folder: Path, tmp_path: Path) -> None:
    at = Path(shutil.copytree(folder, tmp_path / "toy"))
    _index(at, art2mus_toy=True)
    assert Backbone.open(at).toy


def _index(at: Path, **changes: Any) -> None:
    path = at / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda at: (at / "model_index.json").unlink(), "it has no model_index.json"),
        (lambda at: shutil.rmtree(at / "vocoder"), "vocoder does not exist"),
        (lambda at: (at / "unet/diffusion_pytorch_model.safetensors").unlink(), "no weights"),
        (lambda at: _cut(at / "vae/diffusion_pytorch_model.safetensors"), "is damaged"),
        (lambda at: (at / "tokenizer_2/tokenizer.json").unlink(), "has no vocabulary"),
        (lambda at: _index(at, vae=["os", "system"]), "wants os.system as its vae"),
        (
            lambda at: _index(at, vae=["art2mus.lite.vocoder", "GriffinLimVocoder"]),
            "this program knows AutoencoderKL and art2mus.lite.codec.PatchCodec",
        ),
        (lambda at: _index(at, text_encoder=[None, None]), "names no text_encoder"),
    ],
)
def test_refuses_at_once(
    folder: Path, tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    at = Path(shutil.copytree(folder, tmp_path / "damaged"))
    damage(at)
    with pytest.raises(ArtsoundError, match=said) as error:
        Backbone.open(at)
    assert "\n" not in str(error.value)


def test_refuses_weights_of_another_model_when_they_are_loaded(
    folder: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    at = Path(shutil.copytree(folder, tmp_path / "other"))
    for part in ("unet/diffusion_pytorch_model", "language_model/model"):
        path = at / f"{part}.safetensors"
        tensors = load_file(path)
        first = sorted(tensors)[0]
        save_file({n: held for n, held in tensors.items() if n != first}, path, {"format": "pt"})
    backbone = Backbone.open(at)
    for name in ("unet", "language_model"):
        with pytest.raises(ArtsoundError, match="is missing") as error:
            backbone.part(name)
        assert "\n" not in str(error.value)


def test_refuses_names(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        Backbone.open(tmp_path / "none")
    with pytest.raises(UsageError, match="is a folder: it has no revision"):
        Backbone.open(tmp_path, revision="main")
    with pytest.raises(ArtsoundError, match="cannot be downloaded from here") as error:
        Backbone.open("nobody/no-audioldm2")
    assert "\n" not in str(error.value)
