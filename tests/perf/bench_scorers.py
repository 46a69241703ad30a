"""CLIP-Score and BERT-Score at full size with random weights, beside the authors' code in one run.

Both sides get the same weights, the same images and captions of the length that the paper's
captioners write, and the same threads; the order alternates from round to round. What they give is
compared as well.

Usage: python -m tests.perf.bench_scorers [--official-clip CHECKOUT] [--official-torchvision FOLDER]
           [--official-bertscore] [--images 64] [--captions 64] [--pairs 16] [--rounds 3]

`--official-clip` takes a checkout of openai/CLIP, which imports torchvision: where that cannot be
imported, `--official-torchvision` takes a folder with its `transforms`. `--official-bertscore` runs
the `bert-score` library's own scorer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPModel, RobertaConfig, RobertaModel

from artsound.models.bert_score import LAYER, RobertaBertScore
from artsound.models.clip import PREFIX, CLIPScorer
from artsound.models.openai_clip import openai_to_transformers
from tests.models.tiny_bpe import (
    CORPUS,
    clip_vocabulary,
    roberta_vocabulary,
    write_vocabulary,
)

Runs = dict[str, Callable[[], Any]]


def _images(count: int) -> list[Image.Image]:
    random = np.random.RandomState(0)
    small = [random.randint(0, 256, (20, 16, 3)).astype(np.uint8) for _ in range(count)]
    return [Image.fromarray(pixels).resize((800, 1000)) for pixels in small]


def _captions(count: int, words: int) -> list[str]:
    random = np.random.RandomState(1)
    pool = " ".join(CORPUS).split()
    return [
        " ".join(random.choice(pool, random.randint(words // 2, words * 3 // 2)))
        for _ in range(count)
    ]


def _write_clip(folder: Path) -> Path:
    vocabulary, merges = clip_vocabulary()
    config = CLIPConfig(text_config={"eos_token_id": len(vocabulary) - 1})
    model: Any = CLIPModel(config)
    model.save_pretrained(folder)
    write_vocabulary(folder, vocabulary, merges, 77)
    return folder


def _write_roberta(folder: Path) -> Path:
    vocabulary, merges = roberta_vocabulary()
    config = RobertaConfig(
        vocab_size=50_265,
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        max_position_embeddings=514,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    model: Any = RobertaModel(config)
    model.save_pretrained(folder)
    write_vocabulary(folder, vocabulary, merges, 512)
    return folder


def _official_clip(checkout: str, torchvision: str | None, folder: Path, ours: CLIPScorer) -> Any:
    """Return OpenAI's module and its full-size model with our weights and vocabulary."""
    sys.path[:0] = [path for path in (torchvision, checkout) if path]
    import clip.clip as official  # type: ignore[import-not-found]
    from clip.model import CLIP  # type: ignore[import-not-found]

    vocabulary, merges = clip_vocabulary()
    official._tokenizer.encoder = vocabulary
    official._tokenizer.bpe_ranks = {pair: rank for rank, pair in enumerate(merges)}
    model: Any = CLIP(512, 224, 12, 768, 32, 77, 49_408, 512, 8, 12).eval()
    given = ours._encoder.model.state_dict()
    theirs = model.state_dict()
    for name, tensor in theirs.items():
        parts = [given[part] for part in openai_to_transformers({name: tensor})]
        joined = torch.cat(parts) if len(parts) > 1 else parts[0]
        theirs[name] = joined.T if name in {"visual.proj", "text_projection"} else joined
    model.load_state_dict(theirs)
    return official, model


def _clip_runs(args: argparse.Namespace, folder: Path) -> dict[str, Runs]:
    ours = CLIPScorer.from_checkpoint(_write_clip(folder))
    images, captions = _images(args.images), _captions(args.captions, 40)
    runs: dict[str, Runs] = {
        "CLIP ViT-B/32, images": {"ours": lambda: ours.image_features(images)},
        "CLIP ViT-B/32, captions": {"ours": lambda: ours.text_features(captions)},
    }
    if args.official_clip:
        official, model = _official_clip(
            args.official_clip, args.official_torchvision, folder, ours
        )
        view = official._transform(224)

        def their_images() -> Any:
            parts = []
            with torch.no_grad():
                for start in range(0, len(images), 64):  # clipscore.py's batch
                    batch = torch.stack([view(image) for image in images[start : start + 64]])
                    parts.append(model.encode_image(batch).numpy())
            return np.vstack(parts)

        def their_captions() -> Any:
            parts = []
            with torch.no_grad():
                for start in range(0, len(captions), 256):
                    texts = [PREFIX + caption for caption in captions[start : start + 256]]
                    parts.append(model.encode_text(official.tokenize(texts, truncate=True)).numpy())
            return np.vstack(parts)

        runs["CLIP ViT-B/32, images"]["authors"] = their_images
        runs["CLIP ViT-B/32, captions"]["authors"] = their_captions
    return runs


def _bert_score_runs(args: argparse.Namespace, folder: Path) -> dict[str, Runs]:
    ours = RobertaBertScore.from_checkpoint(_write_roberta(folder))
    captions = _captions(2 * args.pairs, 70)
    references, candidates = captions[: args.pairs], captions[args.pairs :]
    runs: Runs = {"ours": lambda: np.array(ours.f1(references, candidates))}
    if args.official_bertscore:
        from bert_score import BERTScorer

        theirs = BERTScorer(model_type=str(folder), num_layers=LAYER, device="cpu")
        # transformers 5 does not add the space that the library asks for.
        theirs._tokenizer = ours._tokenizer
        runs["authors"] = lambda: theirs.score(candidates, references)[2].numpy()
    return {"BERT-Score RoBERTa-large, pairs": runs}


def _report(name: str, runs: Runs, items: int, rounds: int) -> None:
    seconds: dict[str, list[float]] = {side: [] for side in runs}
    cpu: dict[str, list[float]] = {side: [] for side in runs}
    results: dict[str, Any] = {side: run() for side, run in runs.items()}  # warm
    for number in range(rounds):
        order: Sequence[str] = list(runs) if number % 2 else list(reversed(runs))
        for side in order:
            began, worked = time.perf_counter(), time.process_time()
            runs[side]()
            seconds[side].append(time.perf_counter() - began)
            cpu[side].append(time.process_time() - worked)
    rates = {side: items / statistics.median(times) for side, times in seconds.items()}
    row: dict[str, Any] = {
        "what": name,
        **{f"{side}_per_s": round(rate, 2) for side, rate in rates.items()},
    }
    if "authors" in rates:
        row["times_faster"] = round(rates["ours"] / rates["authors"], 2)
        # What else the machine does falls into the wall clock, hardly into this.
        spent = {side: statistics.median(times) for side, times in cpu.items()}
        row["times_less_cpu"] = round(spent["authors"] / spent["ours"], 2)
        row["max_difference"] = float(np.abs(results["ours"] - results["authors"]).max())
    print(json.dumps(row))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--official-clip")
    parser.add_argument("--official-torchvision")
    parser.add_argument("--official-bertscore", action="store_true")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--captions", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        for name, runs in _clip_runs(args, Path(folder, "clip")).items():
            _report(name, runs, args.images if "images" in name else args.captions, args.rounds)
        for name, runs in _bert_score_runs(args, Path(folder, "roberta")).items():
            _report(name, runs, args.pairs, args.rounds)


if __name__ == "__main__":
    main()
