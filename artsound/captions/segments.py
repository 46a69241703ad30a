"""The stage that captions the segments of each track: segment_captions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from artsound import schema
from artsound.captions.prompts import MUSIC_SEGMENT_PROMPT
from artsound.models import registry
from artsound.models.base import FloatArray, SegmentCaptioner, SegmentRequest
from artsound.models.batching import in_batches
from artsound.recipe import Recipe, SegmentCaptions
from artsound.schema import Reason, Status
from artsound.sources.items import read_audio
from artsound.stage import Build, Stage


class SegmentCaptionsStage(Stage):
    """Captions the segments of the usable tracks of one part of `tracks`."""

    table = "segment_captions"
    reads = ("tracks",)
    source = "tracks"

    def models(self, recipe: Recipe) -> tuple[tuple[str, str], ...]:
        """Return the segment captioner."""
        return (("segment_captioner", recipe.segment_captions.captioner),)

    def settings(self, recipe: Recipe) -> Mapping[str, object]:
        """Return the segment settings and the media limits."""
        return recipe.segment_captions.model_dump() | {"media": recipe.media.model_dump()}

    def run(self, build: Build, shard: int) -> dict[str, pa.Table]:
        """Caption the segments of one part's tracks."""
        settings = build.recipe.segment_captions
        captioner: SegmentCaptioner = registry.load("segment_captioner", settings.captioner)
        rows = []
        for track in build.workspace.read("tracks", shard=shard).to_pylist():
            if track["status"] == Status.OK:
                waveform = read_audio(build, track["file_name"], captioner.sample_rate)
                rows += _caption(track["track_id"], waveform, captioner, settings)
        return {self.table: pa.Table.from_pylist(rows, schema.SEGMENT_CAPTIONS)}


def segment_bounds(samples: int, rate: int, settings: SegmentCaptions) -> list[tuple[int, int]]:
    """Return the first and the last sample (exclusive) of each segment of a track.

    A track shorter than one segment is one segment. Of a longer one, floor(duration / segment_s)
    whole segments are taken, and the tail is dropped or, if long enough, kept, as the recipe says.
    """
    length = round(settings.segment_s * rate)
    whole = samples // length
    if whole == 0:
        return [(0, samples)]
    bounds = [(number * length, (number + 1) * length) for number in range(whole)]
    tail = samples - whole * length
    if settings.tail == "keep" and tail >= math.ceil(settings.min_tail_s * rate):
        bounds.append((whole * length, samples))
    return bounds


def _caption(
    track_id: int, waveform: FloatArray, captioner: SegmentCaptioner, settings: SegmentCaptions
) -> list[dict[str, Any]]:
    rate = captioner.sample_rate
    bounds = segment_bounds(len(waveform), rate, settings)
    requests = [
        SegmentRequest(f"{track_id}/{number}", waveform[start:end], rate, MUSIC_SEGMENT_PROMPT)
        for number, (start, end) in enumerate(bounds)
    ]
    rows = []
    captions = in_batches(requests, settings.batch, captioner.caption)
    for number, ((start, end), caption) in enumerate(zip(bounds, captions, strict=True)):
        failed = isinstance(caption, Exception) or not caption.strip()
        why = f"{type(caption).__name__}: {caption}" if caption else "the model returned nothing"
        rows.append(
            {
                "track_id": track_id,
                "segment": number,
                "start_s": start / rate,
                "end_s": end / rate,
                "caption": None if failed else caption,
                "model": settings.captioner,
                "status": Status.FAILED if failed else Status.OK,
                "reason": f"{Reason.CAPTION_FAILED}: {why}" if failed else None,
            }
        )
    return rows
