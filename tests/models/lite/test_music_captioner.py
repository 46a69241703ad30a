import re
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from artsound.models import registry
from artsound.models.base import SegmentCaptioner, SegmentRequest
from artsound.models.lite.music_captioner import LiteMusicCaptioner, describe
from artsound.models.lite.music_evidence import Evidence, weigh
from artsound.models.lite.music_features import Key, MusicFeatures
from artsound.models.lite.musicnn import MSD_LABELS, MTT_LABELS
from tests.models.lite.test_music_features import RATE, clicks, midi, tones
from tests.models.lite.test_musicnn import clip

MEDIUM = MusicFeatures(-18.0, 5.0, 1500.0, 0.15, 4.0, 96.0, 0.5, Key("D major", False, 0.8, 0.2))


def tags(labels: tuple[str, ...], **given: float) -> NDArray[np.float32]:
    """Probabilities for labels; an underscore in a keyword stands for a space."""
    values = np.full(50, 0.005, np.float32)
    for name, value in given.items():
        values[labels.index(name.replace("_", " "))] = value
    return values


def evidence(
    mtt: dict[str, float], msd: dict[str, float], features: MusicFeatures = MEDIUM
) -> Evidence:
    return weigh(tags(MTT_LABELS, **mtt), tags(MSD_LABELS, **msd), features)


FOLK = evidence({"guitar": 0.5, "flute": 0.3, "no_vocals": 0.1}, {"folk": 0.45, "acoustic": 0.2})


def test_folk() -> None:
    assert (FOLK.genre.name, FOLK.voice) == ("folk", "instrumental")
    assert FOLK.instruments == ("flute", "acoustic guitar")
    text = describe(FOLK, "1/0")
    for words in ("instrumental folk piece", "flute and acoustic guitar", "96 BPM", "D major"):
        assert words in text


def test_orchestral_music_is_no_jazz() -> None:
    made = evidence(
        {"classical": 0.52, "strings": 0.44, "violin": 0.41}, {"jazz": 0.26, "instrumental": 0.3}
    )
    assert made.genre.name == "orchestral"
    assert made.instruments == ("strings",)


def test_a_drone_is_no_sitar() -> None:
    made = evidence({"indian": 0.45, "sitar": 0.2}, {"folk": 0.1})
    assert made.genre.name == ""
    assert "sitar" not in made.instruments
    assert evidence({"indian": 0.6, "sitar": 0.5}, {}).instruments == ("sitar",)


def test_metal_has_guitars() -> None:
    made = evidence({"metal": 0.6, "rock": 0.7, "loud": 0.5}, {"metal": 0.8})
    assert made.genre.name == "metal"
    assert made.instruments[0] == "distorted electric guitars"
    assert made.voice == ""


def test_a_weak_genre_is_hedged() -> None:
    made = evidence({"piano": 0.4}, {"jazz": 0.27})
    assert (made.genre.name, made.genre.sure) == ("jazz", False)
    assert re.search(r"with a jazz (feel|flavour)", describe(made, "3/1"))


def test_singing() -> None:
    female = evidence(
        {"female": 0.5, "vocal": 0.4, "pop": 0.4, "no_vocals": 0.3},
        {"female_vocalists": 0.5, "pop": 0.4},
    )
    text = describe(female, "9/0")
    assert "pop song, sung by a female voice" in text
    assert "instrumental" not in text
    assert evidence({"male": 0.4, "opera": 0.6}, {}).voice == "male"
    assert evidence({"choir": 0.4}, {}).voice == "choir"


def test_pace_is_silent_where_tags_and_tempo_disagree() -> None:
    quick = MusicFeatures(-18.0, 5.0, 1500.0, 0.15, 4.0, 140.0, 0.7, None)
    assert evidence({"slow": 0.4}, {}, quick).pace == ""
    assert evidence({"fast": 0.4}, {}, quick).pace == "fast"


def test_the_octave_of_the_tempo_follows_the_tags() -> None:
    half = MusicFeatures(-18.0, 5.0, 1500.0, 0.15, 7.0, 70.0, 0.7, None)
    assert evidence({"fast": 0.5}, {}, half).tempo_bpm == 140
    double = MusicFeatures(-18.0, 5.0, 1500.0, 0.15, 2.0, 170.0, 0.7, None)
    assert evidence({"slow": 0.1}, {}, double).tempo_bpm == 85


def test_weak_keys_and_pulses_are_not_claimed() -> None:
    vague = MusicFeatures(-18.0, 5.0, 1500.0, 0.15, 4.0, 96.0, 0.3, Key("D major", False, 0.5, 0.2))
    text = describe(evidence({"piano": 0.5}, {}, vague), "1/0")
    assert "BPM" not in text
    assert "D major" not in text


