"""Where a track is cut: whole segments, the tail as the recipe says, always at least one."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artsound.captions.segments import segment_bounds
from artsound.recipe import SegmentCaptions

RATE = 16000


def _settings(tail: str, min_tail_s: float = 3.0) -> SegmentCaptions:
    return SegmentCaptions.model_validate(
        {"captioner": "x", "tail": tail, "min_tail_s": min_tail_s, "segment_s": 10.0}
    )


@pytest.mark.parametrize(
    ("seconds", "tail", "expected"),
    [
        (29.98, "drop", [(0, 10), (10, 20)]),
        (29.98, "keep", [(0, 10), (10, 20), (20, 29.98)]),
        (30.0, "drop", [(0, 10), (10, 20), (20, 30)]),
        (22.9, "keep", [(0, 10), (10, 20)]),
        (23.0, "keep", [(0, 10), (10, 20), (20, 23.0)]),
        (6.0, "drop", [(0, 6)]),
        (6.0, "keep", [(0, 6)]),
        (10.0, "drop", [(0, 10)]),
    ],
)
def test_bounds(seconds: float, tail: str, expected: list[tuple[float, float]]) -> None:
    bounds = segment_bounds(round(seconds * RATE), RATE, _settings(tail))
    assert [(start / RATE, end / RATE) for start, end in bounds] == expected


@given(st.integers(1, 60 * RATE), st.sampled_from(["drop", "keep"]))
def test_segments_follow_each_other_from_the_start(samples: int, tail: str) -> None:
    bounds = segment_bounds(samples, RATE, _settings(tail))
    assert bounds[0][0] == 0
    assert bounds[-1][1] <= samples
    for (_, end), (start, _) in itertools.pairwise(bounds):
        assert start == end
    assert all(end - start == 10 * RATE for start, end in bounds[:-1])
    lost = samples - bounds[-1][1]
    assert lost < (3 if tail == "keep" else 10) * RATE
