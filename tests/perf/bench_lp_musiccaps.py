"""LP-MusicCaps at full size with random weights: captioned tracks of three segments a second.

Ours, one track at a time and eight together, and where a checkout of the authors' repository is
given, their inference code (`BartCaptionModel.generate` on a track's segments, as `captioning.py`
calls it) on the same checkpoint and segments, in turns in the same run. Theirs runs in a process of
its own, under an interpreter that has the release of transformers that it pins (4.26.1). Where that
has no torchaudio, torch's STFT stands in for its three mel transforms.

Random weights hardly ever end a caption: these run to 128 tokens, the longest that there are,
theirs and ours alike; the token counts are printed. Seconds of processor time are printed beside
those of the clock, since they say more on a busy machine.

Usage: python -m tests.perf.bench_lp_musiccaps [--official CHECKOUT --python INTERPRETER]
    [--rounds 3] [--threads 1]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from artsound.models.lp_musiccaps import LPMusicCaps
from tests.models.lp_musiccaps import tiny

BART_BASE = tiny.CONFIG | {
    "vocab_size": 50_265,
    "d_model": 768,
    "encoder_layers": 6,
    "decoder_layers": 6,
    "encoder_attention_heads": 12,
    "decoder_attention_heads": 12,
    "encoder_ffn_dim": 3072,
    "decoder_ffn_dim": 3072,
    "max_position_embeddings": 1024,
}
SEGMENTS = 3  # a track
TOGETHER = 8  # tracks

_THEIRS = """
import importlib.util, json, sys, time, types
import numpy as np, torch
checkout, checkpoint, bart, segments, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
try:
    import torchaudio
except (ImportError, OSError):
    class Spectrogram(torch.nn.Module):
        def __init__(self, n_fft, win_length, hop_length, power):
            super().__init__()
            self.n_fft, self.hop = n_fft, hop_length
            self.register_buffer("window", torch.hann_window(win_length))
        def forward(self, wave):
            return torch.stft(wave, self.n_fft, self.hop, window=self.window, return_complex=True)
    class MelScale(torch.nn.Module):
        def __init__(self, mels, rate, low, high, bins):
            super().__init__()
            self.register_buffer("fb", torch.zeros(bins, mels))
        def forward(self, power):
            return (power.transpose(1, 2) @ self.fb).transpose(1, 2)
    class AmplitudeToDB(torch.nn.Module):
        def forward(self, power):
            return 10 * torch.log10(power.clamp(min=1e-10))
    transforms = types.ModuleType("torchaudio.transforms")
    transforms.Spectrogram, transforms.MelScale = Spectrogram, MelScale
    transforms.AmplitudeToDB = AmplitudeToDB
    torchaudio = types.ModuleType("torchaudio")
    torchaudio.transforms = transforms
    torchaudio.__spec__ = importlib.util.spec_from_loader("torchaudio", None)
    sys.modules |= {"torchaudio": torchaudio, "torchaudio.transforms": transforms}
sys.path.insert(0, checkout)
import transformers
from lpmc.music_captioning.model.bart import BartCaptionModel
model = BartCaptionModel(bart_type=bart)
model.load_state_dict(torch.load(checkpoint, weights_only=True)["state_dict"])
model.eval()
samples = torch.from_numpy(np.load(segments))
seen, generate = {}, model.bart.generate
def spy(**given):
    seen["ids"] = generate(**given)
    return seen["ids"]
model.bart.generate = spy
model.tokenizer.batch_decode = lambda ids, **given: ids  # the vocabulary has no texts for them
print(json.dumps(transformers.__version__), flush=True)
for _ in sys.stdin:
    clock, cpu = time.perf_counter(), time.process_time()
    with torch.no_grad():
        model.generate(samples=samples, num_beams=5)
    took = [time.perf_counter() - clock, time.process_time() - cpu]
    print(json.dumps([took, seen["ids"].tolist()]), flush=True)
"""


class _Theirs:
    """The authors' code in a process of its own, asked once a round."""

    def __init__(self, python: str, script: Path, arguments: list[str]) -> None:
        self._process = subprocess.Popen(
            [python, str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": arguments[-1]},
        )
        self.release: str = self._read()

    def ask(self) -> tuple[list[float], list[list[int]]]:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        took, ids = self._read()
        return took, ids

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def _timed(call: Callable[[], list[list[int]]]) -> tuple[list[float], list[list[int]]]:
    clock, cpu = time.perf_counter(), time.process_time()
    found = call()
    return [time.perf_counter() - clock, time.process_time() - cpu], found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--official", type=Path, help="a checkout of seungheondoh/lp-music-caps")
    parser.add_argument("--python", default=sys.executable, help="the interpreter for theirs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as name:
        os.environ["ARTSOUND_CACHE"] = str(Path(name, "cache"))
        files = tiny.write(Path(name, "model"), config=BART_BASE, end=-2.0, sharpness=0.2)
        padded = [np.pad(s, (0, 160_000 - s.size)) for s in tiny.segments(SEGMENTS * TOGETHER)]
        np.save(Path(name, "track.npy"), np.stack(padded[:SEGMENTS]))
        model = LPMusicCaps.from_checkpoint(files.checkpoint, bart=files.bart)
        ways: dict[str, tuple[int, Callable[[], tuple[list[float], list[list[int]]]]]] = {
            "ours, one track": (
                1,
                lambda: _timed(lambda: model.token_ids(padded[:SEGMENTS], 16_000)),
            ),
            f"ours, {TOGETHER} tracks together": (
                TOGETHER,
                lambda: _timed(lambda: model.token_ids(padded, 16_000)),
            ),
        }
        theirs = None
        if given.official:
            script = Path(name, "theirs.py")
            script.write_text(_THEIRS)
            paths = (given.official, files.checkpoint, files.bart, Path(name, "track.npy"))
            theirs = _Theirs(given.python, script, [*map(str, paths), str(given.threads)])
            label = f"authors', one track (transformers {theirs.release})"
            ways = {label: (1, theirs.ask)} | ways
        _compare(ways, given.rounds)
        if theirs is not None:
            theirs.close()


def _compare(
    ways: dict[str, tuple[int, Callable[[], tuple[list[float], list[list[int]]]]]], rounds: int
) -> None:
    took: dict[str, list[list[float]]] = {name: [] for name in ways}
    first: list[list[int]] = []
    for _ in range(rounds):
        for name, (tracks, call) in ways.items():
            seconds, ids = call()
            took[name].append([part / tracks for part in seconds])
            first = first or ids[:SEGMENTS]
            same = "equal" if ids[:SEGMENTS] == first else "not equal"
            print(
                f"  {name}: {seconds[0]:.1f} s for {tracks} tracks, {sum(map(len, ids))} tokens,"
                f" ids of the first track {same}",
                flush=True,
            )
    print(f"{'':46} {'s/track':>8} {'CPU s/track':>12} {'speed':>7} {'CPU speed':>10}")
    base: list[float] = []
    for name, rows in took.items():
        clock, cpu = (statistics.median(column) for column in zip(*rows, strict=True))
        base = base or [clock, cpu]
        print(f"{name:46} {clock:8.2f} {cpu:12.2f} {base[0] / clock:6.2f}x {base[1] / cpu:9.2f}x")


if __name__ == "__main__":
    main()
