"""Making a toy backbone: a folder in AudioLDM 2's layout, trained on a release's own music."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from torch import Tensor

from art2mus.backbone import Backbone
from art2mus.data import Release, check_release
from art2mus.lite.codec import PatchCodec
from art2mus.lite.music import TRACKS, Music, Report, gather
from art2mus.lite.parts import LATENT_CHANNELS, make_parts
from art2mus.lite.prior import PriorSettings, pretrain
from art2mus.lite.state import FILE as STATE
from art2mus.lite.unfinished import unfinished
from art2mus.lite.vocoder import GriffinLimVocoder
from artsound.models.pretrained import quiet
from artsound.threads import limited

_INDEX: Final[dict[str, Any]] = {
    "_class_name": "AudioLDM2Pipeline",
    "art2mus_toy": True,
    "language_model": ["transformers", "GPT2Model"],
    "projection_model": ["audioldm2", "AudioLDM2ProjectionModel"],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "ClapModel"],
    "text_encoder_2": ["transformers", "T5EncoderModel"],
    "tokenizer": ["transformers", "RobertaTokenizer"],
    "tokenizer_2": ["transformers", "T5Tokenizer"],
    "unet": ["audioldm2", "AudioLDM2UNet2DConditionModel"],
    "vae": ["art2mus.lite.codec", "PatchCodec"],
    "vocoder": ["art2mus.lite.vocoder", "GriffinLimVocoder"],
}
_TRAINED: Final = {
    "unet": "diffusion_pytorch_model.safetensors",
    "language_model": "model.safetensors",
}
_CARD: Final = """---
tags: [art2mus, toy]
---

# A toy prior, not AudioLDM 2

`art2mus toy` trained this backbone on {clips} clips of 10 seconds of the release {release} (its
train split) in {steps} steps. It has AudioLDM 2's layout, so that Art2Mus trains and samples with
it where AudioLDM 2 cannot be had, and sounds roughly like the few minutes of music that it was made
from. Nothing that is measured with it says anything about AudioLDM 2 or about the paper's models.

The VAE's place is taken by a PCA of 4 x 4 patches of the spectrogram, the vocoder's by Griffin and
Lim's algorithm. The text encoders are random. The licences of the release's tracks apply: see the
release's card.
"""


def make_toy(
    release: Release,
    out: Path,
    settings: PriorSettings | None = None,
    report: Report | None = None,
    *,
    tracks: int = TRACKS,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train a toy backbone on a release's train split and write it.

    Where it was stopped before, with the same settings and music, its training goes on.

    Args:
        release: with audio.
        out: the folder; it must not exist yet.
        settings: how it is trained.
        report: told what is done, how much of it, and of how much.
        tracks: how many of the split's first it learns from; all are in memory.
        say: told in a line whether it goes on with what was stopped.

    Returns:
        The folder, which `Backbone.open` opens. It appears when it is complete.

    Raises:
        UsageError: the folder is there already, or the release is without audio.
        ArtsoundError: a track is missing or cannot be decoded, or another command makes the folder
            now.
    """
    chosen = settings or PriorSettings()
    with unfinished(out) as begun:
        check_release(release, needs_image=False)
        music = gather(release, tracks=tracks, report=report)
        _train(music, begun, chosen, release.name, report, say)
        begun.rename(out)
    return out


def train_toy(
    music: Music,
    out: Path,
    settings: PriorSettings,
    *,
    name: str = "",
    report: Report | None = None,
) -> Path:
    """Train a toy backbone on clips and write it; see `make_toy`."""
    with unfinished(out) as begun:
        _train(music, begun, settings, name, report)
        begun.rename(out)
    return out


def _train(
    music: Music,
    folder: Path,
    settings: PriorSettings,
    name: str,
    report: Report | None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Make the backbone in a folder, of which only the state of a stopped training is kept."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != STATE:
            path.unlink()
    codec = PatchCodec.fit(music.mels, LATENT_CHANNELS)
    _write_parts(folder, codec, settings.seed)
    backbone = Backbone.open(folder)
    latents = _latents(codec, music.mels)
    # So small a network gains nothing from a second thread, and loses much where it must share.
    with limited(1):
        losses = pretrain(
            backbone, latents, music.embeddings, settings, report, state=folder / STATE, say=say
        )
    for part, file in _TRAINED.items():
        # The weights alone: a configuration that was read also says where it was read from.
        save_file(backbone.part(part).state_dict(), folder / part / file, {"format": "pt"})
    made = {**asdict(settings), "clips": len(music), "loss": _last(losses), "release": name}
    (folder / "toy.json").write_text(json.dumps(made, indent=2) + "\n", "utf-8")
    card = _CARD.format(clips=len(music), release=name or "it was given", steps=settings.steps)
    (folder / "README.md").write_text(card, "utf-8")
    (folder / STATE).unlink(missing_ok=True)


def _write_parts(folder: Path, codec: PatchCodec, seed: int) -> None:
    """Write every part with its first weights: from then on it is a backbone like any other."""
    with quiet():
        for name, part in vars(make_parts(seed)).items():
            part.save_pretrained(folder / name)
    codec.save_pretrained(folder / "vae")
    GriffinLimVocoder().save_pretrained(folder / "vocoder")
    (folder / "model_index.json").write_text(json.dumps(_INDEX, indent=2) + "\n", "utf-8")


def _latents(codec: Any, mels: Tensor) -> Tensor:
    with torch.no_grad():
        latents: Tensor = codec.encode(mels[:, None]).latent_dist.mode()
    return latents * float(codec.config.scaling_factor)


def _last(losses: list[float]) -> float:
    """Return the mean loss of the last tenth of the steps."""
    tail = losses[-max(1, len(losses) // 10) :]
    return round(sum(tail) / len(tail), 6)
