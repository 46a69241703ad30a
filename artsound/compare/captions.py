"""Tables 4, 10 and 11: captioners and fusers on a sample of a workspace, beside the paper's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final, TypeVar

from artsound import paper
from artsound.captions.artworks import caption_artworks
from artsound.captions.fusion import Track, fuse_captions
from artsound.captions.issues import Issue, inspect_audio_caption
from artsound.captions.refine import Outcome
from artsound.captions.segments import segments_of
from artsound.compare.pairings import Progress
from artsound.compare.pictures import Sample
from artsound.errors import ArtsoundError, UsageError
from artsound.models.base import SegmentCaptioner
from artsound.models.batching import in_batches
from artsound.schema import Status
from artsound.sources.items import read_audio, read_image
from artsound.stage import Build
from artsound.table import Cell, Table

# What the paper dropped captioners for; the scores' own issues are columns already.
_FAULTS: Final = (
    Issue.ASKS_QUESTION,
    Issue.DIALOGUE,
    Issue.REPEATS,
    Issue.TOO_SHORT,
    Issue.TOO_LONG,
)
_EXAMPLES: Final = 3
_PART: Final = 16
Row = tuple[Cell, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Captioned:
    """What one model made of the sample.

    Attributes:
        model: its registry name.
        seconds: what captioning and scoring took an item, those of the first part apart, in which
            models warm up; None where there is no second part.
        captions: by item, in order; None where the model failed.
        scores: of each caption, by column name; empty where there are none.
        issues: of each caption, codes of `Issue`.
    """

    model: str
    seconds: float | None
    captions: Mapping[str, str | None]
    scores: Sequence[Mapping[str, float | None]]
    issues: Sequence[Sequence[str]]

    @property
    def made(self) -> list[str]:
        """The captions that were made."""
        return [caption for caption in self.captions.values() if caption]

    @property
    def failed(self) -> int:
        """How many captions were not made."""
        return len(self.captions) - len(self.made)

    @property
    def characters(self) -> float | None:
        """The captions' mean length."""
        return fmean(len(caption) for caption in self.made) if self.made else None

    def mean(self, score: str) -> float | None:
        """Return the mean of a score over the captions that have it."""
        values = [value for row in self.scores if (value := row.get(score)) is not None]
        return fmean(values) if values else None

    def share(self, issue: Issue) -> float | None:
        """Return the share of captions with an issue."""
        return fmean(issue in found for found in self.issues) if self.issues else None


def caption_sample_artworks(
    build: Build, sample: Sample, model: str, progress: Progress
) -> Captioned:
    """Caption the sample's artworks with a captioner, one attempt each."""
    settings = build.recipe.image_captions.model_copy(
        update={"captioner": model, "max_regenerations": 0}
    )

    def run(part: slice) -> list[Outcome]:
        rows = sample.artworks[part]
        images = [read_image(build, row["file_name"]) for row in rows]
        return caption_artworks(rows, images, settings, build.models)

    keys = [str(row["artwork_id"]) for row in sample.artworks]
    outcomes, seconds = _in_parts(f"artworks by {model}", len(keys), progress, run)
    return _captioned(model, keys, outcomes, seconds)


def fuse_sample_captions(build: Build, sample: Sample, model: str, progress: Progress) -> Captioned:
    """Fuse the segment captions of the sample's tracks with a fuser, one attempt each.

    Raises:
        ArtsoundError: no track of the sample has a segment caption.
    """
    settings = build.recipe.audio_captions.model_copy(
        update={"fuser": model, "max_regenerations": 0}
    )
    tracks = _segments(build, sample)

    def run(part: slice) -> list[Outcome]:
        return fuse_captions(tracks[part], settings, build.models)

    outcomes, seconds = _in_parts(f"tracks by {model}", len(tracks), progress, run)
    return _captioned(model, [str(track) for track, _ in tracks], outcomes, seconds)


def caption_sample_segments(
    build: Build, sample: Sample, model: str, progress: Progress
) -> Captioned:
    """Caption the first segment of each of the sample's tracks with a captioner."""
    captioner: SegmentCaptioner = build.models.load("segment_captioner", model)
    rate = captioner.sample_rate
    limits = build.recipe.audio_captions

    def run(part: slice) -> list[str | Exception]:
        requests = []
        for row in sample.tracks[part]:
            waveform = read_audio(build, row["file_name"], rate)
            settings = build.recipe.segment_captions
            requests.append(segments_of(row["track_id"], waveform, rate, settings)[0].request)
        return in_batches(requests, build.recipe.segment_captions.batch, captioner.caption)

    made, seconds = _in_parts(f"segments by {model}", len(sample.tracks), progress, run)
    captions = {
        str(row["track_id"]): caption if isinstance(caption, str) and caption else None
        for row, caption in zip(sample.tracks, made, strict=True)
    }
    issues = [
        inspect_audio_caption((caption,), caption, limits.min_chars, limits.max_chars)
        for caption in captions.values()
        if caption
    ]
    return Captioned(model, seconds, captions, [], [[i.value for i in found] for found in issues])


