"""What a node does before and after it makes a shard: it waits for what others made, and notes."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from artsound.engine import ShardFailedError, run_stage
from artsound.errors import ArtsoundError
from artsound.executors.node import NodeShards, absolute, failures, forget_failures
from artsound.progress import Progress
from artsound.stage import Build, Stage
from tests.executors.toys import Broken, Numbers, Squares, Total, toy_build

QUIET = Progress(quiet=True)


@pytest.fixture
def toys(tmp_path: Path) -> Build:
    found = absolute(toy_build(tmp_path))
    for stage in (Numbers(), Squares()):
        run_stage(found, stage, 1, QUIET)
    return found


def _make(toys: Build, stage: Stage, shard: int, count: int, patience_s: float) -> None:
    step = NodeShards(toys, stage, [shard], dict.fromkeys(stage.reads, count))
    step.patience_s = patience_s
    list(step.run(None))


def _hide(toys: Build, shard: int) -> tuple[Path, Path]:
    """Hide a part, as a listing in the cache of a network file system does."""
    marker = toys.workspace.part("squares", shard).with_suffix(".json")
    return marker, marker.rename(toys.artworks / "hidden")


def test_a_whole_stage_waits_until_it_sees_all_parts(toys: Build) -> None:
    marker, hidden = _hide(toys, 3)
    later = threading.Timer(0.6, lambda: hidden.rename(marker))
    later.start()
    _make(toys, Total(), 0, 4, patience_s=30)
    later.join()
    assert toys.workspace.read("total")["total"].to_pylist() == [0 + 1 + 4 + 9]


def test_a_whole_stage_makes_nothing_of_a_part_of_its_input(toys: Build) -> None:
    _hide(toys, 3)
    with pytest.raises(
        ArtsoundError, match="squares: this node does not see part 3 of 4 after 0 s"
    ):
        _make(toys, Total(), 0, 4, patience_s=0.3)
    assert toys.workspace.shards("total") == []


def test_parts_that_were_dropped_elsewhere_are_not_read(toys: Build) -> None:
    with pytest.raises(ArtsoundError, match="squares: this node still sees part 3, of 3 parts"):
        _make(toys, Total(), 0, 3, patience_s=0.3)


def test_a_shard_waits_for_its_own_part_alone(toys: Build) -> None:
    toys.workspace.drop("squares")
    numbers = toys.workspace.part("numbers", 3).with_suffix(".json")
    numbers.rename(toys.artworks / "hidden")
    began = time.monotonic()
    _make(toys, Squares(), 1, 4, patience_s=30)
    assert time.monotonic() - began < 10
    with pytest.raises(ArtsoundError, match="numbers: this node does not see part 3 of 4"):
        _make(toys, Squares(), 3, 4, patience_s=0.3)


def test_a_note_of_a_failure_names_no_folder_of_this_machine(toys: Build) -> None:
    toys.workspace.drop("squares")
    with pytest.raises(ShardFailedError):
        _make(toys, Broken(), 1, 4, patience_s=0.3)
    (note,) = failures(toys.workspace, "squares").values()
    assert note.startswith("stage squares, shard 1: ZeroDivisionError: no such luck")
    assert str(toys.artworks) not in note
    forget_failures(toys.workspace, "squares", [1])
    assert not failures(toys.workspace, "squares")
