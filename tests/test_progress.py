"""Estimates of the time left."""

from __future__ import annotations

from pathlib import Path

from artsound.progress import Pace, ProgressFile


def test_what_a_checkpoint_brought_is_not_counted_as_done_now() -> None:
    pace = Pace()
    assert pace.left(900, 1000, now=50.0) is None
    assert pace.left(910, 1000, now=60.0) == 90.0
    assert pace.left(1000, 1000, now=99.0) == 0.0


def test_a_new_total_begins_a_new_estimate() -> None:
    pace = Pace()
    pace.left(0, 10, now=0.0)
    assert pace.left(5, 10, now=5.0) == 5.0
    assert pace.left(5, 100, now=6.0) is None
    assert pace.left(6, 100, now=7.0) == 94.0
    assert pace.left(1, 100, now=8.0) is None


def test_progress_is_told_at_most_twice_a_second(tmp_path: Path) -> None:
    told = ProgressFile(tmp_path / "progress.json")
    assert told.read() is None
    for done in range(5):
        told(done, 10)
    assert told.read() == (0, 10)
    told.clear()
    assert told.read() is None
