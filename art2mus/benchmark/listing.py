"""`art2mus benchmark models` and `metrics`: what there is, and what has to be known of it."""

from __future__ import annotations

from typing import Final

from art2mus.benchmark.terminal import OUT, line

_CLASS: Final = """\
    class Mine:
        sample_rate = 16000              # Hz; load() may set it, too

        def load(self):
            self.network = ...

        def generate(self, images, seconds, seeds):
            return [self.network(image, seconds, seed) for image, seed in zip(images, seeds)]
"""


def list_models() -> None:
    """Print every model: what it is given, its weights, licence and settings; and the classes."""
    from art2mus.benchmark.models.registry import MODELS, settings_of

    for name, entry in MODELS.items():
        size = f" (about {entry.gigabytes:g} GB)" if entry.gigabytes else ""
        OUT.print(f"[bold]{name}[/]  {entry.kind}: {entry.summary}", soft_wrap=True)
        line("given", entry.takes)
        line("weights", f"{entry.weights}{size}")
        line("licence", entry.license)
        if entry.note:
            line("note", entry.note)
        known = settings_of(entry)
        if known:
            said = (
                f"{key} (needed)" if value is ... else f"{key}={'' if value is None else value}"
                for key, value in known.items()
            )
            line("--set", ", ".join(said))
    OUT.print("[bold]module:Class[/]  a class of your own, of two methods", soft_wrap=True)
    line("given", "images: Pillow images in RGB; seconds: a float; seeds: an integer an image")
    line(
        "returns",
        "a list with an array or tensor an image, shape (samples,) or (channels, samples), of 1 s"
        " or more: floats with full scale 1 (a peak above 8 is refused), or int16, int32 or uint8"
        " as in WAV files",
    )
    line("--set", "arguments of the constructor; `about`, a dictionary, goes into the results")
    OUT.print(_CLASS, soft_wrap=True, markup=False, end="")


def list_metrics(*, names: bool) -> None:
    """Print every metric: what it is and is not, then the embedders and suites.

    Args:
        names: only the names that `--metric` takes, one a line.
    """
    from art2mus.benchmark.embedders.registry import EMBEDDERS
    from art2mus.benchmark.metrics.registry import METRICS, SUITES
    from art2mus.benchmark.metrics.registry import names as every

    if names:
        OUT.print("\n".join(every()), markup=False)
        return
    for name, metric in METRICS.items():
        better = {True: "higher is better", False: "lower is better", None: "neither end is better"}
        said = f"version {metric.version}, {better[metric.higher_is_better]}"
        OUT.print(f"[bold]{name}[/]  {said}", soft_wrap=True)
        line("is", metric.summary)
        line("is not", metric.caveat)
    for name, entry in EMBEDDERS.items():
        OUT.print(f"[bold]{name}[/]  embedder", soft_wrap=True)
        line("weights", entry.source)
        line("licence", entry.license)
        line("gives", f"{', '.join(sorted(entry.gives))} of {', '.join(sorted(entry.sees))}")
    for name, held in SUITES.items():
        OUT.print(f"[bold]{name}[/]  suite", soft_wrap=True)
        line("has", ", ".join(held))
