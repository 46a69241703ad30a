"""The evaluation from files to results, on the sample release and on a made-up one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from art2mus.benchmark.embedders.joint import Joint
from art2mus.benchmark.evaluate import assess, evaluate
from art2mus.benchmark.results import Result, read_results, write_results
from art2mus.data import Release, open_release
from artsound.errors import ArtsoundError, UsageError
from tests.art2mus.benchmark import checkpoints
from tests.art2mus.benchmark.music import controls, tone, write
from tests.models.tiny_clap import write_clap
from tests.tiny_release import write_tiny_release

CHEAP = ["fad-lite-musicnn", "kl-softmax-lite-musicnn", "spectrum-kl"]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("release") / "tiny"
    return open_release(write_tiny_release(folder, pairs=4, shards=1, seconds=5.0))


@pytest.fixture(scope="module")
def truth(release: Release, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the pairs' own music, as files of the same samples."""
    folder = tmp_path_factory.mktemp("truth")
    return {
        media.pair.pair_id: write(folder / f"{media.pair.pair_id}.wav", *media.audio())
        for media in release.media("train")
    }


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


def by_name(results: list[Result]) -> dict[str, Result]:
    return {one.metric: one for one in results}


def values(found: dict[str, dict[str, Result]], metric: str) -> dict[str, float]:
    named = {name: results[metric].value for name, results in found.items()}
    return {name: value for name, value in named.items() if value is not None}


def check_order(found: dict[str, dict[str, Result]]) -> None:
    """Ground truth is best; as a set shuffled music is the same, and silence and noise are none."""
    for metric, first in found["ground-truth"].items():
        if first.value is None or "retrieval" in metric:
            continue
        sign = 1 if first.higher_is_better else -1
        worst = max(sign * value for value in values(found, metric).values())
        assert sign * first.value >= worst - 0.05 * abs(worst), metric
    for metric in ("fad-lite-musicnn", "kad-lite-musicnn"):
        score = values(found, metric)
        assert score["shuffled"] == pytest.approx(score["ground-truth"], abs=0.05 + 1e-3)
        assert score["shuffled"] < min(score["silence"], score["noise"])
    assert values(found, "score-music-lite-conse")["ground-truth"] > 0.99
    caption = values(found, "score-caption-lite-conse")
    assert caption["ground-truth"] > caption["shuffled"] > max(caption["silence"], caption["noise"])
    spectrum = values(found, "spectrum-kl")
    assert spectrum["ground-truth"] < spectrum["shuffled"] < spectrum["noise"]
    assert "silent" in found["silence"]["spectrum-kl"].details["undefined"]


def test_the_controls_come_in_the_order_of_common_sense(released: Path, tmp_path: Path) -> None:
    sample = open_release(released)
    sets = controls(sample, "train", tmp_path, range(6))
    check_order(
        {
            name: by_name(
                evaluate(files, sample, "train", suite="lite", cache=tmp_path, partial=True)
            )
            for name, files in sets.items()
        }
    )


@pytest.mark.slow
def test_the_controls_of_the_whole_sample(released: Path, tmp_path: Path) -> None:
    sample = open_release(released)
    sets = controls(sample, "train", tmp_path, range(sample.splits["train"]))
    found = {
        name: by_name(evaluate(files, sample, "train", suite="lite", cache=tmp_path))
        for name, files in sets.items()
    }
    check_order(found)
    sigmoid = values(found, "kl-sigmoid-lite-musicnn")
    assert sigmoid["ground-truth"] < sigmoid["shuffled"] < min(sigmoid["silence"], sigmoid["noise"])
    rank = values(found, "retrieval-median-rank-lite-conse")
    assert rank["ground-truth"] < rank["shuffled"]


def test_identical_files(release: Release, truth: dict[str, Path], cache: Path) -> None:
    found = by_name(evaluate(truth, release, "train", suite=CHEAP, cache=cache))
    assert found["fad-lite-musicnn"].value == pytest.approx(0, abs=1e-4)
    assert found["kl-softmax-lite-musicnn"].value == pytest.approx(0, abs=1e-4)
    assert found["spectrum-kl"].value == pytest.approx(0, abs=1e-9)
    for one in found.values():
        assert one.n == 4
        if one.items is not None:
            assert list(one.items) == list(truth)


def test_the_same_with_a_cache_and_without(
    release: Release, truth: dict[str, Path], cache: Path
) -> None:
    wrong = dict(zip(truth, reversed(truth.values()), strict=True))
    runs = [evaluate(wrong, release, "train", suite=CHEAP, cache=at) for at in (cache, cache, None)]
    assert runs[0] == runs[1] == runs[2]
    assert runs[0] != evaluate(truth, release, "train", suite=CHEAP, cache=cache)


