"""The stage that merges segment captions into one caption a track: audio_captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from artsound import schema
from artsound.captions.artworks import attempt_rows, failure_reason
from artsound.captions.issues import Issue, inspect_audio_caption
from artsound.captions.prompts import fusion_prompt
from artsound.captions.refine import Ask, Generated, Judged, Judgement, Outcome, refine
from artsound.models.base import CaptionFuser, FusionRequest, TextSimilarity
from artsound.models.batching import in_batches
from artsound.models.registry import Models
from artsound.recipe import AudioCaptions, Recipe
from artsound.schema import Reason, Status
from artsound.scores import ac_score, rouge1
from artsound.scores.audio_caption import bert_scores
from artsound.stage import Build, Stage

Track = tuple[int, tuple[str, ...]]


class AudioCaptionsStage(Stage):
    """Fuses the segment captions of one part, refining what falls short."""

    table = "audio_captions"
    side_tables = ("audio_caption_attempts",)
    reads = ("segment_captions",)

    def models(self, recipe: Recipe) -> tuple[tuple[str, str], ...]:
        """Return the fuser and the model behind BERT-Score."""
        settings = recipe.audio_captions
        return (("fuser", settings.fuser), ("text_similarity", settings.similarity))

    def settings(self, recipe: Recipe) -> Mapping[str, object]:
        """Return the fusion settings."""
        return recipe.audio_captions.model_dump()

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        """Fuse the captions of one part's tracks."""
        segments: dict[int, list[str]] = {}
        for row in build.workspace.read("segment_captions", shard=shard).to_pylist():
            captions = segments.setdefault(row["track_id"], [])
            if row["status"] == Status.OK:
                captions.append(row["caption"])
        settings = build.recipe.audio_captions
        whole = [(track, tuple(captions)) for track, captions in segments.items() if captions]
        outcomes = fuse_captions(whole, settings, build.models)
        lost = [track for track, captions in segments.items() if not captions]
        return _tables(whole, outcomes, lost, settings)


def fuse_captions(
    tracks: Sequence[Track], settings: AudioCaptions, models: Models | None = None
) -> list[Outcome]:
    """Fuse the segment captions of tracks with the recipe's fuser and refinement settings.

    Args:
        tracks: a track's id and its segment captions in order, at least one.
        settings: the recipe's section.
        models: what the recipe says of its models; as the registry has them if None.
    """
    models = models or Models()
    fuser: CaptionFuser = models.load("fuser", settings.fuser)
    similarity: TextSimilarity = models.load("text_similarity", settings.similarity)

    def generate(asks: Sequence[Ask]) -> list[Generated]:
        requests = [
            FusionRequest(str(tracks[ask.item][0]), tracks[ask.item][1], ask.prompt, ask.feedback)
            for ask in asks
        ]
        return in_batches(requests, settings.batch, fuser.fuse)

    def judge_batch(captions: Sequence[tuple[int, str]]) -> list[Judgement]:
        segments = [tracks[item][1] for item, _ in captions]
        texts = [text for _, text in captions]
        berts = bert_scores(segments, texts, similarity)
        return [
            _judgement(parts, text, float(bert), settings)
            for parts, text, bert in zip(segments, texts, berts, strict=True)
        ]

    def judge(captions: Sequence[tuple[int, str]]) -> list[Judged]:
        return in_batches(captions, settings.batch, judge_batch)

    return refine(
        [fusion_prompt(segments) for _, segments in tracks],
        generate,
        judge,
        threshold=settings.threshold,
        max_regenerations=settings.max_regenerations,
        keep=settings.keep,
    )


def _judgement(
    segments: Sequence[str], text: str, bert: float, settings: AudioCaptions
) -> Judgement:
    rouge = rouge1(segments, text)
    score = float(ac_score(rouge, bert, settings.alpha))
    found = list(inspect_audio_caption(segments, text, settings.min_chars, settings.max_chars))
    if rouge < settings.threshold:
        found.append(Issue.LOW_ROUGE1)
    if bert < settings.threshold:
        found.append(Issue.LOW_BERT_SCORE)
    scores = {"rouge1": rouge, "bert_score": bert, "ac_score": score}
    return Judgement(score, scores, tuple(issue.value for issue in found))


def _tables(
    tracks: Sequence[Track],
    outcomes: Sequence[Outcome],
    lost: Sequence[int],
    settings: AudioCaptions,
) -> dict[str, pa.Table]:
    captions: list[dict[str, Any]] = []
    attempts: list[dict[str, Any]] = []
    common = {"model": settings.fuser, "scorer": settings.similarity}
    for (track_id, _), outcome in zip(tracks, outcomes, strict=True):
        kept = outcome.kept
        captions.append(
            {
                "track_id": track_id,
                "caption": kept.caption if kept else None,
                **(dict(kept.judgement.scores) if kept and kept.judgement else {}),
                "attempts": len(outcome.attempts),
                "accepted": outcome.accepted,
                **common,
                "status": Status.OK if kept else Status.FAILED,
                "reason": failure_reason(outcome),
            }
        )
        attempts += attempt_rows("track_id", track_id, outcome, settings.fuser)
    captions += [
        {
            "track_id": track_id,
            "attempts": 0,
            "accepted": False,
            **common,
            "status": Status.FAILED,
            "reason": f"{Reason.CAPTION_FAILED}: no segment has a caption",
        }
        for track_id in lost
    ]
    captions.sort(key=lambda row: row["track_id"])
    return {
        "audio_captions": pa.Table.from_pylist(captions, schema.AUDIO_CAPTIONS),
        "audio_caption_attempts": pa.Table.from_pylist(attempts, schema.AUDIO_CAPTION_ATTEMPTS),
    }
