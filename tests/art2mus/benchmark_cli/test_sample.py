"""The controls and a model of ten lines, benchmarked on the sample release as a user would."""

from __future__ import annotations

from pathlib import Path

import pytest

from art2mus.benchmark.results import Results, read_results
from tests.art2mus.benchmark_cli.parts import benchmark

TEN_LINES = """
import numpy as np

class Tones:
    sample_rate = 16000
    def load(self):
        self.scale = 220 * 2 ** (np.array([0, 2, 4, 7, 9]) / 12)
    def generate(self, images, seconds, seeds):
        notes = [self.scale[int(np.asarray(image).mean()) % 5] for image in images]
        time = np.arange(int(seconds * 16000)) / 16000
        return [0.3 * np.sin(2 * np.pi * note * time) for note in notes]
"""
CONTROLS = ("ground-truth", "shuffled", "noise", "silence")


@pytest.mark.slow
def test_the_controls_in_the_order_of_common_sense(released: Path, tmp_path: Path) -> None:
    (tmp_path / "ten.py").write_text(TEN_LINES)
    common = ["--split", "train", "--suite", "lite", "--cache", str(tmp_path / "cache"), "-q"]
    found: dict[str, Results] = {}
    for model in (*CONTROLS, "ten:Tones"):
        out = tmp_path / model.replace(":", "-")
        done = benchmark("run", model, released, "--out", out, *common, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found[model] = read_results(out / "results.json")

    def values(metric: str) -> list[float]:
        made = [found[model].result(metric) for model in CONTROLS]
        return [one.value if one and one.value is not None else float("nan") for one in made]

    truth, shuffled, noise, silence = values("fad-lite-musicnn")
    # The shuffled set is the same set of clips: what is paired tells it from the truth.
    assert truth == pytest.approx(0, abs=1e-6)
    assert shuffled == pytest.approx(0, abs=1e-6)
    assert 10 < silence < noise
    # At one rate for all it tells the truth from the rest, and noise from no other music.
    truth, shuffled, noise, _ = values("spectrum-kl")
    assert 0 == truth < min(shuffled, noise)
    truth, shuffled, noise, silence = values("retrieval-median-rank-lite-conse")
    assert truth < shuffled < noise == silence  # the same music for all: chance
    truth, shuffled, noise, silence = values("score-caption-lite-conse")
    assert truth > max(shuffled, noise, silence)
    tones = found["ten:Tones"].result("fad-lite-musicnn")
    assert tones is not None
    assert tones.value is not None
    assert tones.value > 10

    compared = benchmark("compare", "ground-truth", "shuffled", cwd=tmp_path)
    assert "score-artwork-lite-conse | yes, ground-truth is better" in compared.stdout
    paths = [model.replace(":", "-") for model in (*CONTROLS, "ten:Tones")]
    table = benchmark("table", *paths, "--sort", "retrieval-median-rank-lite-conse", cwd=tmp_path)
    assert table.returncode == 0, table.stderr
    ours = [line for line in table.stdout.splitlines() if line.startswith("| ours |")]
    assert [line.split("|")[2].strip() for line in ours][:2] == ["ground-truth", "shuffled"]
    assert len(ours) == 5