def test_any_form_of_the_same_music_scores_the_same(
    release: Release, truth: dict[str, Path], cache: Path, tmp_path: Path
) -> None:
    plain = by_name(evaluate(truth, release, "train", suite=CHEAP[:2], cache=cache))
    other = {}
    for number, (pair_id, path) in enumerate(truth.items()):
        samples, rate = soundfile.read(path, always_2d=True)
        mono = samples.mean(axis=1)
        subtype = ("PCM_16", "PCM_24", "PCM_32", "FLOAT")[number % 4]
        both = np.stack([mono, mono])
        other[pair_id] = write(tmp_path / f"{pair_id}.wav", both, rate, subtype)
    found = by_name(evaluate(other, release, "train", suite=CHEAP[:2], cache=cache))
    for name, one in plain.items():
        assert found[name].value == pytest.approx(one.value, abs=2e-3)


def test_the_spectrums_divergence_is_the_same_at_any_rate(tmp_path: Path) -> None:
    """Music of its own pairs, at 16 kHz beside 44.1 kHz: by far the nearest, not the furthest."""
    folder = write_tiny_release(tmp_path / "release", pairs=4, shards=1, seconds=4.0)
    release = open_release(folder)
    here, there = {}, {}
    for media in release.media("train"):
        samples, rate = media.audio()
        name = media.pair.pair_id
        there[name] = write(tmp_path / "own" / f"{name}.wav", samples, rate)
        up = soxr.resample(samples.T, rate, 44_100).T
        here[name] = write(tmp_path / "up" / f"{name}.wav", up, 44_100)
    ids = list(here)
    rotated = {name: there[ids[(row + 1) % len(ids)]] for row, name in enumerate(ids)}
    found = [
        evaluate(files, release, "train", suite=["spectrum-kl"], cache=tmp_path)[0]
        for files in (there, here, rotated)
    ]
    own, resampled, other = (one.value for one in found)
    assert own is not None
    assert resampled is not None
    assert other is not None
    assert own < 1e-6
    assert resampled < 0.1 * other
    assert found[0].embedder_sample_rate == 16_000
    assert found[0].details["interval_of"] == "the pairs"


def test_swapped_sets(release: Release, truth: dict[str, Path], cache: Path) -> None:
    """A rotation gives each pair another's music: worse pair by pair, the same as a set."""
    ids = list(truth)
    rotated = {name: truth[ids[(row + 1) % len(ids)]] for row, name in enumerate(ids)}
    found = by_name(evaluate(rotated, release, "train", suite=CHEAP, cache=cache))
    assert found["fad-lite-musicnn"].value == pytest.approx(0, abs=1e-4)
    divergence = found["kl-softmax-lite-musicnn"].value
    assert divergence is not None
    assert divergence > 0.01


def test_one_file_only(release: Release, truth: dict[str, Path], cache: Path) -> None:
    first = dict([next(iter(truth.items()))])
    results = assess(first, release, "train", suite=CHEAP, cache=cache, partial=True)
    assert results.partial
    assert len(results.predictions.missing) == 3
    for one in results.results:
        assert one.n == 1
        assert one.interval is None
    fad = results.result("fad-lite-musicnn")
    assert fad is not None
    assert fad.details["rank_deficient"]


def test_silence_is_named(release: Release, truth: dict[str, Path], tmp_path: Path) -> None:
    silent = write(tmp_path / "silent.wav", np.zeros((1, 64_000)), 16_000)
    first = next(iter(truth))
    results = assess(truth | {first: silent}, release, "train", suite=["spectrum-kl"])
    assert results.predictions.silent == [first]
    assert results.results[0].value is None
    assert "1 clip is silent" in results.results[0].details["undefined"]


def test_silence_can_be_skipped(
    release: Release, truth: dict[str, Path], cache: Path, tmp_path: Path
) -> None:
    silent = write(tmp_path / "silent.wav", np.zeros((1, 80_000)), 16_000)
    first, *others = truth
    rotated = {name: truth[others[place - 1]] for place, name in enumerate(others)}
    results = assess(
        rotated | {first: silent}, release, "train", suite=CHEAP, cache=cache, skip_silent=True
    )
    few = assess(rotated, release, "train", suite=["spectrum-kl"], cache=cache, partial=True)
    found = results.result("spectrum-kl")
    assert found is not None
    assert found.items == few.results[0].items
    assert (found.value, found.n) == (few.results[0].value, 3)
    assert found.details["note"].startswith("without 1 of 4 pairs, a clip of which is silent")
    assert results.partial
    # Every other metric is defined for silence, and counts it.
    assert {one.n for one in results.results if one.metric != "spectrum-kl"} == {4}
    mute = dict.fromkeys(truth, silent)
    (none,) = evaluate(mute, release, "train", suite=["spectrum-kl"], cache=cache)
    assert "4 clips are silent" in none.details["undefined"]
    whole = assess(mute, release, "train", suite=["spectrum-kl"], cache=cache, skip_silent=True)
    assert (whole.results[0].value, whole.partial) == (None, False)


