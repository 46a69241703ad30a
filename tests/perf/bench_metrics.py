"""Seconds of audio embedded and scored a second: FAD beside fadtk, KL beside audioldm_eval.

All compute the same networks (VGGish, Cnn14 at 16 kHz) from the same made-up weights of full size,
on the same 16 kHz files of 10 s, in one run: a set of generated clips and a set of real ones. Cold:
nothing is cached. Warm: the same call again, for each with the caches that it keeps. Networks are
loaded before; one process each; time is the processor's, children's included, so that on one thread
(the default) other jobs on the machine count little. Ours also hashes every file, and gives a
bootstrap interval.

The rows `score` are all of `art2mus benchmark score` on the same music, the real clips in a
release: loading the network, looking through the folder and its files, hashing them and the
release's music, the metric with its interval, and results.json. How much of it loading takes is
told beside, since the others' is not counted.

The reference code runs from checkouts in one folder: `torchvggish` (harritaylor), `fadtk`
(microsoft), `audioldm_eval` (haoheliu) and `torchlibrosa` (the package's folder, 0.1.0). What they
import and this needs nothing of is stood in for: torchaudio's load and save are soundfile's, and
its resampling, at equal rates, does nothing.

Usage: python -m tests.perf.bench_metrics [--official FOLDER] [--clips 16] [--threads 1]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import torch
from PIL import Image
from threadpoolctl import threadpool_limits

from art2mus.benchmark import bootstrap
from art2mus.benchmark.clips import read_clip
from art2mus.benchmark.embedders import registry
from art2mus.benchmark.features import heard
from art2mus.benchmark.metrics import choose
from art2mus.benchmark.score import ScoreSettings, score
from art2mus.benchmark.store import FeatureStore
from art2mus.data import open_release
from artsound.workspace import file_sha256
from tests.art2mus.benchmark import checkpoints
from tests.tiny_release import FEATURES, write_tiny_manifest

SECONDS = 10
RATE = 16_000
Run = Callable[[], float]


def write_music(folder: Path, clips: int) -> tuple[Path, Path]:
    """Write two sets of clips: chords with noise, at other pitches in the second."""
    random = np.random.default_rng(0)
    time_ = np.arange(SECONDS * RATE) / RATE
    for name, shift in (("generated", 1.0), ("real", 1.5)):
        (folder / name).mkdir(parents=True)
        for number in range(clips):
            pitches = shift * 110 * 2 ** (random.integers(0, 24, 4) / 12)
            chord = sum(np.sin(2 * np.pi * pitch * time_) for pitch in pitches)
            samples = 0.1 * chord + 0.02 * random.standard_normal(time_.size)
            soundfile.write(folder / name / f"{number:03d}.wav", samples, RATE)
    return folder / "generated", folder / "real"


def ours(metric: str, paths: dict[str, str], sets: tuple[Path, Path], cache: Path) -> Run:
    """Return our metric over two folders."""
    (chosen,) = choose([metric])
    embedder = registry.load(chosen.embedder, paths).embedder

    def run() -> float:
        with FeatureStore(cache) as store:
            columns = []
            for folder in sets:
                keys = [
                    heard(
                        file_sha256(path),
                        lambda path=path: read_clip(path, SECONDS),  # type: ignore[misc]
                        [embedder],
                        store,
                        SECONDS,
                    )
                    for path in sorted(folder.glob("*.wav"))
                ]
                columns.append(store.column(embedder.fingerprint, keys, chosen.metric.feature))
            random = bootstrap.generator(0, metric)
            return chosen.metric.measure(columns[0], columns[1], random).value or 0.0

    return run


def write_release(folder: Path, real: Path) -> Path:
    """Write a release of the real clips, each paired with a grey square."""
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), "grey").save(picture, "PNG")
    rows = [
        {
            "pair_id": path.stem,
            "image": {"bytes": picture.getvalue(), "path": "grey.png"},
            "audio": {"bytes": path.read_bytes(), "path": path.name},
            "artwork_caption": "",
            "music_caption": "",
            "similarity": 0.0,
            "ic_score": 0.0,
            "ac_score": 0.0,
            "style": "",
        }
        for path in sorted(real.glob("*.wav"))
    ]
    (folder / "data").mkdir(parents=True)
    schema = FEATURES.arrow_schema
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "data/test-00000-of-00001.parquet")
    write_tiny_manifest(folder)
    return folder


def scored(metric: str, paths: dict[str, str], generated: Path, release: Path, cache: Path) -> Run:
    """Return all of `art2mus benchmark score` with one metric."""
    settings = ScoreSettings("test", (metric,), SECONDS, checkpoints=paths)

    def run() -> float:
        results, _ = score(generated, open_release(release), settings, cache=cache)
        return results.results[0].value or 0.0

    return run


def stand_ins(checkouts: Path) -> None:
    """Make the checkouts importable without what this benchmark needs nothing of."""

    def module(name: str, **content: object) -> None:
        made = types.ModuleType(name)
        made.__dict__.update(content)
        made.__path__ = []
        sys.modules[name] = made

    def load(path: str, **_: object) -> tuple[torch.Tensor, int]:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return torch.from_numpy(samples.T), rate

    def save(path: str, samples: torch.Tensor, rate: int, **_: object) -> None:
        soundfile.write(path, samples.numpy().T, rate, subtype="PCM_16")

    def mapped(call: Any, items: Any, **_: object) -> list[Any]:
        return [call(item) for item in items]

    same = types.SimpleNamespace(Resample=lambda *_, **__: lambda samples: samples)
    module("torchaudio", load=load, save=save, transforms=same)
    module("resampy")
    module("hypy_utils", write=None)
    module("hypy_utils.tqdm_utils", tq=lambda items, *_: items, tmap=mapped, pmap=mapped)
    logger = types.SimpleNamespace(info=print, warning=print, error=print)
    module("hypy_utils.logging_utils", setup_logger=lambda: logger)
    module("hypy_utils.nlp_utils", substr_between=None)
    module("hypy_utils.downloader", download_file=None)
    for name in ("torchvggish", "fadtk"):
        sys.path.insert(0, str(checkouts / name))
    sys.path.insert(0, str(checkouts))
    inner = checkouts / "audioldm_eval" / "audioldm_eval"
    for name in ("", ".metrics", ".datasets", ".feature_extractors", ".feature_extractors.panns"):
        package = types.ModuleType(f"audioldm_eval{name}")  # its own __init__s import everything
        package.__path__ = [str(inner.joinpath(*name.split(".")))]
        sys.modules[f"audioldm_eval{name}"] = package


def fadtk(tensors: dict[str, torch.Tensor], sets: tuple[Path, Path]) -> Run:
    """Return fadtk's FAD over two folders: embed each file, then score the folders."""
    package = importlib.import_module("fadtk")
    network = importlib.import_module("torchvggish.vggish").VGGish(
        urls=None, pretrained=False, postprocess=False, device=torch.device("cpu")
    )
    torch.nn.Module.load_state_dict(network, tensors)
    hub, torch.hub.load = torch.hub.load, lambda *_: network
    loader = package.VGGishModel()
    scorer = package.FrechetAudioDistance(loader)
    torch.hub.load = hub

    def run() -> float:
        for folder in sets:
            for path in sorted(folder.glob("*.wav")):
                scorer.cache_embedding_file(path)
        return float(scorer.score(sets[1], sets[0]))

    return run


