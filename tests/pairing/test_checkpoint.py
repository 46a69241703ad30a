"""A pairing that is killed continues, and ends as if nothing had happened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from artsound.pairing import Matching, checkpoint, match, optimal
from artsound.pairing.matching import Method
from tests.pairing.brute_force import Vectors, assert_same


class Killed(Exception):
    pass


def _vectors() -> tuple[Vectors, Vectors]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((400, 12)), rng.standard_normal((430, 12))


def _run(path: Path, method: Method, stop_at: int | None = None) -> tuple[Matching, list[int]]:
    seen: list[int] = []

    def progress(done: int, total: int) -> None:
        seen.append(done)
        if stop_at is not None and done >= stop_at:
            raise Killed

    audio, images = _vectors()
    result = match(
        audio, images, method, block_rows=40, shortlist=8, checkpoint=path, progress=progress
    )
    return result, seen


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_S", 0.0)
    monkeypatch.setattr(optimal, "EXACT_PAIRS", 0)


@pytest.mark.parametrize("method", ["greedy", "sequential", "optimal"])
def test_continues_where_it_was(tmp_path: Path, method: Method) -> None:
    audio, images = _vectors()
    expected = match(audio, images, method, block_rows=40, shortlist=8)
    path = tmp_path / "state.npz"
    for stop_at in (120, 280):
        with pytest.raises(Killed):
            _run(path, method, stop_at)
        assert path.is_file()
    result, seen = _run(path, method)
    assert seen[0] == 280
    assert list(tmp_path.iterdir()) == []
    if method == "optimal":
        assert result.gap <= 5e-4
        assert sorted(result.image) == sorted(set(result.image))
        lost = expected.similarity.mean() - result.similarity.mean()
        assert abs(lost) <= max(result.gap, expected.gap)
    else:
        assert_same(result, expected)


@pytest.mark.parametrize("damage", ["cut", "other"])
def test_a_state_that_does_not_fit_is_ignored(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "state.npz"
    with pytest.raises(Killed):
        _run(path, "greedy", 120)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
        result, seen = _run(path, "greedy")
        assert_same(result, match(*_vectors()))
    else:
        result, seen = _run(path, "sequential")
        assert_same(result, match(*_vectors(), "sequential"))
    assert seen[0] == 0
