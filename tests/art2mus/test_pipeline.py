"""`Art2MusPipeline`: against diffusers' own, against the paper's equations, and its promises."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from art2mus.aligner import ImageAligner
from art2mus.backbone import Backbone
from art2mus.checkpoint import load_checkpoint
from art2mus.conditioning import PROMPT, Conditioning
from art2mus.pipeline import Art2MusOutput, Art2MusPipeline
from art2mus.sampling.denoise import denoise, latent_shape
from art2mus.sampling.noise import seeds_for, starting_noise
from art2mus.sampling.ranking import best_first
from art2mus.sampling.schedulers import SCHEDULERS, make_scheduler, set_steps
from artsound.errors import ArtsoundError, UsageError
from tests.art2mus.tiny_backbone import HIDDEN, TEXT, write_tiny_backbone
from tests.art2mus.tiny_checkpoint import TOKENS, write_tiny_checkpoint

SHORT = 0.32  # seconds: 8 latent frames
DIMENSION = 48
THEIRS: Any = diffusers.AudioLDM2Pipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Declared with its head, the one way that diffusers' own pipeline can generate with.
    return write_tiny_backbone(
        tmp_path_factory.mktemp("tiny") / "b", language_model="GPT2LMHeadModel"
    )


@pytest.fixture(scope="module")
def backbone(folder: Path) -> Backbone:
    return Backbone.open(folder)


@pytest.fixture
def pipeline(backbone: Backbone) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        aligner = ImageAligner(DIMENSION, TOKENS, HIDDEN)
    return quiet(Art2MusPipeline.from_backbone(backbone, aligner.eval()))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


def quiet(pipe: Any) -> Any:
    pipe.set_progress_bar_config(disable=True)
    return pipe


def embeddings(count: int, seed: int = 0) -> torch.Tensor:
    drawn = torch.randn(count, DIMENSION, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=1)


def run(pipeline: Art2MusPipeline, embeds: torch.Tensor, **options: Any) -> Art2MusOutput:
    chosen = {"duration_s": SHORT, "num_inference_steps": 3, "seed": 0, **options}
    output = pipeline(image_embeds=embeds, **chosen)
    assert isinstance(output, Art2MusOutput)
    return output


def pictures(count: int) -> list[Image.Image]:
    random = np.random.default_rng(0)
    return [
        Image.fromarray(random.integers(0, 256, (40, 60, 3), dtype=np.uint8)) for _ in range(count)
    ]


@pytest.mark.parametrize("guidance", [1.0, 3.5])
def test_equals_the_pipeline_of_diffusers(
    pipeline: Art2MusPipeline, folder: Path, guidance: float
) -> None:
    theirs = quiet(THEIRS.from_pretrained(folder))
    embeds = embeddings(2)
    with torch.no_grad():
        positive = pipeline.extractor()(embeds)
    negative = pipeline.encode_negative("Low quality").repeat(2)
    length = positive.text.shape[1]
    given: dict[str, Any] = {
        "prompt_embeds": positive.text,
        "attention_mask": positive.text_mask,
        "generated_prompt_embeds": positive.loa,
        "negative_prompt_embeds": negative.text,
        "negative_attention_mask": negative.text_mask,
        "negative_generated_prompt_embeds": negative.loa,
    }
    assert negative.text.shape[1] == length
    for kind in ("latent", "np"):
        expected = theirs(
            **given,
            audio_length_in_s=SHORT,
            num_inference_steps=6,
            guidance_scale=guidance,
            generator=[torch.Generator().manual_seed(seed) for seed in (5, 9)],
            output_type=kind,
        ).audios
        found = run(
            pipeline,
            embeds,
            num_inference_steps=6,
            guidance_scale=guidance,
            seed=[5, 9],
            output_type=kind,
        ).audios
        scale = float(np.abs(np.asarray(expected)).max())
        np.testing.assert_allclose(found, expected, atol=1e-5 * max(scale, 1), rtol=0)


@pytest.mark.parametrize("prompt", [PROMPT, f"{PROMPT}, and its mood", "Music for an artwork"])
def test_negative_path_is_that_of_diffusers(
    backbone: Backbone, folder: Path, checkpoint: Path, prompt: str
) -> None:
    theirs = THEIRS.from_pretrained(folder)
    pipeline = Art2MusPipeline.from_backbone(
        backbone,
        ImageAligner(DIMENSION, TOKENS, HIDDEN),
        description=replace(load_checkpoint(checkpoint)[1], prompt=prompt),
    )
    found = pipeline.encode_negative("Low quality")
    text, _ = pipeline.encode_text(prompt)
    with torch.no_grad():
        states, mask, loa = theirs.encode_prompt(
            pipeline.prompt, "cpu", 1, True, negative_prompt="Low quality"
        )
    torch.testing.assert_close(states, torch.cat([found.text, text]), atol=1e-5, rtol=0)
    torch.testing.assert_close(loa[:1], found.loa, atol=1e-5, rtol=0)
    assert torch.equal(mask[:1], found.text_mask)


def test_ddim_is_equations_6_and_7(backbone: Backbone) -> None:
    """The paper's update, written plainly in float64, over the schedule's own 200 steps."""
    scheduler = make_scheduler("ddim", backbone.scheduler)
    timesteps = set_steps(scheduler, 200, "cpu")
    assert timesteps.tolist() == list(range(996, 0, -5))
    noise = starting_noise((8, 4, 4), 1, seeds=[3])
    random = torch.Generator().manual_seed(0)
    condition = Conditioning(
        torch.randn(1, 8, HIDDEN, generator=random),
        torch.randn(1, 5, TEXT, generator=random),
        torch.ones(1, 5, dtype=torch.long),
    )
    with torch.no_grad():
        found = denoise(
            backbone.unet,
            scheduler,
            noise,
            condition,
            None,
            guidance_scale=1.0,
            timesteps=timesteps,
            on_step=lambda step, timestep, latents: latents,
        )
        betas = torch.linspace(0.0015**0.5, 0.0195**0.5, 1000, dtype=torch.float64) ** 2
        alphas = torch.cumprod(1 - betas, 0)
        z = noise.double()
        for t in range(996, 0, -5):
            epsilon = backbone.unet(
                z.float(),
                t,
                encoder_hidden_states=condition.loa,
                encoder_hidden_states_1=condition.text,
                encoder_attention_mask_1=condition.text_mask,
            ).sample.double()
            before = alphas[t - 5] if t > 5 else alphas[0]
            clean = (z - (1 - alphas[t]).sqrt() * epsilon) / alphas[t].sqrt()
            z = before.sqrt() * clean + (1 - before).sqrt() * epsilon
    scale = float(z.abs().max())
    torch.testing.assert_close(found.double(), z, atol=2e-5 * max(scale, 1), rtol=0)


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 0.3), (0.0, 1.0), (0.8, 0.2)])
def test_dpm_solver_needs_fewer_steps(backbone: Backbone, mean: float, spread: float) -> None:
    """Where the best denoiser is known: two Gaussians. 25 steps come closer than 100 of DDIM."""
    alphas = backbone.scheduler.alphas_cumprod.double()
    noise = starting_noise((8, 32, 16), 1, seeds=[0]).double()

    def flow(name: str, steps: int) -> torch.Tensor:
        scheduler = make_scheduler(name, backbone.scheduler)
        z = noise
        for t in set_steps(scheduler, steps, "cpu"):
            a = alphas[int(t)]
            variance = a * spread**2 + 1 - a
            side = torch.tanh(a.sqrt() * mean * z / variance)
            clean = (a.sqrt() * spread**2 * z + (1 - a) * mean * side) / variance
            epsilon = (z - a.sqrt() * clean) / (1 - a).sqrt()
            z = scheduler.step(epsilon, t, z, return_dict=False)[0]
        return z

    reference = flow("ddim", 500)
    slow = (flow("ddim", 100) - reference).square().mean().sqrt()
    fast = (flow("dpm-solver++", 25) - reference).square().mean().sqrt()
    assert fast < slow


@pytest.mark.parametrize("steps", [1, 2, 3, 25, 200, 999])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_number_of_steps_runs(backbone: Backbone, name: str, steps: int) -> None:
    scheduler = make_scheduler(name, backbone.scheduler)
    latents = starting_noise((1, 2, 2), 1, seeds=[0])
    timesteps = set_steps(scheduler, steps, "cpu")
    assert len(timesteps) == steps
    for t in timesteps:
        latents = scheduler.step(latents, t, latents, return_dict=False)[0]
    assert torch.isfinite(latents).all()


@settings(max_examples=60)
@given(st.integers(1, 3000))
def test_lengths_are_those_of_diffusers(centiseconds: int) -> None:
    class Sizes:
        block_out_channels = (1, 1, 1)
        upsample_rates = (5, 4, 2, 2, 2)
        sampling_rate = 16_000
        model_in_dim = 64
        in_channels = 8

    class Part:
        config = Sizes

    seconds = centiseconds / 100
    if seconds < 0.04:
        with pytest.raises(UsageError, match="or more"):
            latent_shape(seconds, Part, Part, Part)
        return
    (channels, frames, bins), samples = latent_shape(seconds, Part, Part, Part)
    assert (channels, bins) == (8, 16)
    assert samples == centiseconds * 160
    height = int(round(seconds / 0.01, 6))
    assert frames == math.ceil(height / 4)
    assert samples <= frames * 4 * 160 < samples + 640


def test_output_types_and_exact_length(pipeline: Art2MusPipeline) -> None:
    embeds = embeddings(2)
    sound = run(pipeline, embeds, duration_s=0.33333)
    assert sound.audios.shape == (2, round(0.33333 * 16_000))
    assert sound.audios.dtype == np.float32
    assert run(pipeline, embeds, output_type="latent").audios.shape == (2, 8, 8, 16)
    assert run(pipeline, embeds, output_type="mel").audios.shape == (2, 32, 64)
    tensor = run(pipeline, embeds, output_type="pt").audios
    assert isinstance(tensor, torch.Tensor)
    (plain,) = pipeline(
        image_embeds=embeds, duration_s=SHORT, num_inference_steps=3, seed=0, return_dict=False
    )
    np.testing.assert_array_equal(plain, tensor.numpy())


def test_an_item_depends_on_its_own_seed_alone(pipeline: Art2MusPipeline) -> None:
    embeds = embeddings(3)
    together = run(pipeline, embeds, seed=[4, 5, 6], output_type="latent").audios
    alone = run(pipeline, embeds[1:2], seed=5, output_type="latent").audios
    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=1e-4)
    other = run(pipeline, embeds[1:2], seed=6, output_type="latent").audios
    assert (other - alone).abs().mean() > 0.1
    again = run(pipeline, embeds, seed=[4, 5, 6], output_type="latent").audios
    assert torch.equal(again, together)


@given(
    st.lists(st.integers(0, 2**40), min_size=1, max_size=5),
    st.integers(1, 4),
)
def test_seeds_and_noise(seeds: list[int], per_image: int) -> None:
    spread = seeds_for(seeds, len(seeds), per_image)
    assert spread is not None
    assert list(spread[::per_image]) == seeds
    noise = starting_noise((2, 3, 4), len(spread), seeds=spread)
    for place, seed in enumerate(spread):
        assert torch.equal(noise[place : place + 1], starting_noise((2, 3, 4), 1, seeds=[seed]))
    generators = [torch.Generator().manual_seed(seed) for seed in spread]
    assert torch.equal(noise, starting_noise((2, 3, 4), len(spread), generators=generators))
    assert seeds_for(7, 2, 3) == (7, 8, 9, 7, 8, 9)


@given(
    st.lists(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3), min_size=1, max_size=4)
)
def test_best_first_keeps_each_artworks_waveforms(rows: list[list[float]]) -> None:
    order = best_first(np.asarray(rows, np.float32).reshape(-1), 3).reshape(-1, 3)
    for number, (row, places) in enumerate(zip(rows, order, strict=True)):
        assert sorted(places) == [3 * number, 3 * number + 1, 3 * number + 2]
        ranked = [row[place - 3 * number] for place in places]
        assert ranked == sorted(row, reverse=True)


def test_guidance_of_one_is_one_branch(pipeline: Art2MusPipeline) -> None:
    rows: list[int] = []
    hook = pipeline.unet.register_forward_pre_hook(lambda module, args: rows.append(len(args[0])))
    try:
        run(pipeline, embeddings(2), guidance_scale=1.0, num_inference_steps=2)
        assert rows == [2, 2]
        rows.clear()
        run(pipeline, embeddings(2), guidance_scale=2.0, num_inference_steps=2)
        assert rows == [4, 4]
    finally:
        hook.remove()


def test_prompts_are_encoded_once(pipeline: Art2MusPipeline, backbone: Backbone) -> None:
    calls: list[int] = []
    hook = backbone.text_encoder_2.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        for _ in range(3):
            run(pipeline, embeddings(1))
        assert len(calls) == 2  # the prompt's, and the negative prompt's
        run(pipeline, embeddings(1), negative_prompt="Noise")
        assert len(calls) == 3
    finally:
        hook.remove()


def test_callback_sees_and_changes_the_latents(pipeline: Art2MusPipeline) -> None:
    seen: list[tuple[int, int]] = []

    def zero_last(
        pipe: Any, step: int, timestep: torch.Tensor, tensors: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        assert pipe is pipeline
        seen.append((step, int(timestep)))
        return {"latents": torch.zeros_like(tensors["latents"])} if step == 2 else {}

    found = run(pipeline, embeddings(1), callback_on_step_end=zero_last, output_type="latent")
    assert [step for step, _ in seen] == [0, 1, 2]
    assert not found.audios.any()


def test_bfloat16_keeps_latents_in_float32(folder: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        aligner = ImageAligner(DIMENSION, TOKENS, HIDDEN).eval()
    opened = [Backbone.open(folder, dtype=dtype) for dtype in (torch.float32, torch.bfloat16)]
    exact, coarse = (quiet(Art2MusPipeline.from_backbone(one, aligner)) for one in opened)
    assert coarse.unet.dtype == torch.bfloat16
    wanted = run(exact, embeddings(1), output_type="latent").audios
    found = run(coarse, embeddings(1), output_type="latent").audios
    assert found.dtype == torch.float32
    cosine = torch.nn.functional.cosine_similarity(found.flatten(), wanted.flatten(), dim=0)
    assert cosine > 0.999
    sound = run(coarse, embeddings(1)).audios
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()


def test_offloading_hooks_every_part_in_order(folder: Path) -> None:
    aligner = ImageAligner(DIMENSION, TOKENS, HIDDEN).eval()
    pipe = quiet(Art2MusPipeline.from_backbone(Backbone.open(folder), aligner))
    plain = run(pipe, embeddings(1)).audios
    pipe.enable_model_cpu_offload(device="cpu")
    parts = [pipe.aligner, pipe.language_model, pipe.unet, pipe.vae, pipe.vocoder]
    assert [hook.model for hook in pipe._all_hooks] == parts
    np.testing.assert_array_equal(run(pipe, embeddings(1)).audios, plain)
    # They are there for the next call too.
    assert all(hasattr(part, "_hf_hook") for part in parts)


def test_from_pretrained_and_back(checkpoint: Path, tmp_path: Path) -> None:
    pipe = quiet(Art2MusPipeline.from_pretrained(checkpoint))
    assert not {"text_encoder", "text_encoder_2"} & set(pipe.backbone._loaded)
    images = pictures(2)
    images[1].save(tmp_path / "two.png")
    options: dict[str, Any] = {"duration_s": SHORT, "num_inference_steps": 2, "seed": 3}
    found = pipe([images[0], tmp_path / "two.png"], **options)
    pipe.save_pretrained(tmp_path / "again")
    back = quiet(Art2MusPipeline.from_pretrained(tmp_path / "again", backbone=pipe.backbone))
    np.testing.assert_array_equal(back(images, **options)["audios"], found["audios"])
    single = pipe(images[0], **options)
    np.testing.assert_allclose(single["audios"][0], found["audios"][0], atol=1e-5)


def test_another_backbone_warns_in_one_line(
    checkpoint: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = write_tiny_backbone(tmp_path / "other", seed=1)
    with caplog.at_level(logging.WARNING):
        Art2MusPipeline.from_pretrained(checkpoint, backbone=other)
    (record,) = [record for record in caplog.records if record.name.startswith("art2mus")]
    assert "not the backbone that this checkpoint was trained with" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_several_waveforms_are_ranked_in_the_encoders_space(checkpoint: Path) -> None:
    pipe = quiet(Art2MusPipeline.from_pretrained(checkpoint))
    options: dict[str, Any] = {
        "duration_s": 3.0,
        "num_inference_steps": 1,
        "num_waveforms_per_image": 3,
        "seed": [0, 50],
    }
    images = pictures(2)
    ranked = pipe(images, **options)
    plain = pipe(images, rank_by=None, **options)
    assert ranked.ranked_by == "lite-conse"
    assert plain.scores is None
    assert plain.seeds == [0, 1, 2, 50, 51, 52]
    for begin in (0, 3):
        scores = ranked.scores[begin : begin + 3]
        assert scores == sorted(scores, reverse=True)
    for place, seed in enumerate(ranked.seeds):
        np.testing.assert_array_equal(ranked.audios[place], plain.audios[plain.seeds.index(seed)])
    named = pipe(images, rank_by="lite", **options)
    assert named.scores == pytest.approx(ranked.scores, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_inference_steps": 0}, "0 sampling steps"),
        ({"num_inference_steps": 1000}, "give 1 to 999"),
        ({"duration_s": 0}, "give 0.04 seconds or more"),
        ({"duration_s": float("nan")}, "seconds or more"),
        ({"duration_s": 1e7}, "up to 600"),
        ({"seed": [2**63, 0]}, "integer from 0 to 2"),
        ({"text": (torch.zeros(1, 3, TEXT), torch.ones(1, 3))}, "comes with its `negative`"),
        ({"guidance_scale": float("inf")}, "finite"),
        ({"num_waveforms_per_image": 0}, "1 or more"),
        ({"seed": [1, 2, 3]}, "3 seeds for 2 images"),
        ({"seed": -1}, "integer from 0"),
        ({"seed": None, "generator": [torch.Generator()]}, "1 generators for 2"),
        ({"generator": torch.Generator()}, "not both"),
        ({"scheduler": "dpm-solver"}, "did you mean 'dpm-solver"),
        ({"output_type": "wav"}, "there is np, pt, latent, mel"),
    ],
)
def test_wrong_arguments_are_one_line(
    pipeline: Art2MusPipeline, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        run(pipeline, embeddings(2), **options)
    assert "\n" not in str(caught.value)


def test_wrong_inputs_are_one_line(pipeline: Art2MusPipeline) -> None:
    for wrong, message in (
        ({}, "one of the two"),
        ({"images": pictures(1)}, "no visual encoder"),
        ({"images": []}, "no images"),
        ({"image_embeds": torch.zeros(1, 3)}, "48"),
    ):
        with pytest.raises(ArtsoundError, match=message):
            pipeline(**wrong)


@pytest.mark.parametrize(("scheduler", "steps"), [(None, 200), ("ddim", 200), ("dpm-solver++", 25)])
def test_each_scheduler_has_its_usual_number_of_steps(
    pipeline: Art2MusPipeline, scheduler: str | None, steps: int
) -> None:
    taken: list[int] = []

    def told(pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        taken.append(step)
        return tensors

    options: dict[str, Any] = {"num_inference_steps": None, "guidance_scale": 1.0}
    options |= {"scheduler": scheduler, "callback_on_step_end": told, "output_type": "latent"}
    run(pipeline, embeddings(1), **options)
    assert len(taken) == steps
