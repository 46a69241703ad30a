"""The stage that captions artworks: image_captions, and every attempt at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from artsound import schema
from artsound.captions.issues import Issue, inspect_artwork_caption
from artsound.captions.prompts import ARTWORK_PROMPT
from artsound.captions.refine import Ask, Generated, Judged, Judgement, Outcome, refine
from artsound.models.base import ArtworkCaptioner, ArtworkRequest, ImageTextScorer
from artsound.models.batching import in_batches
from artsound.models.registry import Models
from artsound.recipe import ImageCaptions, Recipe
from artsound.schema import Reason, Status
from artsound.scores import clip_score, ic_score, pac_score
from artsound.scores.image_caption import ic_score_basis
from artsound.sources.items import read_image
from artsound.stage import Build, Stage

_CATALOGUE = ("title", "artist", "year", "style", "genre", "tags", "media", "country")


class ImageCaptionsStage(Stage):
    """Captions the usable artworks of one part of `artworks`, refining what falls short."""

    table = "image_captions"
    side_tables = ("image_caption_attempts",)
    reads = ("artworks",)
    source = "artworks"

    def models(self, recipe: Recipe) -> tuple[tuple[str, str], ...]:
        """Return the captioner and the scorers."""
        settings = recipe.image_captions
        scorers = [settings.clip_scorer, *([settings.pac_scorer] if settings.pac_scorer else [])]
        return (
            ("artwork_captioner", settings.captioner),
            *(("image_text_scorer", scorer) for scorer in scorers),
        )

    def settings(self, recipe: Recipe) -> Mapping[str, object]:
        """Return the caption settings; the media limits decide how an image is decoded."""
        return recipe.image_captions.model_dump() | {"media": recipe.media.model_dump()}

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        """Caption the artworks of one part."""
        rows = [
            row
            for row in build.workspace.read("artworks", shard=shard).to_pylist()
            if row["status"] == Status.OK
        ]
        images = [read_image(build, row["file_name"]) for row in rows]
        outcomes = caption_artworks(rows, images, build.recipe.image_captions, build.models)
        return _tables(rows, outcomes, build.recipe.image_captions)


def caption_artworks(
    rows: Sequence[Mapping[str, Any]],
    images: Sequence[Image.Image],
    settings: ImageCaptions,
    models: Models | None = None,
) -> list[Outcome]:
    """Caption artworks with the recipe's captioner, scorers and refinement settings.

    Args:
        rows: rows of the artworks table; `artwork_id` and what the catalogue knows are used.
        images: the artworks, RGB, one a row.
        settings: the recipe's section.
        models: what the recipe says of its models; as the registry has them if None.
    """
    models = models or Models()
    captioner: ArtworkCaptioner = models.load("artwork_captioner", settings.captioner)
    judge = _Judge(images, settings, models)

    def generate(asks: Sequence[Ask]) -> list[Generated]:
        requests = [
            ArtworkRequest(
                item_id=rows[ask.item]["artwork_id"],
                image=images[ask.item],
                catalogue={key: rows[ask.item][key] for key in _CATALOGUE if rows[ask.item][key]},
                prompt=ask.prompt,
                feedback=ask.feedback,
            )
            for ask in asks
        ]
        return in_batches(requests, settings.batch, captioner.caption)

    return refine(
        [ARTWORK_PROMPT] * len(rows),
        generate,
        judge,
        threshold=settings.threshold,
        max_regenerations=settings.max_regenerations,
        keep=settings.keep,
    )


class _Judge:
    """Scores captions against their images; an image's features are computed once."""

    def __init__(
        self, images: Sequence[Image.Image], settings: ImageCaptions, models: Models
    ) -> None:
        self.settings = settings
        self.clip: ImageTextScorer = models.load("image_text_scorer", settings.clip_scorer)
        self.pac: ImageTextScorer | None = (
            models.load("image_text_scorer", settings.pac_scorer) if settings.pac_scorer else None
        )
        self.clip_images = in_batches(images, settings.batch, self.clip.image_features)
        self.pac_images = (
            in_batches(images, settings.batch, self.pac.image_features) if self.pac else []
        )

    def __call__(self, captions: Sequence[tuple[int, str]]) -> list[Judged]:
        return in_batches(captions, self.settings.batch, self._batch)

    def _batch(self, captions: Sequence[tuple[int, str]]) -> list[Judgement]:
        texts = [text for _, text in captions]
        clips = clip_score(
            _features(self.clip_images, captions), self.clip.text_features(texts), self.clip.weight
        )
        pacs: Sequence[float | None] = [None] * len(texts)
        if self.pac:
            features = _features(self.pac_images, captions)
            pacs = pac_score(features, self.pac.text_features(texts), self.pac.weight).tolist()
        return [
            self._judgement(text, float(clip), pac)
            for text, clip, pac in zip(texts, clips, pacs, strict=True)
        ]

    def _judgement(self, text: str, clip: float, pac: float | None) -> Judgement:
        settings = self.settings
        score = float(ic_score(clip, pac, settings.gamma))
        found = list(inspect_artwork_caption(text, settings.min_chars, settings.max_chars))
        if clip < settings.threshold:
            found.append(Issue.LOW_CLIP_SCORE)
        if pac is not None and pac < settings.threshold:
            found.append(Issue.LOW_PAC_SCORE)
        scores = {"clip_score": clip, "pac_score": pac, "ic_score": score}
        return Judgement(score, scores, tuple(issue.value for issue in found))


