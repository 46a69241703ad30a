"""`art2mus sweep`: encoders and numbers of tokens, one training each, and table 6 of the paper.

The paper's table holds "average training metrics": the mean over the validations of a training. So
does ours, read from each training's log; the paper's rows stand beside it, labelled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from art2mus.data import Release, open_release
from art2mus.encoder_names import encoder_name
from art2mus.train import Trained, fitted, leave_group, train_one
from art2mus.training.early import check_plan
from art2mus.training.folder import RunFolder
from art2mus.training.log import FILE, Tracker
from art2mus.training.plan import first_process
from art2mus.training.progress import TrainingProgress
from art2mus.training.settings import TrainSettings
from artsound.atomic import write_atomically
from artsound.errors import UsageError
from artsound.table import Cell, Table

ENCODERS: Final = ("imagebind", "clip")
TOKENS: Final = (4, 6, 8, 10, 16)

# Table 6: FAD, KL, ImageBind score to the artwork and to the ground-truth music.
PAPER: Final[Mapping[tuple[str, int], tuple[float, float, float, float]]] = {
    ("ImageBind", 4): (19, 0.00266, 0.05716, 0.19363),
    ("ImageBind", 6): (19, 0.00273, 0.05693, 0.21398),
    ("ImageBind", 8): (19, 0.00284, 0.05946, 0.21341),
    ("ImageBind", 10): (19, 0.00386, 0.05288, 0.18045),
    ("ImageBind", 16): (19, 0.00279, 0.05986, 0.21661),
    ("CLIP", 4): (22, 0.00320, 0.05185, 0.18021),
    ("CLIP", 6): (23, 0.00317, 0.05663, 0.16921),
    ("CLIP", 8): (22, 0.00310, 0.05130, 0.17757),
    ("CLIP", 10): (21, 0.00307, 0.05378, 0.19169),
    ("CLIP", 16): (22, 0.00309, 0.05546, 0.17374),
}
# The columns of the table, and what the names of our metrics for them begin with.
_METRICS: Final = (
    ("FAD", "fad-"),
    ("KL-Div", "spectrum-kl"),
    ("IBSc Artw-GeMus", "score-artwork-"),
    ("IBSc GtMus-GeMus", "score-music-"),
)
_LOSS: Final = "loss"
_TABLE: Final = "table6"
_SUFFIXES: Final = (".csv", ".md", ".tex")


@dataclass(frozen=True)
class Swept:
    """One training of a sweep.

    Attributes:
        encoder: its registry name.
        tokens: how many an artwork became.
        averages: each metric's mean over the validations; empty without validation.
        toy: whether the backbone is a toy prior.
        trained: what `train` returned.
    """

    encoder: str
    tokens: int
    averages: dict[str, float]
    toy: bool
    trained: Trained


def sweep(
    release: Release | str | Path,
    out: Path,
    settings: TrainSettings,
    *,
    encoders: Sequence[str] = ENCODERS,
    tokens: Sequence[int] = TOKENS,
    cache: Path | None = None,
    log: Tracker = "none",
    progress: TrainingProgress | None = None,
) -> list[Swept]:
    """Train with every encoder and number of tokens, and write table 6.

    What is trained already stays, and what was stopped goes on.

    Args:
        release: an open release, its folder, or its repository.
        out: gets a checkpoint `<encoder>-<tokens>` each, and `table6.csv`, `.md` and `.tex`.
        settings: the recipe; its encoder and its number of tokens are replaced.
        encoders: names of embedders of images.
        tokens: numbers of tokens.
        cache: as for `train`.
        log: as for `train`.
        progress: as for `train`.

    Returns:
        The trainings, in order.

    Raises:
        UsageError: nothing to train, or something does not fit, before the first training.
        ArtsoundError: as for `train`.
    """
    if not encoders or not tokens:
        raise UsageError("nothing to sweep over: name one or more encoders and numbers of tokens")
    opened = release if isinstance(release, Release) else open_release(release)
    names = list(dict.fromkeys(encoder_name(encoder) for encoder in encoders))
    runs = [_with(settings, name, count) for name in names for count in dict.fromkeys(tokens)]
    for run in runs:
        check_plan(opened, fitted(run, opened))
        RunFolder(_place(out, run)).check(resume=None)
    _refuse_foreign_table(out)
    shown = progress or TrainingProgress(quiet=True)
    swept = []
    try:
        for number, run in enumerate(runs, start=1):
            place = _place(out, run)
            shown.say(f"{place.name}, {number} of {len(runs)}")
            done = train_one(opened, place, run, cache=cache, log=log, progress=shown)
            averages = average_metrics(done.folder / "training" / FILE)
            swept.append(Swept(run.encoder, run.aligner.tokens, averages, done.toy, done))
    finally:
        leave_group()
    if first_process():
        _write(sweep_table(swept), out)
    return swept


def average_metrics(log: Path) -> dict[str, float]:
    """Return each metric's mean over the validations in a training's log."""
    found: dict[str, list[float]] = {}
    for line in log.read_text("utf-8").splitlines():
        for name, value in json.loads(line).get("validation", {}).items():
            found.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in found.items()}


def sweep_table(swept: Sequence[Swept]) -> Table:
    """Return table 6: our rows, and then the paper's."""
    rows: list[tuple[Cell, ...]] = []
    for one in swept:
        cells = [_metric(one.averages, prefix) for _, prefix in _METRICS]
        loss = one.averages.get(_LOSS)
        rows.append(("ours", one.encoder, one.tokens, *cells, loss, one.trained.seconds / 3600))
    for (encoder, count), values in PAPER.items():
        rows.append(("paper", encoder, count, *(float(value) for value in values), None, None))
    notes = [
        "Ours: means over the validations of each training, as the paper's are; FAD and the scores"
        f" by {_named(swept)}. The paper's FAD is on VGGish (section 5.3).",
    ]
    if any(one.toy for one in swept):
        notes.append("Ours with a toy prior in place of AudioLDM 2: not comparable to the paper's.")
    return Table(
        _TABLE,
        "Table 6: visual encoders and numbers of tokens, average metrics of the training",
        (
            "By",
            "Image encoder",
            "Tok/Img",
            *(column for column, _ in _METRICS),
            "Validation loss",
            "Hours",
        ),
        tuple(rows),
        tuple(notes),
    )


