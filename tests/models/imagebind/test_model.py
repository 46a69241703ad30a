"""ImageBind as an embedder: what it depends on, what it refuses, and in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from artsound.errors import ArtsoundError, MissingDependency, UsageError
from artsound.models import fast_linear
from artsound.models.base import Embedder, FloatArray
from artsound.models.checkpoints import CheckpointError
from artsound.models.imagebind import ImageBind, audio
from artsound.models.imagebind.tokenizer import BPE_FILE, Tokenizer
from artsound.models.imagebind.transformer import Block
from artsound.models.imagebind_official import OfficialImageBind
from artsound.models.registry import Models
from artsound.models.settings import ModelSettings
from tests.models.always_fast import always_fast
from tests.models.imagebind import tiny
from tests.models.tiny_bpe import clip_vocabulary, write_vocabulary

OPTIONS = dict(vars(tiny.CONFIG))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("imagebind")
    tiny.write_checkpoint(found / "imagebind_huge.pth")
    vocabulary = found / "tokenizer"
    vocabulary.mkdir()
    write_vocabulary(vocabulary, *clip_vocabulary(), 77)
    return found


@pytest.fixture(autouse=True)
def cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSOUND_CACHE", str(folder / "cache"))


@pytest.fixture(scope="module")
def model(folder: Path) -> ImageBind:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTSOUND_CACHE", str(folder / "cache"))
        return ImageBind.from_checkpoint(
            folder / "imagebind_huge.pth", tiny.CONFIG, tokenizer=folder / "tokenizer"
        )


def close(found: FloatArray, expected: FloatArray) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_it_is_an_embedder_of_unit_vectors(model: ImageBind) -> None:
    assert isinstance(model, Embedder)
    assert (model.name, model.sample_rate, model.dimension) == ("imagebind", 16_000, 12)
    waves = [wave for name, wave in tiny.waveforms().items() if tiny.RATES[name] == 16_000]
    for vectors in (
        model.embed_images(tiny.images()),
        model.embed_audio(waves, 16_000),
        model.embed_text(tiny.TEXTS),
    ):
        assert vectors.dtype == np.float32
        close(np.linalg.norm(vectors, axis=1), np.ones(len(vectors), np.float32))
    for nothing in (model.embed_images([]), model.embed_audio([], 8), model.embed_text([])):
        assert nothing.shape == (0, 12)


def test_the_faster_products_give_the_same_vectors(
    folder: Path, model: ImageBind, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vectors(of: ImageBind) -> list[FloatArray]:
        wave = tiny.waveforms()["long"]
        return [
            of.embed_images(tiny.images()),
            of.embed_audio([wave], 16_000),
            of.embed_text(tiny.TEXTS),
        ]

    monkeypatch.setattr(fast_linear, "mkl_is_slow", lambda: False)
    plain = vectors(model)
    taken = always_fast(monkeypatch)
    path = folder / "imagebind_huge.pth"
    fast = ImageBind.from_checkpoint(path, tiny.CONFIG, tokenizer=folder / "tokenizer")
    for found, expected in zip(vectors(fast), plain, strict=True):
        close(found, expected)
    blocks = [layer for layer in fast.network.modules() if isinstance(layer, Block)]
    assert len(taken) >= 3 * len(blocks) > 0  # of attention one at least, of the MLP two


def test_a_vector_does_not_depend_on_the_batch(model: ImageBind) -> None:
    texts = [" ".join(["calm piano"] * (1 + number % 40)) for number in range(37)]
    together = model.embed_text(texts)
    close(together[::9], np.concatenate([model.embed_text([text]) for text in texts[::9]]))
    waves = [wave for name, wave in tiny.waveforms().items() if tiny.RATES[name] == 16_000]
    alone = np.concatenate([model.embed_audio([wave], 16_000) for wave in waves])
    close(model.embed_audio(waves, 16_000), alone)
    images = tiny.images() * 9
    close(model.embed_images(images)[:2], model.embed_images(images[:1] + images[1:2]))


def test_images_of_other_modes_are_taken_as_rgb(model: ImageBind) -> None:
    [grey, *_] = (image.convert("L") for image in tiny.images())
    close(model.embed_images([grey]), model.embed_images([grey.convert("RGB")]))
    with pytest.raises(ValueError, match="elongated"):
        model.embed_images([Image.new("RGB", (3, 900))])


@pytest.mark.parametrize(
    ("wave", "said"),
    [
        (np.full(32_000, np.nan), "holds NaN or infinity"),
        (np.zeros(399), "24.9 ms is too short"),
        (np.zeros(0), "too short"),
        (np.zeros((1, 2, 500)), r"shape \(1, 2, 500\)"),
    ],
)
def test_audio_that_cannot_be_embedded(model: ImageBind, wave: FloatArray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        model.embed_audio([wave.astype(np.float32)], 16_000)


def test_odd_sample_rates() -> None:
    for rate, said in ((0, "positive"), (16_000.5, "whole number"), (96_001, "resample the audio")):
        with pytest.raises(ValueError, match=said):
            audio.resample(torch.zeros(1, 1000), rate)  # type: ignore[arg-type]


def test_silence_has_a_vector(model: ImageBind) -> None:
    [vector] = model.embed_audio([np.zeros(48_000, np.float32)], 16_000)
    assert np.isfinite(vector).all()


def test_a_blank_text_is_a_zero_vector(model: ImageBind) -> None:
    norms = np.linalg.norm(model.embed_text(["a lion", " \n"]), axis=1)
    close(norms, np.array([1.0, 0.0], np.float32))


def test_a_vocabulary_in_either_format_gives_the_same_tokens(folder: Path, tmp_path: Path) -> None:
    tiny.write_merges(tmp_path / BPE_FILE)
    expected = Tokenizer.from_path(folder / "tokenizer")(tiny.TEXTS)
    for path in (tmp_path, tmp_path / BPE_FILE):
        assert Tokenizer.from_path(path)(tiny.TEXTS) == expected


def test_damaged_vocabularies_are_named(tmp_path: Path) -> None:
    path = tiny.write_merges(tmp_path / "merges.txt.gz")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(CheckpointError, match="is damaged or no bpe"):
        Tokenizer.from_path(path)
    path.write_bytes(b"#version\nno gzip")
    with pytest.raises(CheckpointError, match="is damaged or no bpe"):
        Tokenizer.from_path(path)
    with pytest.raises(CheckpointError, match="no tokenizer"):
        Tokenizer.from_path(tmp_path / "nothing")


def test_a_tokenizer_beside_the_checkpoint_is_taken(tmp_path: Path) -> None:
    checkpoint = tiny.write_checkpoint(tmp_path / "imagebind_huge.pth")
    tiny.write_merges(tmp_path / BPE_FILE)
    assert ImageBind.from_checkpoint(checkpoint, tiny.CONFIG).embed_text(["a lion"]).any()


def test_without_a_tokenizer_images_are_embedded_still(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    model = ImageBind.from_checkpoint(folder / "imagebind_huge.pth", tiny.CONFIG)
    assert model.embed_images(tiny.images()).any()
    with pytest.raises(ArtsoundError, match=r"tokenizer of imagebind .*is not on this machine"):
        model.embed_text(["a lion"])


def test_checkpoints_that_do_not_fit(tmp_path: Path) -> None:
    good = tiny.weights()
    end = "modality_heads.audio.2.weight"
    stem = "modality_preprocessors.vision.rgbt_stem.proj.1.weight"
    for wrong, said in (
        ({name: tensor for name, tensor in good.items() if name != end}, f"{end} is missing"),
        (good | {"modality_trunks.smell.x": torch.ones(1)}, "smell.x is not expected"),
        (good | {stem: torch.ones(16, 3, 14, 14)}, r"proj.1.weight has the shape \(16, 3, 14, 14"),
        ({"visual.proj": torch.ones(2, 2)}, r"is missing \(and \d+ more\)"),
    ):
        save_file(wrong, tmp_path / "w.safetensors")
        with pytest.raises(CheckpointError, match=f"w.safetensors is not a checkpoint.*{said}"):
            ImageBind.from_checkpoint(tmp_path / "w.safetensors", tiny.CONFIG)
    with pytest.raises(CheckpointError, match=r"no such file"):
        ImageBind.from_checkpoint(tmp_path / "nothing.pth")
    path = tiny.write_checkpoint(tmp_path / "cut.pth")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=r"cut\.pth is damaged"):
        ImageBind.from_checkpoint(path, tiny.CONFIG)


def test_other_precisions(folder: Path, model: ImageBind) -> None:
    half = ImageBind.from_checkpoint(
        folder / "imagebind_huge.pth",
        tiny.CONFIG,
        tokenizer=folder / "tokenizer",
        dtype=torch.bfloat16,
    )
    waves = [tiny.waveforms()["long"]]
    for found, expected in (
        (half.embed_images(tiny.images()), model.embed_images(tiny.images())),
        (half.embed_audio(waves, 16_000), model.embed_audio(waves, 16_000)),
        (half.embed_text(tiny.TEXTS), model.embed_text(tiny.TEXTS)),
    ):
        assert found.dtype == np.float32
        assert np.einsum("nd,nd->n", found, expected).min() > 0.999


def recipe(folder: Path, **options: Any) -> Models:
    return Models(
        {
            "imagebind": ModelSettings(
                checkpoint=str(folder / "imagebind_huge.pth"),
                companions={"tokenizer": str(folder / "tokenizer")},
                options=OPTIONS | options,
                device="cpu",
            )
        }
    )


def test_a_recipe_loads_it(folder: Path, model: ImageBind) -> None:
    found = recipe(folder).load("embedder", "imagebind")
    close(found.embed_text(tiny.TEXTS), model.embed_text(tiny.TEXTS))
    other = recipe(folder, independent_means=True).load("embedder", "imagebind")
    waves = [tiny.waveforms()["overlapping"]]
    difference = other.embed_audio(waves, 16_000) - found.embed_audio(waves, 16_000)
    assert 0 < np.abs(difference).max() < 0.1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vision_widht": 4}, "options has no 'vision_widht': it knows vision_embed_dim"),
        ({"text_num_heads": 5}, "text_embed_dim is 24, no multiple of text_num_heads, 5"),
        ({"out_embed_dim": 0.5}, "out_embed_dim is 0.5"),
        ({"out_embed_dim": -1}, "out_embed_dim is -1"),
    ],
)
def test_options_that_it_does_not_have(folder: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        recipe(folder, **options).load("embedder", "imagebind")


@given(st.integers(400, 4_000_000))
def test_clips_lie_within_and_are_spread_evenly(samples: int) -> None:
    bounds = audio.clip_bounds(samples)
    assert bounds[0][0] == 0
    assert all(end - start == min(samples, 32_000) for start, end in bounds)
    assert all(end <= samples for _, end in bounds)
    # A duration that is no exact float may cost the last sample.
    assert samples - bounds[-1][1] <= 1
    first, second = bounds[1][0] - bounds[0][0], bounds[2][0] - bounds[1][0]
    assert abs(first - second) <= 1


@given(
    st.sampled_from([8_000, 11_025, 22_050, 32_000, 44_100, 48_000]),
    st.floats(100, 3_000),
    st.floats(0, 6),
)
@settings(max_examples=30)
def test_resampling_keeps_a_tone(rate: int, hertz: float, phase: float) -> None:
    def tone(sample_rate: int) -> torch.Tensor:
        time = torch.arange(sample_rate // 5, dtype=torch.float64) / sample_rate
        return torch.sin(2 * torch.pi * hertz * time + phase)

    found = audio.resample(tone(rate)[None].float(), rate)[0]
    inside = slice(200, -200)
    assert found.shape == (3_200,)
    assert (found - tone(16_000))[inside].abs().max() < 0.03


def test_the_filters_cover_the_spectrum() -> None:
    """A tone's energy is in the band at its frequency, and louder by 20 dB is ln(100) more."""
    time = torch.arange(16_000) / 16_000
    tone = torch.sin(2 * torch.pi * 1_000 * time)[None]
    quiet, loud = audio.fbank(0.01 * tone), audio.fbank(0.1 * tone)
    assert quiet.shape == (1, 98, 128)
    band = int(loud.mean(1).argmax())
    low, high = 1127 * np.log1p(np.array([20.0, 8_000.0]) / 700)
    mels = np.linspace(low, high, 130)[1:-1]
    assert abs(700 * np.expm1(mels[band] / 1127) - 1_000) < 30
    close((loud - quiet)[0, :, band].numpy(), np.full(98, np.log(100), np.float32))


