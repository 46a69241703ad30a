"""Does a toy prior's aligner hear the artwork? Its loss on held-out artworks against two controls.

Usage: python examples/toy_controls.py RELEASE WORK [--backbone TOY] [--splits N] [--steps N] ...

All pairs of the release are split into folds. For each, a toy prior and an aligner are trained from
nothing on the others, and the fold's artworks are shown to the aligner: their own music's noise is
predicted with their own embedding, with another held-out artwork's (shuffled), and by an aligner
that was not trained. As by the lite recipe, an aligner learns from embeddings of music in the
artworks' place; --stand-ins 0 shows it artworks instead. WORK keeps the folds' priors: run it again
to continue. With --backbone TOY all folds share a finished prior, which may have heard the held-out
music, though never an artwork. With few pairs much hangs on the split: --splits 10 does it all ten
times and averages.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from art2mus.data import open_release
from art2mus.encoders import VisualEncoder
from art2mus.lite.controls import Losses, advantage
from art2mus.lite.cross_validation import FoldSettings, cross_validate
from art2mus.lite.music import Music, gather
from art2mus.lite.prior import PriorSettings
from art2mus.training.progress import TrainingProgress
from art2mus.training.settings import StandIns
from artsound.table import Table, show_tables
from artsound.threads import limited


def main() -> None:
    """Cross-validate and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("release", help="a release's folder")
    parser.add_argument("work", type=Path, help="where the folds' priors are kept")
    parser.add_argument("--backbone", type=Path, help="one finished prior for all folds")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--splits", type=int, default=1, help="into folds, which are averaged over")
    parser.add_argument("--prior-steps", type=int, default=PriorSettings().steps)
    parser.add_argument("--steps", type=int, default=FoldSettings().steps, help="of the aligner")
    parser.add_argument(
        "--stand-ins",
        type=float,
        default=FoldSettings().stand_ins.share,
        metavar="SHARE",
        help="of the examples in which music stands in for its artwork (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    release = open_release(given.release)
    encoder = VisualEncoder.load("lite")
    parts: list[Music] = []
    images: list[torch.Tensor] = []
    pairs: list[str] = []
    with TrainingProgress() as progress:
        for split in release.splits:
            music = gather(release, split, tracks=release.splits[split], report=progress)
            parts.append(Music(music.mels, music.embeddings, music.rows + len(pairs)))
            for media in release.media(split):
                images.append(encoder.embed([media.image()]))
                pairs.append(media.pair.pair_id)
        stand_ins = StandIns(share=given.stand_ins, spread=FoldSettings().stand_ins.spread)
        settings = FoldSettings(
            stand_ins=stand_ins,
            folds=given.folds,
            splits=given.splits,
            prior=PriorSettings(steps=given.prior_steps, seed=given.seed),
            steps=given.steps,
            seed=given.seed,
        )
        given.work.mkdir(parents=True, exist_ok=True)
        joined = Music(*(torch.cat(column) for column in zip(*map(_columns, parts), strict=True)))
        artworks = torch.cat(images)
        with limited(1):  # so small a network gains nothing by a second thread
            found = cross_validate(
                joined, artworks, given.work, settings, prior=given.backbone, report=progress
            )
            folds = list(found)
    losses = Losses.averaged([fold.losses for fold in folds], [fold.held for fold in folds])
    show_tables([_per_item(pairs, losses), _overall(losses)])


def _columns(music: Music) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return music.mels, music.embeddings, music.rows


def _per_item(pairs: list[str], losses: Losses) -> Table:
    found = [advantage(losses.own, control).per_item for control in _controls(losses).values()]
    rows = [
        (pair, float(own.mean()), *(f"{100 * item:+.2f} %" for item in items))
        for pair, own, *items in zip(pairs, losses.own, *found, strict=True)
    ]
    return Table(
        "held_out",
        "Held-out pairs: loss with the trained aligner, and how much more the controls lose",
        ("pair", "loss", *_controls(losses)),
        tuple(rows),
    )


def _overall(losses: Losses) -> Table:
    rows = []
    for name, control in _controls(losses).items():
        found = advantage(losses.own, control)
        interval = f"{100 * found.low:+.2f} % to {100 * found.high:+.2f} %"
        wins = f"{found.wins} of {len(losses.own)}"
        rows.append((name, f"{100 * found.mean:+.2f} %", interval, wins))
    return Table(
        "advantage",
        "By how much the trained aligner beats its controls on held-out artworks",
        ("control", "mean", "95 % interval", "wins"),
        tuple(rows),
        (
            "An interval is a bootstrap's over the pairs; one that holds 0 shows nothing.",
            "A toy prior: it says nothing about AudioLDM 2.",
        ),
    )


def _controls(losses: Losses) -> dict[str, np.ndarray]:
    return {"shuffled": losses.shuffled, "untrained": losses.untrained}


if __name__ == "__main__":
    main()
