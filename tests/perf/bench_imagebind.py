"""ImageBind-Huge with random weights on this machine, beside its authors' code in the same run.

Speed: items a second of `embed_images`, `embed_audio` and `embed_text`, decoding of media aside but
with everything else from pixels, samples and strings to vectors; of the authors' code only the
network is timed, on inputs that lie ready. Both compute in float32 from the same weights, their
turns interleaved; the best round counts. On one thread (the default) time is the processor's, so
that other jobs on the machine count little. Memory: the peak of a process that loads the
checkpoint, the first time (a .pth is converted) and later, when little of the file has been read.

The authors' code is a checkout of facebookresearch/ImageBind; timm and iopath, of which it needs
next to nothing for inference, and einops are stood in for where they are not installed.

Usage: python -m tests.perf.bench_imagebind [--official CHECKOUT] [--rounds 3] [--threads 1]
           [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from artsound.models import pixels
from artsound.models.imagebind import ImageBind, ImageBindConfig, audio
from artsound.models.imagebind.network import ImageBindNetwork
from tests.models.tiny_bpe import CORPUS, clip_vocabulary, write_vocabulary
from tests.perf.turns import best

SECONDS = 30
_LOAD = """
import json, sys, time
from pathlib import Path
from artsound.models.imagebind import ImageBind
began = time.perf_counter()
model = ImageBind.from_checkpoint(Path(sys.argv[1]))
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps([time.perf_counter() - began, int(status["VmHWM"].split()[0]) / 2**20]))
"""


def write_checkpoint(path: Path, official: Path | None) -> None:
    """Write random weights of full size: the authors' all, or those of our three modalities."""
    torch.manual_seed(0)
    network = authors_network(official) if official else ImageBindNetwork(ImageBindConfig())
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "norm" in name or weight.ndim < 2:
                weight.fill_(1.0 if name.endswith("weight") else 0.0)
            else:
                weight.normal_(std=0.02)
    torch.save(network.state_dict(), path)


def authors_network(checkout: Path) -> torch.nn.Module:
    """Return the authors' ImageBind-Huge with weights of their initialisation."""
    stand_ins()
    package = types.ModuleType("imagebind")  # its own __init__ imports what decodes videos
    package.__path__ = [str(checkout / "imagebind")]
    sys.modules["imagebind"] = package
    module = importlib.import_module("imagebind.models.imagebind_model")
    network: torch.nn.Module = module.imagebind_huge(pretrained=False).eval()
    return network


def stand_ins() -> None:
    """Stand in for what the authors' code imports and inference does not need."""

    def transposed(tensor: torch.Tensor, pattern: str) -> torch.Tensor:
        assert pattern in {"b l d -> l b d", "l b d -> b l d"}
        return tensor.transpose(0, 1)

    contents: dict[str, dict[str, object]] = {
        "einops": {"rearrange": transposed},
        "timm": {},
        "timm.layers": {"DropPath": _NoDrop, "trunc_normal_": torch.nn.init.trunc_normal_},
        "iopath": {},
        "iopath.common": {},
        "iopath.common.file_io": {"g_pathmgr": None},
    }
    missing = {name for name in contents if "." not in name and not _importable(name)}
    for name, content in contents.items():
        if name.split(".")[0] in missing:
            module = types.ModuleType(name)
            module.__dict__.update(content)
            sys.modules[name] = module


def _importable(name: str) -> bool:
    return name in sys.modules or find_spec(name) is not None


class _NoDrop(torch.nn.Identity):
    def __init__(self, probability: float) -> None:
        super().__init__()


def load(path: Path, cache: Path) -> tuple[float, float]:
    """Load the checkpoint in a process of its own: its seconds, and its peak in GiB."""
    environment = {**os.environ, "ARTSOUND_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, str(path)], env=environment, capture_output=True, check=True
    )
    seconds, gigabytes = json.loads(done.stdout)
    return seconds, gigabytes


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--official", type=Path, help="a checkout of facebookresearch/ImageBind")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="keep the checkpoint (10 GB) for the next run")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        path, cache = folder / "imagebind_huge.pth", folder / "cache"
        if not path.exists():
            write_checkpoint(path, options.official)
        print(f"checkpoint {path.stat().st_size / 1e9:.1f} GB; {torch.get_num_threads()} threads")
        for what in ("first load", "later load"):
            print("{}: {:.1f} s, peak {:.1f} GiB".format(what, *load(path, cache)))
        os.environ["ARTSOUND_CACHE"] = str(cache)
        vocabulary, merges = clip_vocabulary()
        write_vocabulary(folder, vocabulary, merges, 77)
        model = ImageBind.from_checkpoint(path)
        compare(model, options.official, options.rounds)


def compare(model: ImageBind, official: Path | None, rounds: int) -> None:
    """Print items a second, a modality a line."""
    random = np.random.default_rng(0)
    images = [
        Image.fromarray(random.integers(0, 256, (600, 800, 3), dtype=np.uint8)) for _ in range(2)
    ]
    waves = [
        random.normal(0, 0.1, SECONDS * audio.SAMPLE_RATE).astype(np.float32) for _ in range(4)
    ]
    captions = [f"{' '.join(CORPUS)} {number}" for number in range(8)]
    titles = [f"A calm piano {number}" for number in range(8)]
    views = np.stack([pixels.cropped(image, 224) for image in images])
    clips = torch.stack([audio.clips(wave, audio.SAMPLE_RATE) for wave in waves])
    cases: list[tuple[str, str, Callable[[], Any], Any, int]] = [
        ("image", "vision", lambda: model.embed_images(images), torch.from_numpy(views), 2),
        ("audio", "audio", lambda: model.embed_audio(waves, audio.SAMPLE_RATE), clips, 4),
        (
            "text, 77 tokens",
            "text",
            lambda: model.embed_text(captions),
            _padded(model, captions),
            8,
        ),
        ("text, short", "text", lambda: model.embed_text(titles), _padded(model, titles), 8),
    ]
    theirs = None
    if official:
        theirs = authors_network(official)
        theirs.load_state_dict(_tensors(model), assign=True, strict=False)
    print(f"{'':16} {'ours /s':>9} {'theirs /s':>9} {'ratio':>6} {'difference':>10}")
    for name, modality, ours, inputs, count in cases:
        if theirs is None:
            print(f"{name:16} {count / best(rounds, [ours])[0]:9.2f}")
            continue

        def run(theirs: Any = theirs, modality: str = modality, inputs: Any = inputs) -> Any:
            with torch.inference_mode():
                return theirs({modality: inputs})[modality]

        mine, other = best(rounds, [ours, run])
        expected = torch.nn.functional.normalize(run(), dim=-1).numpy()
        difference = np.abs(ours() - expected).max()
        print(
            f"{name:16} {count / mine:9.2f} {count / other:9.2f} {other / mine:6.2f}"
            f" {difference:10.1e}"
        )


def _padded(model: ImageBind, texts: list[str]) -> torch.Tensor:
    """Return tokens as the authors' network takes them, shape (n, 77); the end is the largest."""
    batch = torch.zeros(len(texts), 77, dtype=torch.long)
    for row, tokens in enumerate(model.tokens(texts)):
        batch[row, : len(tokens)] = torch.tensor(tokens)
    return batch


def _tensors(model: ImageBind) -> dict[str, torch.Tensor]:
    """Return our weights and the authors' causal mask: what the three modalities need."""
    tensors = dict(model.network.state_dict())
    mask = torch.full((77, 77), float("-inf")).triu(1)
    return tensors | {"modality_preprocessors.text.mask": mask}


if __name__ == "__main__":
    main()