def test_results_are_written_and_read(
    release: Release, truth: dict[str, Path], cache: Path, tmp_path: Path
) -> None:
    results = assess(
        truth, release, "train", suite=CHEAP, cache=cache, model="truth", seeds=[1, 2, 3, 4]
    )
    path = tmp_path / "results.json"
    write_results(path, results)
    assert read_results(path) == results
    assert (results.clip_s, results.predictions.heard_s, results.predictions.short) == (
        10.0,
        5.0,
        4,
    )
    assert results.predictions.sample_rates == [16_000]
    assert results.dataset.pairs == 4
    path.write_text(path.read_text().replace('"higher_is_better": false', '"higher": false', 1))
    with pytest.raises(ArtsoundError, match=r"results\.json is no results\.json.*results\.0"):
        read_results(path)
    with pytest.raises(ArtsoundError, match="cannot be read"):
        read_results(tmp_path / "none.json")


def test_mistakes_are_named_before_any_work(
    release: Release, truth: dict[str, Path], tmp_path: Path
) -> None:
    first = next(iter(truth))
    fewer = {name: path for name, path in truth.items() if name != first}
    with pytest.raises(ArtsoundError, match=f"1 of the 4 pairs .* such as {first}"):
        evaluate(fewer, release, "train", suite=CHEAP)
    with pytest.raises(ArtsoundError, match=r"of no pair in .*'stray'"):
        evaluate(truth | {"stray": truth[first]}, release, "train", suite=CHEAP)
    with pytest.raises(ArtsoundError, match="no predictions for"):
        evaluate({}, release, "train", suite=CHEAP)
    with pytest.raises(UsageError, match="no split 'trian'"):
        evaluate(truth, release, "trian", suite=CHEAP)
    with pytest.raises(UsageError, match="no such embedder"):
        evaluate(truth, release, "train", suite=CHEAP, checkpoints={"vgish": "a.pth"})
    with pytest.raises(UsageError, match="no such file or folder"):
        evaluate(truth, release, "train", suite=["fad-vggish"], checkpoints={"vggish": "a.pth"})
    nan = tone(16_000)
    nan[5] = np.nan
    bad = write(tmp_path / "bad.wav", nan[None], 16_000, "FLOAT")
    with pytest.raises(ArtsoundError, match=r"bad\.wav has 1 samples that are NaN"):
        evaluate(truth | {first: bad}, release, "train", suite=CHEAP)


def test_a_cache_that_is_none(release: Release, truth: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "features.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(ArtsoundError, match="delete it"):
        evaluate(truth, release, "train", suite=CHEAP, cache=tmp_path)


def test_embedders_of_the_paper(release: Release, truth: dict[str, Path], tmp_path: Path) -> None:
    """VGGish and CLAP from checkpoints in the official format, on a swapped set."""
    vggish = checkpoints.write(tmp_path / "vggish-10086976.pth", checkpoints.vggish())
    clap = write_clap(tmp_path / "clap")
    found = by_name(
        evaluate(
            truth,
            release,
            "train",
            suite=["fad-vggish", "fad-clap-music", "score-caption-clap-music"],
            checkpoints={"vggish": str(vggish), "clap-music": str(clap)},
        )
    )
    assert found["fad-vggish"].details["dimension"] == 128
    assert found["fad-vggish"].details["frames"] == 4 * 5
    assert found["fad-vggish"].checkpoint == "vggish-10086976.pth"
    assert found["fad-vggish"].checkpoint_hash == hashlib.sha256(vggish.read_bytes()).hexdigest()
    assert found["fad-clap-music"].details["rank_deficient"]
    cosines = found["score-caption-clap-music"].items
    assert cosines is not None
    assert len(cosines) == 4
    assert all(-1 <= cosine <= 1 for cosine in cosines.values())
    assert len(set(cosines.values())) == 4


def test_joint_embedders_share_a_space() -> None:
    model = Joint("lite-conse")
    vector = model.hear(tone(16_000, 3.0))["vector"]
    assert vector.shape == model.read("a tone").shape
    assert model.sample_rate == 16_000