def captioners_tables(name: str, title: str, found: Sequence[Captioned]) -> list[Table]:
    """Return what captioners made, lengths and scores, and what is wrong with it.

    Args:
        name: of the tables' files: `captioners_artworks` or `captioners_segments`.
        title: one line.
        found: what each made.
    """
    columns = ("captioner", "row", "captions", "failed", "characters")
    of_scores = {"CLIP-Score": "clip_score", "PAC-Score": "pac_score", "ICScore": "ic_score"}
    if not any(one.scores for one in found):
        of_scores = {}
    rows: list[Row] = [
        (
            one.model,
            "ours",
            len(one.made),
            one.failed,
            one.characters,
            *(one.mean(score) for score in of_scores.values()),
            one.seconds,
        )
        for one in found
    ]
    if of_scores:
        known = paper.IMAGE_CAPTIONS.figures
        means = [known[score].mean for score in ("length", *of_scores.values())]
        rows.append(("llava-1.6-mistral-7b", "paper", known["length"].n, None, *means, None))
    return [
        Table(
            name,
            title,
            (*columns, *of_scores, "s an item"),
            tuple(rows),
            (
                "One attempt an item, nothing refined.",
                "Scores are the workspace's own scorers': rows of another recipe do not compare.",
            )[: 2 if of_scores else 1],
        ),
        _faults_table(f"{name}_faults", found, "artworks" in name),
    ]


def _faults_table(name: str, found: Sequence[Captioned], artworks: bool) -> Table:
    rows: list[Row] = [
        (one.model, "ours", *(_percent(one.share(issue)) for issue in _FAULTS), "") for one in found
    ]
    verdicts = paper.ARTWORK_CAPTIONERS if artworks else paper.SEGMENT_CAPTIONERS
    rows += [(model, "paper", *[""] * len(_FAULTS), said) for model, said in verdicts.items()]
    issues = (issue.value.replace("_", " ") for issue in _FAULTS)
    columns = ("captioner", "row", *issues, "verdict")
    notes = ("Shares of the captions; the paper gives examples and a verdict, no figures.",)
    return Table(name, "What is wrong with them", columns, tuple(rows), notes)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def fusers_table(found: Sequence[Captioned], threshold: float) -> Table:
    """Return table 4: ROUGE-1, BERT-Score and ACScore of fused captions."""
    scores = ("rouge1", "bert_score", "ac_score")
    rows: list[Row] = [
        (
            one.model,
            "ours",
            len(one.made),
            one.failed,
            *(one.mean(score) for score in scores),
            fmean((row["ac_score"] or 0) >= threshold for row in one.scores)
            if one.scores
            else None,
            one.characters,
            one.seconds,
        )
        for one in found
    ]
    rows += [
        (model, "paper", None, None, *figures, None, None, None)
        for model, figures in paper.FUSERS.items()
    ]
    columns = (
        "fuser",
        "row",
        "captions",
        "failed",
        "ROUGE-1",
        "BERT-Score",
        "ACScore",
        f">= {threshold:g}",
        "characters",
        "s an item",
    )
    note = (
        "One attempt an item, nothing refined. The paper's BERT-Score is RoBERTa-large's; ours is"
        " the recipe's."
    )
    return Table(
        "fusers", "Table 4: fused captions against their segments'", columns, tuple(rows), (note,)
    )


def examples_table(name: str, found: Sequence[Captioned]) -> Table:
    """Return the captions of a few items, as tables 10 and 11 print them."""
    items = list(found[0].captions)[:_EXAMPLES] if found else []
    rows = tuple(
        (item, one.model, " ".join((one.captions[item] or "(failed)").split()))
        for item in items
        for one in found
    )
    return Table(f"{name}_examples", "What they said", ("item", "model", "caption"), rows)


def chosen(
    wanted: Sequence[str], recipe_has: str, known: Mapping[str, Any], role: str
) -> list[str]:
    """Return the models to compare: those asked for, or the recipe's own.

    Raises:
        UsageError: a model that was asked for does not play the role.
    """
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"--model {name}: no {role.replace('_', ' ')} of that name;"
                f" available: {', '.join(sorted(known))}"
            )
    return list(dict.fromkeys(wanted)) or [recipe_has]


def _captioned(
    model: str, keys: Sequence[str], outcomes: Sequence[Outcome], seconds: float | None
) -> Captioned:
    attempts = [outcome.attempts[0] for outcome in outcomes]
    judged = [attempt.judgement for attempt in attempts if attempt.judgement]
    return Captioned(
        model,
        seconds,
        {key: attempt.caption for key, attempt in zip(keys, attempts, strict=True)},
        [judgement.scores for judgement in judged],
        [judgement.issues for judgement in judged],
    )


def _in_parts(
    what: str,
    count: int,
    progress: Progress,
    run: Callable[[slice], Sequence[T]],
) -> tuple[list[T], float | None]:
    """Run over `count` items in parts, with progress; returns results and seconds an item."""
    made: list[T] = []
    progress(what, 0, count)
    began = time.perf_counter()
    for start in range(0, count, _PART):
        if start == _PART:
            began = time.perf_counter()
        made += run(slice(start, min(start + _PART, count)))
        progress(what, len(made), count)
    warm = count - _PART
    return made, (time.perf_counter() - began) / warm if warm > 0 else None


def _segments(build: Build, sample: Sample) -> list[Track]:
    wanted = {row["track_id"] for row in sample.tracks}
    captions: dict[int, list[str]] = {}
    for row in build.workspace.read("segment_captions").to_pylist():
        if row["track_id"] in wanted and row["status"] == Status.OK:
            captions.setdefault(row["track_id"], []).append(row["caption"])
    if not captions:
        raise ArtsoundError(f"{build.workspace.root}: no track of the sample has segment captions")
    return [(track, tuple(captions[track])) for track in sorted(captions)]
