"""`art2mus sample`: music for artworks, from the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer
from rich.console import Console

from artsound.errors import ArtsoundError, UsageError

if TYPE_CHECKING:
    from art2mus.sampling.inputs import Inputs
    from art2mus.sampling.sample import Progress

Format = Literal["wav", "flac"]
Scheduler = Literal["ddim", "dpm-solver++"]
Precision = Literal["float32", "bfloat16"]
Device = Literal["auto", "cpu", "cuda"]

EPILOG: Final = (
    "Examples:\n\n"
    "[bold]art2mus sample ckpt paintings/ --out music[/]\n\n"
    "[bold]art2mus sample ckpt monet.jpg 'scans/*.png' --out music --grid 4 --rank[/]\n\n"
    "[bold]art2mus sample ckpt monet.jpg --out quick --scheduler dpm-solver++ --steps 25[/]\n\n"
    "[bold]art2mus sample ckpt --release artsound-lite --split test --out predictions[/]"
)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("sample", epilog=EPILOG)(sample)


def sample(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CKPT", help="A trained checkpoint: a folder or a repository.")
    ],
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGES...", help="Files, folders, patterns or http(s) addresses."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder of the music.")] = Path("samples"),
    release: Annotated[
        str | None, typer.Option(metavar="R", help="Sample a release's artworks instead.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which of the release's splits.")] = "test",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many rows of the split.")
    ] = None,
    duration: Annotated[float, typer.Option(help="Seconds of music, up to 600.")] = 10.0,
    steps: Annotated[
        int | None,
        typer.Option(min=1, max=999, help="200 with ddim, the paper's; 25 with dpm-solver++."),
    ] = None,
    guidance: Annotated[
        float, typer.Option(help="Classifier-free guidance; 1 or less for none.")
    ] = 3.5,
    negative: Annotated[
        str | None, typer.Option(help="What to lead away from; the checkpoint's by default.")
    ] = None,
    scheduler: Annotated[Scheduler, typer.Option(help="How the noise is taken away.")] = "ddim",
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    grid: Annotated[
        int, typer.Option(min=1, max=100, help="Sounds an artwork, of as many seeds.")
    ] = 1,
    rank: Annotated[
        bool, typer.Option("--rank", help="Score each sound in the encoder's space; best first.")
    ] = False,
    rank_by: Annotated[
        str | None, typer.Option(help="Score in the space of this embedder, such as imagebind.")
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="Of the files, 16 bits.")] = "wav",
    backbone: Annotated[
        str | None, typer.Option(help="AudioLDM 2, where it is not as the checkpoint names it.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="The visual encoder; only the checkpoint's own will do.")
    ] = None,
    encoder_checkpoint: Annotated[
        str | None, typer.Option(help="The encoder's weights, where not the registered ones.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="A commit, tag or branch of the checkpoint's repository.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Sounds at a time; 1 on a CPU, 8 on a GPU.")
    ] = None,
    device: Annotated[Device, typer.Option(help="auto takes a GPU where there is one.")] = "auto",
    precision: Annotated[
        Precision | None, typer.Option(help="float32 on a CPU, bfloat16 on a GPU.")
    ] = None,
    offload: Annotated[
        bool, typer.Option("--offload", help="Keep on the GPU only the part that computes.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Make anew what was made with other settings.")
    ] = False,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Write index.html.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the page.")] = False,
) -> None:
    """Make music for artworks: a sound each, a JSON beside it, and a page to see and hear them.

    Run again after an interruption, it makes only what is missing. Bad images in folders and
    patterns are left out and named at the end.
    """
    from art2mus.sampling.schedulers import USUAL_STEPS
    from art2mus.sampling.settings import SampleSettings, check_places
    from art2mus.training.progress import TrainingProgress

    if bool(images) == (release is not None):
        raise UsageError("give images, or a release with --release, one of the two")
    settings = SampleSettings(
        steps=steps or USUAL_STEPS[scheduler],
        guidance=guidance,
        negative_prompt=negative,
        duration_s=duration,
        scheduler=scheduler,
        format=format_,
    )
    settings.check()
    check_places(checkpoint, out)
    with TrainingProgress(quiet=quiet) as bar:
        inputs, skipped = _inputs(images or [], release, split, limit, out, page, bar)
        # What is wrong with the images is said before the heavy imports.
        on_gpu = _on_gpu(device)
        if offload and not on_gpu:
            raise UsageError("--offload needs a GPU: leave it out, all computes on the CPU")
        from art2mus.sampling.sample import sample as make

        done = make(
            checkpoint,
            inputs,
            out,
            replace(settings, precision=precision or ("bfloat16" if on_gpu else "float32")),
            seeds=range(seed, seed + grid),
            rank_by=rank_by or ("encoder" if rank else None),
            backbone=backbone,
            encoder=encoder,
            encoder_checkpoint=encoder_checkpoint,
            revision=revision,
            batch=batch or (8 if on_gpu else 1),
            device="cuda" if on_gpu else "cpu",
            offload=offload,
            overwrite=overwrite,
            page=page,
            progress=bar,
        )
    console = Console(highlight=False)
    if not quiet:
        there = f" ({len(done.there)} were there)" if done.there else ""
        sounds = f"{len(done.made)} sound{'' if len(done.made) == 1 else 's'}"
        console.print(f"made {sounds} in {out}{there}", soft_wrap=True, markup=False)
        if done.toy:
            console.print("by a toy prior: it shows that the pipeline works, not the paper's music")
    if done.page:
        console.print(f"open {done.page}", soft_wrap=True, markup=False)
    if skipped:
        for line in skipped:
            Console(stderr=True, highlight=False).print(line, soft_wrap=True, markup=False)
        raise ArtsoundError(
            f"left out {len(skipped)} of {len(skipped) + len(inputs.artworks)} images, as said"
            " above: mend or remove them, and run the same command again"
        )


def _inputs(
    images: list[str],
    release: str | None,
    split: str,
    limit: int | None,
    out: Path,
    page: bool,
    bar: Progress,
) -> tuple[Inputs, list[str]]:
    """Return the artworks, and a line for each bad image that was left out."""
    from art2mus.data import open_release
    from art2mus.sampling.inputs import FileInputs, ReleaseInputs
    from art2mus.sampling.page import check_page
    from art2mus.sampling.page.own import OwnFiles

    if page:
        check_page(out)

    def told(done: int, total: int) -> None:
        bar("reading", done, total)

    if release is None:
        found = FileInputs(images, without=OwnFiles(out).paths(), told=told)
        return found, found.skipped
    return ReleaseInputs(open_release(release), split, limit=limit, told=told), []


def _on_gpu(device: Device) -> bool:
    if device == "cpu":
        return False
    import torch

    if torch.cuda.is_available():
        return True
    if device == "cuda":
        raise UsageError("--device cuda: this machine has no usable GPU")
    return False
