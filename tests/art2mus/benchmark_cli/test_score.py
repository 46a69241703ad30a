"""`art2mus benchmark score`: a folder of any model's music, and all that may be wrong with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from art2mus.benchmark import inspection
from art2mus.benchmark.clips import read_clip
from art2mus.benchmark.inspection import inspect
from art2mus.benchmark.leaderboard import leaderboard
from art2mus.benchmark.models.base import Sound
from art2mus.benchmark.models.registry import make
from art2mus.benchmark.predictions import PredictionsError, encode, find
from art2mus.benchmark.results import Results, read_results
from art2mus.benchmark.run import RunSettings, run
from art2mus.benchmark.score import ScoreSettings, score
from art2mus.benchmark.store import FeatureStore
from art2mus.benchmark.terminal import shortened
from art2mus.data import Release, open_release
from artsound.errors import ArtsoundError, UsageError
from tests.art2mus.benchmark_cli.parts import (
    PAIRS,
    SECONDS,
    benchmark,
    pair_id,
    write_release,
    write_tones,
)

Change = Callable[[Path], object]
KL = ("spectrum-kl",)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return open_release(write_release(tmp_path_factory.mktemp("score") / "release"))


def scored(
    folder: Path, release: Release, *, partial: bool = False, clip_s: float | None = SECONDS
) -> tuple[Results, tuple[str, ...]]:
    settings = ScoreSettings("train", KL, clip_s, partial=partial)
    return score(folder, release, settings)


def test_any_folder_is_scored(release: Release, tmp_path: Path) -> None:
    folder = write_tones(tmp_path / "Tones")
    (folder / "notes.txt").write_text("not a prediction")
    (folder / ".hidden.wav").touch()
    results, problems = scored(folder, release)
    assert not problems
    assert results == read_results(folder / "results.json")
    assert (results.model, results.partial, results.predictions.count) == ("Tones", False, PAIRS)
    again, _ = scored(folder, release)
    assert again.results == results.results


def test_formats_do_not_matter(release: Release, tmp_path: Path) -> None:
    """24 and 8 bits, floats, FLAC, stereo and other rates are one and the same music."""
    base = write_tones(tmp_path / "base")
    wanted, _ = scored(base, release)
    other = tmp_path / "other"
    other.mkdir()
    kinds = [("wav", "PCM_24"), ("wav", "FLOAT"), ("flac", "PCM_16"), ("wav", "DOUBLE")]
    for number in range(PAIRS):
        samples, rate = soundfile.read(base / f"{pair_id(number)}.wav")
        suffix, kind = kinds[number % len(kinds)]
        stereo = np.stack([samples, samples], axis=1) if number % 2 else samples
        soundfile.write(other / f"{pair_id(number)}.{suffix}", stereo, rate, subtype=kind)
    found, _ = scored(other, release)
    items = wanted.results[0].items
    assert items is not None
    assert found.results[0].items == pytest.approx(items, rel=1e-6)
    # Eight bits are heard as they are, noise and all; a higher rate is taken as well.
    samples, rate = soundfile.read(base / f"{pair_id(0)}.wav")
    soundfile.write(base / f"{pair_id(0)}.wav", samples, rate, subtype="PCM_U8")
    soundfile.write(base / f"{pair_id(1)}.wav", np.repeat(samples, 6), 96_000, subtype="PCM_16")
    eight, _ = scored(base, release)
    assert eight.results[0].value is not None
    assert eight.predictions.sample_rates == [16_000, 96_000]


def test_identical_files_and_a_single_one(release: Release, tmp_path: Path) -> None:
    folder = write_tones(tmp_path / "same")
    for number in range(1, PAIRS):
        shutil.copy(folder / f"{pair_id(0)}.wav", folder / f"{pair_id(number)}.wav")
    settings = ScoreSettings("train", ("fad-lite-musicnn", "spectrum-kl"))
    results, _ = score(folder, release, settings, cache=tmp_path / "cache")
    assert all(one.value is not None and one.value > 0 for one in results.results)
    one = tmp_path / "one"
    one.mkdir()
    shutil.copy(folder / f"{pair_id(0)}.wav", one / f"{pair_id(PAIRS)}.wav")
    alone, _ = score(one, release, ScoreSettings("test", KL))
    assert (alone.results[0].n, alone.results[0].interval) == (1, None)


def silent(path: Path) -> None:
    soundfile.write(path, np.zeros(16_000 * 2), 16_000)


def with_nan(path: Path) -> None:
    samples = np.ones(32_000, np.float32)
    samples[7] = np.nan
    soundfile.write(path, samples, 16_000, subtype="FLOAT")


PROBLEMS: list[tuple[str, Change]] = [
    ("000000-tiny: no prediction", lambda at: (at / "000000-tiny.wav").unlink()),
    ("extra.wav: no such pair in the split", lambda at: silent(at / "extra.wav")),
    ("000001-tiny.wav: silent", lambda at: silent(at / "000001-tiny.wav")),
    ("000002-tiny.wav has 1 samples that are NaN", lambda at: with_nan(at / "000002-tiny.wav")),
    (
        "000003-tiny.wav lasts 0.50 s",
        lambda at: soundfile.write(at / "000003-tiny.wav", np.ones(8000) / 2, 16_000),
    ),
    (
        "000004-tiny.wav cannot be decoded",
        lambda at: (at / "000004-tiny.wav").write_bytes(b"RIFF, and no more"),
    ),
    (
        "000003-tiny.flac: there is 000003-tiny.wav too",
        lambda at: (at / "000003-tiny.flac").touch(),
    ),
    ("000003-tiny.mp3: neither WAV nor FLAC", lambda at: (at / "000003-tiny.mp3").touch()),
]


@pytest.mark.parametrize(("said", "change"), PROBLEMS, ids=[said for said, _ in PROBLEMS])
def test_one_problem(said: str, change: Change, release: Release, tmp_path: Path) -> None:
    folder = write_tones(tmp_path / "mine")
    change(folder)
    with pytest.raises(PredictionsError) as error:
        scored(folder, release)
    assert any(said in problem for problem in error.value.problems)
    assert "\n" not in str(error.value)
    assert not (folder / "results.json").exists()
    results, problems = scored(folder, release, partial=True)
    assert results.partial
    assert results.model_details["problems"] == list(problems)
    kept = PAIRS if any(word in said for word in ("silent", "extra", "flac", "mp3")) else PAIRS - 1
    assert results.predictions.count == kept


def test_all_problems_at_once(release: Release, tmp_path: Path) -> None:
    folder = write_tones(tmp_path / "mine")
    for _, change in PROBLEMS[:6]:
        change(folder)
    with pytest.raises(PredictionsError, match=r"6 things are wrong for release train") as error:
        scored(folder, release)
    assert len(error.value.problems) == 6


def test_one_silent_clip_does_not_void_a_metric_for_all(release: Release, tmp_path: Path) -> None:
    folder = write_tones(tmp_path / "mine")
    whole, _ = scored(folder, release)
    silent(folder / f"{pair_id(1)}.wav")
    results, problems = scored(folder, release, partial=True)
    assert problems == (f"{pair_id(1)}.wav: silent",)
    (found,), (before,) = results.results, whole.results
    assert before.items is not None
    items = {name: one for name, one in before.items.items() if name != pair_id(1)}
    assert found.items == items
    assert found.value == pytest.approx(np.mean(list(items.values())))
    notes = leaderboard({"mine": results})[1].notes
    assert any("spectrum-kl of mine (partial): without 1 of 5 pairs" in note for note in notes)


def test_the_wrong_split_is_named_at_once(release: Release, tmp_path: Path) -> None:
    folder = write_tones(tmp_path / "mine")
    for partial in (False, True):
        wanted = ScoreSettings(
            "test", ("fad-vggish",), partial=partial
        )  # weights that are not here
        with pytest.raises(UsageError) as error:
            score(folder, release, wanted)
        assert str(error.value) == (
            f"{folder}: 5 of its 5 files are of release's split train, and none of test:"
            " give --split train"
        )


def test_many_lines_of_a_kind_are_shortened() -> None:
    gaps = [f"p{number}: no prediction" for number in range(26)]
    others = ["extra.wav: no such pair in the split", "p3.wav: silent"]
    made = shortened([*gaps, *others])
    assert made == [*gaps[:10], "... and 16 more: no prediction", *others]
    assert shortened(others) == others


def test_nothing_to_score(release: Release, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="has no predictions"):
        find(tmp_path / "empty")
    with pytest.raises(UsageError, match="is not there"):
        find(tmp_path / "nowhere")
    folder = tmp_path / "other"
    folder.mkdir()
    silent(folder / "of_another_release.wav")
    with pytest.raises(PredictionsError, match="none of its predictions"):
        scored(folder, release, partial=True)


def test_only_so_much_is_heard(release: Release, tmp_path: Path) -> None:
    short = write_tones(tmp_path / "short", seconds=1.0)
    long = write_tones(tmp_path / "long", seconds=SECONDS)
    first, _ = scored(short, release, clip_s=1.0)
    same, _ = scored(long, release, clip_s=1.0)
    assert first.results[0].items == pytest.approx(same.results[0].items or {}, rel=1e-9)
    other, _ = scored(long, release, clip_s=None)
    assert other.results[0].value != same.results[0].value


def of(model: str, release: Release, out: Path, **settings: int) -> Path:
    """Let a control write its predictions, with their records."""
    wanted = RunSettings("train", SECONDS, **settings)  # type: ignore[arg-type]
    run(make(model, {}), release, out, wanted, cache=out.parent)
    return out


def test_records_name_the_model_that_they_are_of(release: Release, tmp_path: Path) -> None:
    results, problems = scored(of("shuffled", release, tmp_path / "x"), release)
    assert (results.model, problems) == ("shuffled", ())
    assert results.model_details["registry"] == "shuffled"
    assert "in another order" in results.model_details["note"]
    assert results.model_details["batch"] == 1


def problems_of(folder: Path, release: Release) -> tuple[str, ...]:
    with pytest.raises(PredictionsError) as error:
        scored(folder, release)
    partial, _ = scored(folder, release, partial=True)
    assert partial.model == folder.name  # not what a record says that tells of something else
    return error.value.problems


def test_records_of_other_music_are_named(release: Release, tmp_path: Path) -> None:
    truth = of("ground-truth", release, tmp_path / "truth")
    noise = of("noise", release, tmp_path / "noise")
    for path in noise.glob("*.wav"):
        shutil.copy(path, truth)
    said = problems_of(truth, release)
    assert len(said) == PAIRS
    assert said[0] == (
        "000000-tiny.wav: not the file that 000000-tiny.json tells of: remove that record, or"
        " generate it again"
    )


def test_one_record_does_not_name_the_others(release: Release, tmp_path: Path) -> None:
    folder = of("ground-truth", release, tmp_path / "truth")
    for number in range(1, PAIRS):
        (folder / f"{pair_id(number)}.json").unlink()
    (said,) = problems_of(folder, release)
    assert "4 of 5 predictions have no record, such as 000001-tiny.wav" in said


def test_records_of_another_release_are_named(release: Release, tmp_path: Path) -> None:
    folder = of("ground-truth", release, tmp_path / "truth")
    other = open_release(write_release(tmp_path / "other", seconds=3.0))
    (said,) = problems_of(folder, other)
    assert "5 records are of another release, such as 000000-tiny.json" in said


def test_predictions_of_several_runs_are_not_one_set(release: Release, tmp_path: Path) -> None:
    one, other = (of("noise", release, tmp_path / str(seed), seed=seed) for seed in (0, 1))
    for path in other.glob(f"{pair_id(2)}.*"):
        shutil.copy(path, one)
    with pytest.raises(UsageError, match=r"made in several ways \(seed 0, now 1\)"):
        scored(one, release)


def test_short_clips_are_taken_and_said(release: Release, tmp_path: Path) -> None:
    folder = write_tones(tmp_path / "short", seconds=1.0)
    results, said = scored(folder, release)
    assert not results.partial
    assert (results.predictions.heard_s, results.predictions.short) == (1.0, PAIRS)
    assert (
        "5 of 5 clips are shorter than the 2 s that are heard of each (1.00 to 1.00 s)" in said[0]
    )
    longer, nothing = scored(write_tones(tmp_path / "long", seconds=1.95), release)
    assert (nothing, longer.predictions.short) == ((), 0)


def test_what_was_heard_before_is_not_decoded_again(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_tones(tmp_path / "mine")
    settings = ScoreSettings("train", KL, SECONDS)
    cold, _ = score(folder, release, settings, cache=tmp_path / "cache")
    decoded: list[Path] = []

    def noted(path: Path, seconds: float | None = None) -> object:
        decoded.append(path)
        return read_clip(path, seconds)

    monkeypatch.setattr(inspection, "read_clip", noted)
    monkeypatch.setattr("art2mus.benchmark.evaluate.read_clip", noted)
    warm, _ = score(folder, release, settings, cache=tmp_path / "cache")
    assert (decoded, warm.results) == ([], cold.results)
    silent(folder / f"{pair_id(1)}.wav")  # other content is heard anew
    with pytest.raises(PredictionsError, match=r"000001-tiny\.wav: silent"):
        score(folder, release, settings, cache=tmp_path / "cache")
    assert decoded == [folder / f"{pair_id(1)}.wav"]


def test_weights_that_are_missing_are_said_before_anything_is_heard(
    release: Release, tmp_path: Path
) -> None:
    folder = write_tones(tmp_path / "mine")
    (folder / f"{pair_id(0)}.wav").write_bytes(b"no sound")
    wanted = ScoreSettings("train", ("fad-mert",), checkpoints={"mert": str(tmp_path / "none")})
    with pytest.raises(ArtsoundError, match="no such file or folder"):
        score(folder, release, wanted)


def test_inspection_names_everything(tmp_path: Path) -> None:
    folder = write_tones(tmp_path / "mine", 3)
    silent(folder / f"{pair_id(1)}.wav")
    soundfile.write(folder / f"{pair_id(2)}.wav", np.ones(8000) / 2, 16_000)
    with FeatureStore(tmp_path / "cache") as store:
        wanted = [pair_id(number) for number in range(4)]
        found = inspect(find(folder)[0], wanted, store, 10.0)
    assert found.missing == (pair_id(3),)
    assert list(found.unusable) == [pair_id(2)]
    assert found.silent == (pair_id(1),)
    assert found.short == {pair_id(0): SECONDS, pair_id(1): SECONDS}
    assert list(found.checksums) == [pair_id(number) for number in range(3)]


@pytest.mark.parametrize("clip", ["inf", "nan", "-1", "0.5", "1e300"])
def test_lengths_that_cannot_be_heard(clip: str, tmp_path: Path) -> None:
    done = benchmark("score", "mine", "release", f"--clip={clip}", cwd=tmp_path)
    assert done.returncode == 2
    assert "give 1 to 3600 s, or 0 for whole clips" in done.stderr
    with pytest.raises(UsageError, match="give 1 to 3600, or all"):
        ScoreSettings(clip_s=float(clip))


def test_predictions_are_written_as_they_are() -> None:
    samples = np.array([[0.5, -2.0, 1e-9], [0.0, 1.0, 3.0]], np.float32)
    data = encode(Sound(samples, 44_100))
    assert data == encode(Sound(samples, 44_100))
    import io

    read, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    assert rate == 44_100
    np.testing.assert_array_equal(read.T, samples)


def test_the_command_line(release: Release, tmp_path: Path) -> None:
    write_release(tmp_path / "release")
    write_tones(tmp_path / "mine")
    common: list[str | Path] = [
        "--split",
        "train",
        "--metric",
        "spectrum-kl",
        "--cache",
        tmp_path / "cache",
        "-q",
    ]
    done = benchmark("score", "mine", "release", *common, "--name", "Mine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "wrote results to mine/results.json" in done.stdout
    assert read_results(tmp_path / "mine" / "results.json").model == "Mine"
    swapped = benchmark("score", "release", "mine", *common, cwd=tmp_path)
    assert swapped.returncode == 2
    assert "release is a release: the predictions come first" in swapped.stderr
    silent(tmp_path / "mine" / f"{pair_id(2)}.wav")
    silent(tmp_path / "mine" / "extra.wav")
    wrong = benchmark("score", "mine", "release", *common, cwd=tmp_path)
    assert wrong.returncode == 1
    assert wrong.stderr.splitlines()[:2] == [
        "extra.wav: no such pair in the split",
        f"{pair_id(2)}.wav: silent",
    ]
    assert "2 things are wrong" in wrong.stderr
    folder = benchmark("score", "mine", "release", *common, "--out", ".", cwd=tmp_path)
    assert folder.returncode == 2
    assert "--out . is a folder: name the file, as in results.json" in folder.stderr
    suite = benchmark("score", "mine", "release", "--suite", "papr", cwd=tmp_path)
    assert suite.returncode == 2
    assert "did you mean 'paper'" in suite.stderr