def _features(images: Sequence[Any], captions: Sequence[tuple[int, str]]) -> Any:
    """Return the features of the captions' images, raising what an image of them raised."""
    chosen = [images[item] for item, _ in captions]
    for features in chosen:
        if isinstance(features, Exception):
            raise features
    return np.stack(chosen)


def _tables(
    rows: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome], settings: ImageCaptions
) -> dict[str, pa.Table]:
    captions, attempts = [], []
    for row, outcome in zip(rows, outcomes, strict=True):
        kept = outcome.kept
        scores = dict(kept.judgement.scores) if kept and kept.judgement else {}
        captions.append(
            {
                "artwork_id": row["artwork_id"],
                "caption": kept.caption if kept else None,
                **scores,
                "ic_score_of": ic_score_basis(scores.get("pac_score")) if scores else None,
                "attempts": len(outcome.attempts),
                "accepted": outcome.accepted,
                "model": settings.captioner,
                "scorer": "+".join(filter(None, (settings.clip_scorer, settings.pac_scorer))),
                "status": Status.OK if kept else Status.FAILED,
                "reason": failure_reason(outcome),
            }
        )
        attempts += attempt_rows("artwork_id", row["artwork_id"], outcome, settings.captioner)
    return {
        "image_captions": pa.Table.from_pylist(captions, schema.IMAGE_CAPTIONS),
        "image_caption_attempts": pa.Table.from_pylist(attempts, schema.IMAGE_CAPTION_ATTEMPTS),
    }


def failure_reason(outcome: Outcome) -> str | None:
    """Return why an item has no caption, or None if it has one."""
    if outcome.kept:
        return None
    last = outcome.attempts[-1]
    reason = Reason.SCORE_FAILED if last.caption else Reason.CAPTION_FAILED
    return f"{reason}: {last.error}"


def attempt_rows(key: str, item: object, outcome: Outcome, model: str) -> list[dict[str, Any]]:
    """Return the rows of an attempts table for one item."""
    return [
        {
            key: item,
            "attempt": attempt.number,
            "prompt": attempt.prompt,
            "caption": attempt.caption,
            **(dict(attempt.judgement.scores) if attempt.judgement else {}),
            "issues": list(attempt.judgement.issues) if attempt.judgement else [attempt.error],
            "kept": attempt is outcome.kept,
            "model": model,
        }
        for attempt in outcome.attempts
    ]
