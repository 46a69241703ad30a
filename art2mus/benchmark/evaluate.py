"""Evaluating a set of generated music against a split of a release.

Predictions and the pairs' own music are heard once, for the same `clip_s` seconds from their
beginning, by every embedder that the metrics rest on; what was embedded before comes from the
cache. Then each metric reads the features that it needs.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial as bound
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from art2mus.benchmark.clips import Clip, clip_of, read_clip
from art2mus.benchmark.embedders import registry
from art2mus.benchmark.features import embedded, facts, heard
from art2mus.benchmark.inspection import ENOUGH, checksum
from art2mus.benchmark.measuring import Keys, measured
from art2mus.benchmark.metrics.registry import Chosen, choose
from art2mus.benchmark.results import Dataset, Predictions, Result, Results
from art2mus.benchmark.store import FeatureStore
from artsound import __version__
from artsound.errors import ArtsoundError

if TYPE_CHECKING:
    from art2mus.benchmark.embedders.base import AudioEmbedder, JointEmbedder
    from art2mus.data import Media, Release

CLIP_S: Final = 10.0
Progress = Callable[[int, int], None]


def evaluate(
    generated: Mapping[str, Path],
    release: Release,
    split: str,
    *,
    suite: str | Sequence[str] = "paper",
    cache: Path | None = None,
    seed: int = 0,
    device: str = "cpu",
    checkpoints: Mapping[str, str] | None = None,
    clip_s: float | None = CLIP_S,
    partial: bool = False,
    progress: Progress | None = None,
) -> list[Result]:
    """Score generated music; the results in the suite's order.

    Args:
        generated: an audio file a pair, by pair_id.
        release: what they were generated for.
        split: which of its splits.
        suite: `paper`, `lite` (no downloads), or names of metrics.
        cache: where embeddings are kept between runs; nowhere if None.
        seed: of the intervals and of the metrics that sample.
        device: where embedders compute.
        checkpoints: paths of weights by embedder, where they are not to be downloaded.
        clip_s: how much of each clip and of its ground truth is heard; None for all.
        partial: evaluate the pairs that have a prediction, where some have none.
        progress: told how many clips of how many are heard.

    Raises:
        UsageError: no such split, suite, metric or checkpoint.
        ArtsoundError: predictions are missing or of no pair, one cannot be evaluated, the release
            lacks media, or weights are not there.
    """
    return assess(
        generated,
        release,
        split,
        suite=suite,
        cache=cache,
        seed=seed,
        device=device,
        checkpoints=checkpoints,
        clip_s=clip_s,
        partial=partial,
        progress=progress,
    ).results


def assess(
    generated: Mapping[str, Path],
    release: Release,
    split: str,
    *,
    suite: str | Sequence[str] = "paper",
    cache: Path | None = None,
    seed: int = 0,
    device: str = "cpu",
    checkpoints: Mapping[str, str] | None = None,
    clip_s: float | None = CLIP_S,
    partial: bool = False,
    progress: Progress | None = None,
    model: str = "",
    model_details: Mapping[str, Any] | None = None,
    seeds: Sequence[int] = (),
    skip_silent: bool = False,
    loaded: Mapping[str, registry.Loaded] | None = None,
) -> Results:
    """Score generated music and say under which conditions: all that results.json holds.

    What `evaluate` takes means the same here; `model`, `model_details` and `seeds` say what
    generated the clips, what is worth knowing of it, and the seeds that it was given. With
    `skip_silent` a metric that is not defined for silent clips is measured on the other pairs, and
    says so: such results are partial. Embedders that are `loaded` already, by name, are not loaded
    again.
    """
    began = time.perf_counter()
    chosen = choose(suite)
    registry.check_names(checkpoints or {})
    pairs = list(release.pairs(split))
    rows, missing = _rows(generated, [pair.pair_id for pair in pairs], partial, release.name, split)
    loaded = loaded or {
        name: registry.load(name, checkpoints, device)
        for name in dict.fromkeys(one.embedder for one in chosen)
    }
    say = progress or (lambda done, total: None)
    with _store(cache) as store:
        keys = _embed(generated, release, split, rows, chosen, loaded, store, clip_s, say)
        known = facts(store, keys.generated)
        ids = [pairs[row].pair_id for row in rows]
        results = [
            measured(one, loaded[one.embedder], keys, store, ids, seed, skip_silent=skip_silent)
            for one in chosen
        ]
    return Results(
        model=model,
        model_details=dict(model_details or {}),
        suite=suite if isinstance(suite, str) else "custom",
        dataset=Dataset(
            name=release.name,
            revision=release.revision,
            fingerprint=release.fingerprint,
            split=split,
            pairs=len(pairs),
        ),
        predictions=Predictions(
            fingerprint=_fingerprint(ids, keys.generated),
            count=len(ids),
            sample_rates=sorted({one.sample_rate for one in known}),
            shortest_s=min(one.duration_s for one in known),
            longest_s=max(one.duration_s for one in known),
            heard_s=sum(min(one.duration_s, clip_s or one.duration_s) for one in known) / len(ids),
            short=0 if clip_s is None else sum(one.duration_s < ENOUGH * clip_s for one in known),
            silent=[name for name, one in zip(ids, known, strict=True) if one.silent],
            missing=missing,
            seeds=list(seeds),
        ),
        clip_s=clip_s,
        partial=bool(missing) or any("left_out" in one.details for one in results),
        seed=seed,
        code_version=__version__,
        hardware=_hardware(device),
        seconds=round(time.perf_counter() - began, 3),
        results=results,
    )


def _rows(
    generated: Mapping[str, Path], pair_ids: list[str], partial: bool, name: str, split: str
) -> tuple[list[int], list[str]]:
    """Return the rows to evaluate and the pairs without a prediction."""
    extra = sorted(generated.keys() - set(pair_ids))
    if extra:
        raise ArtsoundError(
            f"{len(extra)} predictions of no pair in {name} {split}, such as {extra[0]!r}: check"
            " the split, or remove them"
        )
    missing = [pair_id for pair_id in pair_ids if pair_id not in generated]
    rows = [row for row, pair_id in enumerate(pair_ids) if pair_id in generated]
    if not rows:
        raise ArtsoundError(f"no predictions for {name} {split}: files are named PAIR_ID.wav")
    if missing and not partial:
        raise ArtsoundError(
            f"{len(missing)} of the {len(pair_ids)} pairs in {name} {split} have no prediction,"
            f" such as {missing[0]}: generate them, or evaluate what there is as partial results,"
            " which are comparable with no others"
        )
    return rows, missing


def _embed(
    generated: Mapping[str, Path],
    release: Release,
    split: str,
    rows: list[int],
    chosen: list[Chosen],
    loaded: Mapping[str, registry.Loaded],
    store: FeatureStore,
    clip_s: float | None,
    say: Progress,
) -> Keys:
    """Hear the predictions and, in one pass over the release, hear, see and read the pairs."""
    pairs = release.pairs(split)
    total = 2 * len(rows)
    everyone = [one.embedder for one in loaded.values()]
    listeners = _against(chosen, loaded, "music")
    viewers, readers = _joint(chosen, loaded, "artwork"), _joint(chosen, loaded, "caption")
    keys = Keys([], [], [], [])
    for done, row in enumerate(rows):
        path = Path(generated[pairs[row].pair_id])
        decode = bound(read_clip, path, clip_s)
        keys.generated.append(heard(checksum(path), decode, everyone, store, clip_s))
        say(done + 1, total)
    for done, media in enumerate(release.media(split, rows), start=len(rows)):
        truth = bound(_truth, media, clip_s)
        caption = media.pair.music_caption
        keys.music.append(heard(media.audio_key, truth, listeners, store, clip_s))
        keys.artwork.append(
            embedded(media.image_key, media.image, viewers, store, lambda one, it: one.see(it))
        )
        keys.caption.append(
            embedded(
                hashlib.sha256(caption.encode()).hexdigest(),
                bound(str, caption),
                readers,
                store,
                lambda one, text: one.read(text),
            )
        )
        say(done + 1, total)
    return keys


def _against(
    chosen: list[Chosen], loaded: Mapping[str, registry.Loaded], counterpart: str
) -> list[AudioEmbedder]:
    names = {one.embedder for one in chosen if one.metric.counterpart == counterpart}
    return [one.embedder for name, one in loaded.items() if name in names]


def _joint(
    chosen: list[Chosen], loaded: Mapping[str, registry.Loaded], counterpart: str
) -> list[JointEmbedder]:
    from art2mus.benchmark.embedders.joint import Joint

    return [one for one in _against(chosen, loaded, counterpart) if isinstance(one, Joint)]


def _truth(media: Media, clip_s: float | None) -> Clip:
    samples, rate = media.audio()
    return clip_of(samples, rate, clip_s, f"{media.where}: the music of {media.pair.pair_id}")


def _fingerprint(ids: list[str], keys: list[str]) -> str:
    lines = "\n".join(f"{name} {key}" for name, key in zip(ids, keys, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


@contextlib.contextmanager
def _store(cache: Path | None) -> Iterator[FeatureStore]:
    with contextlib.ExitStack() as stack:
        folder = cache or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield stack.enter_context(FeatureStore(folder))


def _hardware(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