def importable() -> bool:
    try:
        OfficialImageBind.from_checkpoint(Path("no-such-file.pth"))
    except MissingDependency:
        return False
    except CheckpointError:
        return True
    raise AssertionError("a missing checkpoint is refused")


def test_the_authors_package_says_how_it_is_installed() -> None:
    if importable():
        pytest.skip("the package imagebind is installed")
    with pytest.raises(MissingDependency, match=r"imagebind-official needs a package.*pip install"):
        OfficialImageBind.from_checkpoint(Path("no-such-file.pth"))


def test_the_authors_package_gives_the_same_vectors(tmp_path: Path) -> None:
    if not importable():
        pytest.skip("the package imagebind cannot be imported")
    from imagebind.models.imagebind_model import ImageBindModel  # type: ignore[import-not-found]

    sizes = OPTIONS | {f"{what}_num_blocks": 1 for what in ("depth", "thermal", "imu")}
    torch.save(ImageBindModel(**sizes).state_dict(), tmp_path / "w.pth")
    theirs = OfficialImageBind.from_checkpoint(tmp_path / "w.pth", **sizes)
    ours = ImageBind.from_checkpoint(tmp_path / "w.pth", tiny.CONFIG)
    assert isinstance(theirs, Embedder)
    close(ours.embed_images(tiny.images()), theirs.embed_images(tiny.images()))
    for name, wave in tiny.waveforms().items():
        rate = tiny.RATES[name]
        found, expected = ours.embed_audio([wave], rate), theirs.embed_audio([wave], rate)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert theirs.embed_text(["a lion"]).shape == (1, 12)