OPPOSITES = (
    ("soft", "loud"),
    ("slow", "fast"),
    ("slow", "brisk"),
    ("slow", "lively"),
    ("slow", "energetic"),
    ("calm", "fast"),
    ("calm", "energetic"),
    ("unhurried", "fast"),
    ("unhurried", "brisk"),
    ("instrumental", "sung"),
    ("dark", "bright"),
    ("smooth", "punchy"),
    ("laid-back", "aggressive"),
    ("happy", "minor"),
    ("sad", "major"),
)
PROBABILITIES = arrays(np.float32, 50, elements=st.floats(0.0, 1.0, width=32))
FEATURES = st.builds(
    MusicFeatures,
    rms_dbfs=st.floats(-59.0, 0.0),
    dynamic_range_db=st.floats(0.0, 60.0),
    centroid_hz=st.floats(50.0, 7000.0),
    percussive=st.floats(0.0, 1.0),
    onsets_per_s=st.floats(0.0, 15.0),
    tempo_bpm=st.floats(50.0, 200.0),
    pulse=st.floats(0.0, 1.0),
    key=st.one_of(
        st.none(),
        st.builds(
            Key,
            st.sampled_from(["E-flat minor", "A minor"]),
            st.just(True),
            st.floats(0.3, 1.0),
            st.floats(0.0, 0.5),
        ),
    ),
)


@settings(max_examples=400)
@given(mtt=PROBABILITIES, msd=PROBABILITIES, features=FEATURES, number=st.integers(0, 99))
def test_any_evidence_reads_well(
    mtt: NDArray[np.float32], msd: NDArray[np.float32], features: MusicFeatures, number: int
) -> None:
    # Sharpened, so that few tags are strong, as they are in music.
    made = weigh(mtt**3, msd**3, features)
    text = describe(made, f"{number}/{number % 3}")
    words = re.findall(r"[\w'-]+", text)
    lower = [word.lower() for word in words]
    assert 12 <= len(words) <= 75
    assert re.fullmatch(r"[A-Z][^.]*\.( [A-Z][^.]*\.)+", text)
    assert not re.search(r" ,|,,|\s\s|\(|None|_", text)
    assert not re.search(r"\b(a [aeiou]|an [^aeiou])", text, re.IGNORECASE)
    assert all(one != two for one, two in pairwise(lower))
    for one, other in OPPOSITES:
        assert not (one in lower and other in lower), (one, other, text)


def test_words_follow_the_track_and_shapes_the_segment() -> None:
    shapes = {describe(FOLK, f"5/{segment}") for segment in range(12)}
    assert len(shapes) == 3
    for one, other in product(shapes, shapes):
        moods = [
            set(re.findall(r"good-natured|amiable|hopeful|cheerful|optimistic", t))
            for t in (one, other)
        ]
        assert moods[0] == moods[1]
    assert len({describe(FOLK, f"{track}/0") for track in range(30)}) > 8


@pytest.fixture(scope="module")
def captioner() -> LiteMusicCaptioner:
    return LiteMusicCaptioner()


def request(waveform: NDArray[np.float32], item_id: str = "7/0") -> SegmentRequest:
    return SegmentRequest(item_id, waveform, RATE, "")


def test_it_is_the_registered_captioner(captioner: LiteMusicCaptioner) -> None:
    assert isinstance(captioner, SegmentCaptioner)
    assert isinstance(registry.load("segment_captioner", "lite-music"), LiteMusicCaptioner)


def test_real_drums(captioner: LiteMusicCaptioner) -> None:
    (text,) = captioner.caption([request(clip())])
    assert "percussion piece" in text
    assert "drums" in text


def test_batches_and_threads_change_nothing(captioner: LiteMusicCaptioner) -> None:
    waveforms = [clip(), clicks(120.0), tones(midi(60, 64, 67, 72) * 5)]
    requests = [request(waveform, f"7/{n}") for n, waveform in enumerate(waveforms)]
    together = captioner.caption(requests)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        single = [captioner.caption([one])[0] for one in requests]
        torch.set_num_threads(2)
        double = captioner.caption(requests)
    finally:
        torch.set_num_threads(threads)
    assert together == single == double


def test_silence_and_short_clips(captioner: LiteMusicCaptioner) -> None:
    silent, short = captioner.caption(
        [request(np.zeros(RATE, np.float32)), request(clip()[: RATE // 4])]
    )
    assert "silent" in silent
    assert short.startswith(("This is", "A", "An"))
    assert captioner.caption([]) == []


def test_what_is_no_waveform(captioner: LiteMusicCaptioner) -> None:
    with pytest.raises(ValueError, match="finite samples"):
        captioner.caption([request(np.full(RATE, np.nan, np.float32))])
