"""The short forms of the endurance scripts."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from PIL import Image

from artsound.schema import Status
from artsound.sources.isolated import Decoder, DecoderError
from artsound.sources.limits import MediaLimits
from tests.endurance import disk, endpoint, hostile, kill, soak
from tests.sources.helpers import picture, saved

LIMITS = MediaLimits()
GOOD = saved(picture(), "JPEG")


@pytest.fixture(scope="module")
def large() -> bytes:
    """A picture that takes a good part of a second to decode."""
    return saved(Image.new("RGB", (13_000, 13_000)), "PNG", compress_level=1)


def test_a_decoder_that_works_too_long_costs_one_file(large: bytes) -> None:
    decoder = Decoder("image")
    decoder.check(b"", "", LIMITS)
    decoder.seconds = 0.05
    with pytest.raises(DecoderError, match=r"took the decoder over 0\.05 s"):
        decoder.check(large, "", LIMITS)
    decoder.seconds = 60
    assert decoder.check(GOOD, "", LIMITS)["status"] == Status.OK
    decoder.close()


def test_a_decoder_that_is_stuck_costs_one_file() -> None:
    decoder = Decoder("image")
    decoder.check(b"", "", LIMITS)
    decoder.seconds = 0.1
    decoder.process.send_signal(signal.SIGSTOP)
    with pytest.raises(DecoderError, match=r"took the decoder over 0\.1 s"):
        decoder.check(GOOD, "", LIMITS)
    decoder.seconds = 60
    assert decoder.check(GOOD, "", LIMITS)["status"] == Status.OK
    decoder.close()


@pytest.mark.parametrize("times", [1, 2])
def test_a_decoder_that_crashes_is_replaced(large: bytes, times: int) -> None:
    decoder = Decoder("image")
    decoder.check(b"", "", LIMITS)

    def crash() -> None:
        process = None
        for _ in range(times):
            while decoder.process is process:
                threading.Event().wait(0.01)
            process = decoder.process
            while not _works(process.pid):
                threading.Event().wait(0.01)
            process.send_signal(signal.SIGSEGV)

    crasher = threading.Thread(target=crash)
    crasher.start()
    if times == 1:  # the file may not have been at fault: it is tried once more
        assert decoder.check(large, "", LIMITS)["status"] == Status.OK
    else:
        with pytest.raises(DecoderError, match=r"crashed the decoder \(signal SIGSEGV\)"):
            decoder.check(large, "", LIMITS)
    crasher.join()
    assert decoder.check(GOOD, "", LIMITS)["status"] == Status.OK
    decoder.close()


def _works(pid: int) -> bool:
    """Say whether a process has a large picture in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") > 200 << 20


def test_hostile_files_are_rows_with_reasons(tmp_path: Path) -> None:
    outcome = hostile.run(tmp_path, 300)
    assert outcome.unexplained() == []
    assert outcome.count("the decoder") == 0  # neither crashed nor took too long
    by_kind = dict(outcome.rows)
    for kind in ("member with ..", "absolute member", "symlink member", "listed under a path"):
        assert by_kind[kind]["reason"] == "unsafe path", kind


@pytest.mark.endurance
@pytest.mark.timeout(1200)
def test_disks_that_fill_up_and_parts_that_change(tmp_path: Path) -> None:
    outcomes = disk.run(tmp_path)
    assert [outcome for outcome in outcomes if not outcome.survived] == []


@pytest.mark.endurance
@pytest.mark.timeout(1200)
def test_a_faulty_endpoint_loses_no_caption_and_doubles_none(tmp_path: Path) -> None:
    outcome = endpoint.run(tmp_path, 20)
    assert outcome.struck
    assert (outcome.lost, outcome.doubled, outcome.different) == (0, 0, 0)


@pytest.mark.endurance
@pytest.mark.timeout(1800)
def test_builds_killed_at_random_moments_end_in_the_same_bytes(tmp_path: Path) -> None:
    outcome = kill.run(tmp_path, 20)
    assert outcome.kills.total() == 20
    assert (outcome.different, outcome.left) == ([], [])


@pytest.mark.endurance
@pytest.mark.timeout(1800)
def test_a_soak_stays_within_its_memory(tmp_path: Path) -> None:
    outcome = soak.run(tmp_path, 300)
    for leg in outcome.legs:
        assert max(leg.curve) < soak.LIMIT_MIB, leg.name