def audioldm_eval(content: dict[str, Any], sets: tuple[Path, Path]) -> Run:
    """Return audioldm_eval's KL over two folders; its loop over the loader is written out."""
    models = importlib.import_module("audioldm_eval.feature_extractors.panns.models")
    datasets = importlib.import_module("audioldm_eval.datasets.load_mel")
    metric = importlib.import_module("audioldm_eval.metrics.kl")
    exists, load = os.path.exists, torch.load
    models.os.path.exists = lambda path: True
    models.torch.load = lambda *_: content
    network = models.Cnn14(["2048", "logits"], RATE, 512, 160, 64, 50, 8000, 527).eval()
    models.os.path.exists, models.torch.load = exists, load
    kept: dict[Path, dict[str, Any]] = {}  # in place of its pickles

    def features(folder: Path) -> dict[str, Any]:
        loader = torch.utils.data.DataLoader(datasets.WaveDataset(str(folder), RATE), batch_size=1)
        logits, names = [], []
        for waveform, name in loader:
            with torch.no_grad():
                logits.append(network(waveform.squeeze(1).float())["logits"].cpu())
            names += list(name)
        return {"logits": torch.cat(logits), "file_path_": names}

    def run() -> float:
        for folder in sets:
            if folder not in kept:
                kept[folder] = features(folder)
        found = metric.calculate_kl(kept[sets[0]], kept[sets[1]], "logits")[0]
        return float(found["kullback_leibler_divergence_softmax"])

    return run


