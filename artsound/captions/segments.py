"""The stage that captions the segments of each track: segment_captions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from artsound import schema
from artsound.captions.prompts import MUSIC_SEGMENT_PROMPT
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
        captioner: SegmentCaptioner = build.models.load("segment_captioner", settings.captioner)
        tracks = [
            track
            for track in build.workspace.read("tracks", shard=shard).to_pylist()
            if track["status"] == Status.OK
        ]
        rows = []
        # Whole batches of several tracks, without the waveforms of a whole shard in memory.
        for start in range(0, len(tracks), settings.batch):
            segments: list[Segment] = []
            for track in tracks[start : start + settings.batch]:
                rate = captioner.sample_rate
                waveform = read_audio(build, track["file_name"], rate)
                segments += segments_of(track["track_id"], waveform, rate, settings)
            rows += _rows(segments, captioner, settings)
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


@dataclass(frozen=True)
class Segment:
    """A segment of a track, as it is asked about and as it is written down.

    Attributes:
        track_id: the track.
        number: of the segment in the track, from 0.
        start_s: where it begins.
        end_s: where it ends.
        request: what the captioner is asked.
    """

    track_id: int
    number: int
    start_s: float
    end_s: float
    request: SegmentRequest


def segments_of(
    track_id: int, waveform: FloatArray, rate: int, settings: SegmentCaptions
) -> list[Segment]:
    """Return the segments of a track, at least one."""
    return [
        Segment(
            track_id,
            number,
            start / rate,
            end / rate,
            SegmentRequest(f"{track_id}/{number}", waveform[start:end], rate, MUSIC_SEGMENT_PROMPT),
        )
        for number, (start, end) in enumerate(segment_bounds(len(waveform), rate, settings))
    ]


def _rows(
    segments: Sequence[Segment], captioner: SegmentCaptioner, settings: SegmentCaptions
) -> list[dict[str, Any]]:
    requests = [segment.request for segment in segments]
    rows = []
    captions = in_batches(requests, settings.batch, captioner.caption)
    for segment, caption in zip(segments, captions, strict=True):
        failed = isinstance(caption, Exception) or not caption.strip()
        why = "the model returned nothing"
        if isinstance(caption, Exception):
            why = f"{type(caption).__name__}: {caption}"
        rows.append(
            {
                "track_id": segment.track_id,
                "segment": segment.number,
                "start_s": segment.start_s,
                "end_s": segment.end_s,
                "caption": None if failed else caption,
                "model": settings.captioner,
                "status": Status.FAILED if failed else Status.OK,
                "reason": f"{Reason.CAPTION_FAILED}: {why}" if failed else None,
            }
        )
    return rows
