"""Equality with the authors' code, on arrays that it made of `tiny`'s weights and inputs.

They were made by facebookresearch/ImageBind at commit 53680b0, pytorchvideo's clip sampler at the
commit that it pins, and torchaudio 2.9.0's `kaldi.fbank` and `resample`. Differences are absolute;
what is larger than 1 on the way (blocks, logarithms of energies, scaled outputs) is compared
relative to the largest value of its tensor. Tokens and patches are thinned out: the file is small.
Of the last block ours computes, and the file holds, the one token that the head projects.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from artsound.models import pixels
from artsound.models.base import FloatArray
from artsound.models.imagebind import ImageBind, audio
from tests.models.imagebind import tiny

TOLERANCE = 1e-5
EXPECTED = np.load(Path(__file__).parent / "data" / "expected.npz")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ImageBind:
    folder = tmp_path_factory.mktemp("imagebind")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTSOUND_CACHE", str(folder / "cache"))
        merges = tiny.write_merges(folder / "merges.txt.gz")
        checkpoint = tiny.write_checkpoint(folder / "imagebind_huge.pth")
        return ImageBind.from_checkpoint(checkpoint, tiny.CONFIG, tokenizer=merges)


def same(found: torch.Tensor | FloatArray, name: str) -> None:
    expected = EXPECTED[name]
    values = found.numpy() if isinstance(found, torch.Tensor) else found
    assert values.shape == expected.shape, name
    scale = max(1.0, float(np.abs(expected).max()))
    assert float(np.abs(values - expected).max()) / scale <= TOLERANCE, name


def trace(model: ImageBind, modality: str) -> dict[str, torch.Tensor]:
    """Have every tensor on the way through a modality's network kept."""
    network, kept = model.network, {}

    def keep(name: str, module: torch.nn.Module) -> None:
        def hook(_: torch.nn.Module, __: object, output: torch.Tensor) -> None:
            thinned = output[:, ::16] if output.ndim == 3 and output.shape[1] > 1 else output
            kept[f"{modality}.{name}"] = thinned

        module.register_forward_hook(hook)

    trunk = network.modality_trunks.get_submodule(modality)
    keep("stem", network.modality_preprocessors.get_submodule(modality))
    keep("before", trunk.get_submodule("pre_transformer_layer"))
    for number in range(2):
        keep(f"block{number}", trunk.get_submodule(f"blocks.{number}"))
    keep("head", network.modality_heads.get_submodule(modality))
    keep("post", network.modality_postprocessors.get_submodule(modality))
    return kept


def unit(vectors: FloatArray) -> FloatArray:
    lengths: FloatArray = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / lengths


def test_images(model: ImageBind) -> None:
    views = np.stack([pixels.cropped(image, 224) for image in tiny.images()])
    np.testing.assert_array_equal(views[:, :, ::16, ::16], EXPECTED["pixels"])
    kept = trace(model, "vision")
    same(model.network.images(torch.from_numpy(views)), "images")
    assert len(kept) == 6
    for name, tensor in kept.items():
        same(tensor, name)
    same(model.embed_images(tiny.images()), "images")


def test_texts(model: ImageBind) -> None:
    tokens = torch.zeros(len(tiny.TEXTS), 77, dtype=torch.long)
    for row, found in enumerate(model.tokens(tiny.TEXTS)):
        tokens[row, : len(found)] = torch.tensor(found)
    np.testing.assert_array_equal(tokens, EXPECTED["tokens"])
    assert tokens[2, 76] == tokens.max()  # a cut text keeps its end
    kept = trace(model, "text")
    same(model.network.texts(tokens, tokens.argmax(-1)), "texts")
    assert len(kept) == 6
    for name, tensor in kept.items():
        same(tensor, name)
    assert np.abs(model.embed_text(tiny.TEXTS) - unit(EXPECTED["texts"])).max() <= TOLERANCE


def test_audio(model: ImageBind) -> None:
    waveforms = tiny.waveforms()
    clips = {name: audio.clips(wave, tiny.RATES[name]) for name, wave in waveforms.items()}
    for name, found in clips.items():
        assert found.shape == (3, 1, 128, 204)
        same(found[:, :, ::4, ::6], f"mel.{name}")
    kept = trace(model, "audio")
    vectors = model.network.audio(torch.cat(list(clips.values())))
    same(vectors.view(-1, 3, tiny.CONFIG.out_embed_dim).mean(1), "audio")
    assert len(kept) == 6
    for name, tensor in kept.items():
        same(tensor[:6] if tensor.ndim == 3 else tensor, name)
    embedded = [model.embed_audio([wave], tiny.RATES[name])[0] for name, wave in waveforms.items()]
    assert np.abs(np.stack(embedded) - unit(EXPECTED["audio"])).max() <= TOLERANCE


def test_filterbanks_and_resampling() -> None:
    waveforms = tiny.waveforms()
    short = torch.from_numpy(waveforms["short"])[None, :8000]
    same(audio.fbank(short)[0, ::3], "fbank")
    stereo = torch.from_numpy(waveforms["stereo"])
    same(audio.resample(stereo, tiny.RATES["stereo"])[:, ::7], "resampled")


def test_means_of_overlapping_clips_are_as_theirs_unless_told_otherwise() -> None:
    wave = tiny.waveforms()["overlapping"]
    before = wave.copy()
    own = audio.clips(wave, 16_000, independent_means=True)
    theirs = audio.clips(wave, 16_000)
    np.testing.assert_array_equal(wave, before)
    same(theirs[:, :, ::4, ::6], "mel.overlapping")
    assert torch.equal(own[0], theirs[0])
    assert not torch.equal(own[1], theirs[1])
    apart = tiny.waveforms()["long"]
    assert torch.equal(
        audio.clips(apart, 16_000, independent_means=True), audio.clips(apart, 16_000)
    )