def _with(settings: TrainSettings, encoder: str, tokens: int) -> TrainSettings:
    aligner = settings.aligner.model_copy(update={"tokens": tokens})
    return settings.model_copy(update={"encoder": encoder, "aligner": aligner})


def _place(out: Path, settings: TrainSettings) -> Path:
    return out / f"{settings.encoder}-{settings.aligner.tokens}"


def _refuse_foreign_table(out: Path) -> None:
    """Refuse to write over a table in a folder that no sweep has written to."""
    there = [path for suffix in _SUFFIXES if (path := out / f"{_TABLE}{suffix}").exists()]
    if there and not any(RunFolder(folder).is_ours for folder in out.iterdir()):
        raise UsageError(
            f"{there[0]} is there and no training of a sweep beside it: name another folder with"
            " --out"
        )


def _metric(averages: Mapping[str, float], prefix: str) -> float | None:
    return next((value for name, value in averages.items() if name.startswith(prefix)), None)


def _named(swept: Sequence[Swept]) -> str:
    names = {name for one in swept for name in one.averages if not name.startswith(_LOSS)}
    return ", ".join(sorted(names)) or "none, as no music was generated"


def _write(table: Table, folder: Path) -> None:
    texts = (table.csv(), table.markdown(), table.latex())
    for suffix, text in zip(_SUFFIXES, texts, strict=True):
        write_atomically(folder / f"{table.name}{suffix}", text.encode())