def timed(run: Run) -> tuple[float, float]:
    """Return a call's processor seconds, children's included, and its value."""
    began = sum(os.times()[:4])
    wall = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        value = run()
    # Ticks are 10 ms: what is shorter is told by the wall.
    taken = sum(os.times()[:4]) - began
    return (taken if taken > 0.2 else time.perf_counter() - wall), value


def loading_s(embedder: str, paths: dict[str, str]) -> float:
    """Return the processor seconds that loading an embedder takes, once its file was read."""

    def load() -> float:
        registry.load(embedder, paths)
        return 0.0

    return min(timed(load)[0] for _ in range(3))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--official", type=Path, help="a folder with the checkouts")
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as temporary, threadpool_limits(options.threads):
        folder = Path(temporary)
        os.environ["ARTSOUND_CACHE"] = str(folder / "converted")
        sets = write_music(folder, options.clips)
        vggish, panns = checkpoints.vggish(), checkpoints.panns(RATE, 512, 8_000)
        paths = {
            "vggish": str(checkpoints.write(folder / "vggish.pth", vggish)),
            "panns-16k": str(checkpoints.write(folder / "panns.pth", panns)),
        }
        runs = {
            "FAD, ours": ours("fad-vggish", paths, sets, folder / "fad"),
            "KL, ours": ours("kl-softmax-panns-16k", paths, sets, folder / "kl"),
        }
        release = write_release(folder / "release", sets[1])
        loading: dict[str, float] = {}
        for short, metric in (("FAD", "fad-vggish"), ("KL", "kl-softmax-panns-16k")):
            (chosen,) = choose([metric])
            given = {chosen.embedder: paths[chosen.embedder]}
            name = f"{short}, score"
            runs[name] = scored(metric, given, sets[0], release, folder / f"{short} score")
            loading[name] = loading_s(chosen.embedder, given)
        if options.official:
            stand_ins(options.official.resolve())
            runs["FAD, fadtk"] = fadtk(vggish, sets)
            runs["KL, audioldm_eval"] = audioldm_eval(panns, sets)
        audio = 2 * options.clips * SECONDS
        print(f"{audio} s of audio; {torch.get_num_threads()} threads")
        print(
            f"{'':18} {'cold s':>8} {'audio s/s':>10} {'warm s':>8} {'audio s/s':>10} {'value':>10}"
        )
        for name, run in sorted(runs.items()):
            cold, value = timed(run)
            warm = min(timed(run)[0] for _ in range(3))
            print(
                f"{name:18} {cold:8.2f} {audio / cold:10.0f} {warm:8.3f} {audio / warm:10.0f}"
                f" {value:10.4f}"
                + (f"  of which loading {loading[name]:.3f} s" if name in loading else "")
            )


if __name__ == "__main__":
    main()
