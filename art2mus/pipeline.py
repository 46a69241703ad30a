"""`Art2MusPipeline`: from artworks to music, section 4.3 of the paper, as a diffusers pipeline."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from diffusers.utils.outputs import BaseOutput
from PIL import Image

from art2mus.aligner import check_embeddings
from art2mus.conditioning import NEGATIVE_PROMPT, Conditioning, VisualConditioningExtractor
from art2mus.sampling.denoise import denoise, latent_shape, to_mel, to_waveforms
from art2mus.sampling.image_files import ImageSource, read_image
from art2mus.sampling.noise import seeds_for, starting_noise
from art2mus.sampling.pipeline_parts import PipelineParts
from art2mus.sampling.ranking import FloatArray, Ranker, best_first, encoder_ranker, load_ranker
from art2mus.sampling.schedulers import make_scheduler, set_steps, usual_steps
from artsound.errors import UsageError

OutputType = Literal["np", "pt", "latent", "mel"]
_OUTPUTS: Final = ("np", "pt", "latent", "mel")


@dataclass
class Art2MusOutput(BaseOutput):
    """What the pipeline returns; an image's waveforms side by side, the best first where ranked.

    Attributes:
        audios: float32 waveforms, shape (images * waveforms, samples), NumPy or torch; latents
            (n, channels, frames / 4, bins / 4) or log-mels (n, frames, bins) where asked for.
        seeds: the seed of each; None where generators or no seeds were given.
        scores: of each, where they were ranked: the cosine to its artwork in the ranker's space.
        ranked_by: the embedder whose space that is, by its registry name.
    """

    audios: Any
    seeds: list[int] | None = None
    scores: list[float] | None = None
    ranked_by: str | None = None


class Art2MusPipeline(PipelineParts):
    """Generates music for artworks.

    The language model rolls the aligner's visual tokens out to Language-of-Audio tokens, which
    condition the U-Net beside FLAN-T5's encoding of a fixed prompt; the VAE and the vocoder turn
    the denoised latent into sound. `PipelineParts` says what it is made of.
    """

    @torch.no_grad()
    def __call__(
        self,
        images: ImageSource | Sequence[ImageSource] | None = None,
        *,
        image_embeds: torch.Tensor | None = None,
        duration_s: float = 10.0,
        num_inference_steps: int | None = None,
        guidance_scale: float = 3.5,
        negative_prompt: str = NEGATIVE_PROMPT,
        num_waveforms_per_image: int = 1,
        seed: int | Sequence[int] | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        scheduler: str | None = None,
        rank_by: str | None = "encoder",
        text: tuple[torch.Tensor, torch.Tensor] | None = None,
        negative: Conditioning | None = None,
        callback_on_step_end: Callable[..., dict[str, Any] | None] | None = None,
        output_type: OutputType = "np",
        return_dict: bool = True,
    ) -> Art2MusOutput | tuple[Any]:
        """Generate music for artworks.

        Args:
            images: one or more: Pillow's, paths of files, or http(s) addresses.
            image_embeds: their embeddings by the checkpoint's encoder instead, shape (n, d).
            duration_s: of each waveform; the output has exactly that many samples.
            num_inference_steps: passes of the U-Net; if None, 200 with `ddim`, which are the
                paper's, and 25 with `dpm-solver++`.
            guidance_scale: of classifier-free guidance; 1 or less leaves the negative branch out.
            negative_prompt: what to lead away from.
            num_waveforms_per_image: more than one are ranked by how close they are to the artwork.
            seed: one for all images, one an image, or one a waveform (`seeds_for`); an image's
                noise depends on its own seed alone, not on what is sampled beside it.
            generator: in place of a seed: one that all waveforms draw from in turn, or one each.
            scheduler: `ddim` or `dpm-solver++`; the pipeline's own if None.
            rank_by: in whose space several waveforms of an image are ranked: the encoder's own,
                where that has music in it (else they stay in the order of their seeds), or that of
                another embedder by name, such as `imagebind`; None leaves them in order.
            text: FLAN-T5's states of the fixed prompt, shape (1, s, d), and their mask, where
                they are known; the pipeline encodes the prompt itself otherwise.
            negative: the negative prompt's conditioning, likewise, of one row; it depends on the
                length of `text`, and so comes with it where there is guidance.
            callback_on_step_end: called as (pipeline, step, timestep, {"latents": ...}) after each
                step; a dictionary that it returns may hold other latents.
            output_type: `np`, `pt`, `mel` or `latent`.
            return_dict: whether to return an `Art2MusOutput` or only (audios,).

        Raises:
            UsageError: an argument does not fit.
            ArtsoundError: an image cannot be used.
        """
        _check(num_waveforms_per_image, guidance_scale, output_type)
        if seed is not None and generator is not None:
            raise UsageError("give a seed or a generator, not both")
        if text is not None and negative is None and guidance_scale > 1:
            raise UsageError("a `text` comes with its `negative`: give both, or neither")
        shape, samples = latent_shape(duration_s, self.unet, self.vae, self.vocoder)
        device = self._execution_device
        solver = make_scheduler(scheduler, self.scheduler)
        steps = usual_steps(solver) if num_inference_steps is None else num_inference_steps
        timesteps = set_steps(solver, steps, device)
        pictures = self._pictures(images, image_embeds)
        artworks = len(pictures) if image_embeds is None else len(image_embeds)
        seeds = seeds_for(seed, artworks, num_waveforms_per_image)
        count = artworks * num_waveforms_per_image
        noise = starting_noise(shape, count, seeds=seeds, generators=generator).to(device)
        extract = self.extractor(text)
        embeds = extract.embed(pictures) if image_embeds is None else image_embeds
        ranking = None
        if num_waveforms_per_image > 1 and rank_by and output_type in {"np", "pt"}:
            ranking = self._ranking(rank_by, pictures, embeds)
        positive = extract(embeds).repeat(num_waveforms_per_image)
        away = None
        if guidance_scale > 1:
            away = negative if negative is not None else self.encode_negative(negative_prompt)
        with self.progress_bar(total=steps) as bar:

            def on_step(step: int, timestep: Any, latents: torch.Tensor) -> torch.Tensor:
                bar.update()
                if callback_on_step_end is None:
                    return latents
                changed = callback_on_step_end(self, step, timestep, {"latents": latents}) or {}
                after: torch.Tensor = changed.get("latents", latents)
                return after

            latents = denoise(
                self.unet,
                solver,
                noise,
                positive,
                away,
                guidance_scale=guidance_scale,
                timesteps=timesteps,
                on_step=on_step,
            )
        output = self._finish(latents, samples, seeds, output_type, ranking)
        self.maybe_free_model_hooks()  # type: ignore[no-untyped-call]
        return output if return_dict else (output.audios,)

    def extractor(
        self, text: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> VisualConditioningExtractor:
        """Return what makes conditionings of artworks, out of the pipeline's parts.

        Args:
            text: FLAN-T5's states of the prompt and their mask; the pipeline's own prompt if None.

        Raises:
            UsageError: there is no text, and no backbone to encode the prompt.
        """
        states = text if text is not None else self.encode_text(self.prompt)
        return VisualConditioningExtractor(
            self.encoder, self.aligner, self.language_model, states, self.loa_tokens
        )

    def _pictures(
        self,
        images: ImageSource | Sequence[ImageSource] | None,
        image_embeds: torch.Tensor | None,
    ) -> list[Image.Image]:
        """Return the decoded images; none where their embeddings, which are checked, are given."""
        if (images is None) == (image_embeds is None):
            raise UsageError("give images or their image_embeds, one of the two")
        if image_embeds is not None:
            check_embeddings(image_embeds, self.aligner.embedding_dim)
            return []
        if images is None or isinstance(images, (str, Path, Image.Image)):
            several = [images]
        else:
            several = list(images)
        if not several:
            raise UsageError("there are no images: give one or more")
        if self.encoder is None:
            raise UsageError("the pipeline has no visual encoder: give `image_embeds`")
        return [read_image(image) for image in several if image is not None]

    def _ranking(
        self, rank_by: str, pictures: list[Image.Image], embeds: torch.Tensor
    ) -> tuple[Ranker, FloatArray] | None:
        """Return who ranks, and the artworks' vectors in that space, shape (images, d)."""
        own = self.encoder and encoder_ranker(self.encoder)
        if rank_by == "encoder" or (self.encoder and rank_by == self.encoder.name):
            return (own, embeds.float().cpu().numpy()) if own else None
        ranker = load_ranker(rank_by)
        if not pictures:
            raise UsageError(f"ranking by {rank_by} needs the images, not their embeddings")
        return ranker, ranker.embed(pictures)

    def _finish(
        self,
        latents: torch.Tensor,
        samples: int,
        seeds: tuple[int, ...] | None,
        output_type: OutputType,
        ranking: tuple[Ranker, FloatArray] | None,
    ) -> Art2MusOutput:
        listed = None if seeds is None else list(seeds)
        if output_type == "latent":
            return Art2MusOutput(latents, listed)
        mel = to_mel(latents, self.vae)
        if output_type == "mel":
            return Art2MusOutput(mel.float().cpu(), listed)
        sound = to_waveforms(mel, self.vocoder, samples)
        scores = name = None
        if ranking is not None:
            ranker, artworks = ranking
            per_image = len(sound) // len(artworks)
            repeated = artworks.repeat(per_image, axis=0)
            found = ranker.scores(repeated, list(sound.numpy()), self.sample_rate)
            order = best_first(found, per_image)
            sound = sound[torch.from_numpy(order)]
            scores, name = [float(found[place]) for place in order], ranker.name
            listed = None if listed is None else [listed[place] for place in order]
        return Art2MusOutput(sound if output_type == "pt" else sound.numpy(), listed, scores, name)


def _check(waveforms: int, guidance_scale: float, output_type: str) -> None:
    if waveforms < 1:
        raise UsageError(f"num_waveforms_per_image = {waveforms}: give 1 or more")
    if not math.isfinite(guidance_scale):
        raise UsageError(f"guidance_scale = {guidance_scale}: give a finite number")
    if output_type not in _OUTPUTS:
        raise UsageError(f"output_type {output_type!r}: there is {', '.join(_OUTPUTS)}")
