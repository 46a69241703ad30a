"""Checks in another process: what costs the file, what stops the build, and what costs nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from artsound.errors import ArtsoundError
from artsound.schema import Status
from artsound.sources.isolated import Decoder, DecoderError
from artsound.sources.limits import MediaLimits
from tests.sources.helpers import picture, saved

LIMITS = MediaLimits()
GOOD = saved(picture(), "JPEG")
# A decoder that does something before its n-th check; the first is of nothing, as it starts.
_MISBEHAVING = """
import os, sys
from artsound.sources import decoder
real, calls, answers = decoder.check, [], os.dup(1)
def check(*arguments):
    calls.append(arguments)
    if len(calls) == {at}:
        {what}
    return real(*arguments)
decoder.check = check
decoder.main()
"""
_CHECKS_AND_WAITS = """
import time
from artsound.sources import isolated
isolated.check_image(b"")
print(isolated._decoder("image").process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    found = Decoder("image")
    yield found
    found.close()


@pytest.fixture(scope="module")
def large() -> bytes:
    """A picture that takes a good part of a second to decode."""
    return saved(Image.new("RGB", (13_000, 13_000)), "PNG", compress_level=1)


def _misbehave(monkeypatch: pytest.MonkeyPatch, what: str, at: int = 2) -> None:
    program = _MISBEHAVING.format(what=what, at=at)
    monkeypatch.setattr("artsound.sources.decoding._PROGRAM", program)


def _strike(decoder: Decoder, number: signal.Signals, times: int) -> threading.Thread:
    """Send a signal to processes that have a large picture in memory."""

    def strike() -> None:
        struck: list[int] = []
        while len(struck) < times:
            process = decoder.process
            if process.pid not in struck and _megabytes(process.pid) > 200:
                struck.append(process.pid)
                process.send_signal(number)
            time.sleep(0.005)

    thread = threading.Thread(target=strike)
    thread.start()
    return thread


def _megabytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except FileNotFoundError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def test_what_memory_pressure_ends_is_not_rejected(decoder: Decoder, large: bytes) -> None:
    decoder.check(b"", "", LIMITS)
    striker = _strike(decoder, signal.SIGKILL, 2)
    with pytest.raises(ArtsoundError, match=r"large\.png: .* \(signal SIGKILL\).*fewer --workers"):
        decoder.check(large, "large.png", LIMITS)
    striker.join()
    assert decoder.check(large, "large.png", LIMITS)["status"] == Status.OK


def test_what_is_ended_once_is_tried_again(decoder: Decoder, large: bytes) -> None:
    decoder.check(b"", "", LIMITS)
    striker = _strike(decoder, signal.SIGKILL, 1)
    assert decoder.check(large, "", LIMITS)["status"] == Status.OK
    striker.join()


def test_a_process_that_ends_between_two_files_costs_neither(decoder: Decoder) -> None:
    for _ in range(4):
        assert decoder.check(GOOD, "", LIMITS)["status"] == Status.OK
        decoder.process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("raised", ["AssertionError", "ZeroDivisionError"])
def test_an_odd_error_of_a_library_costs_one_file(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch, raised: str
) -> None:
    _misbehave(monkeypatch, f"raise {raised}('no such luck')")
    with pytest.raises(DecoderError, match=f"raised {raised} in the decoder"):
        decoder.check(GOOD, "a.jpg", LIMITS)
    assert decoder.check(GOOD, "a.jpg", LIMITS)["status"] == Status.OK


def test_a_fault_of_the_machine_rejects_no_file(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    _misbehave(monkeypatch, "raise OSError(24, 'Too many open files')")
    with pytest.raises(ArtsoundError, match=r"a\.jpg: this machine could not .*open files"):
        decoder.check(GOOD, "a.jpg", LIMITS)
    assert decoder.check(GOOD, "a.jpg", LIMITS)["status"] == Status.OK


def test_too_much_memory_is_the_files_fault(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    _misbehave(monkeypatch, "bytearray(7 << 30)")
    with pytest.raises(DecoderError, match="needs over 6 GiB of memory"):
        decoder.check(GOOD, "", LIMITS)


@pytest.mark.slow
def test_the_largest_picture_of_the_limits_is_within_the_memory(decoder: Decoder) -> None:
    side = int(LIMITS.max_image_pixels**0.5)
    floats = saved(Image.new("F", (side, side), 0.5), "TIFF", compression="tiff_deflate")
    assert decoder.check(floats, "", LIMITS)["status"] == Status.OK


def test_what_a_library_prints_is_no_answer(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    _misbehave(monkeypatch, r"os.write(1, b'libfoo: warning\n')")
    for width, height in ((100, 50), (200, 60), (300, 70)):
        found = decoder.check(saved(Image.new("RGB", (width, height)), "PNG"), "", LIMITS)
        assert (found["width"], found["height"]) == (width, height)


@pytest.mark.parametrize("answer", [r"b'nonsense\n'", r"b'[]\n'", "b'x' * 100_000"])
def test_an_answer_to_another_question_is_a_crash(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    _misbehave(monkeypatch, f"os.write(answers, {answer})")
    with pytest.raises(DecoderError, match="crashed the decoder"):
        decoder.check(GOOD, "", LIMITS)


@pytest.mark.parametrize("size", [1000, 4 << 20])
def test_a_stuck_process_costs_one_file_of_any_size(decoder: Decoder, size: int) -> None:
    decoder.check(b"", "", LIMITS)
    decoder.seconds = 0.1
    decoder.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(DecoderError, match=r"took the decoder over 0\.1 s"):
        decoder.check(GOOD + bytes(size), "", LIMITS)
    assert time.monotonic() - began < 10
    decoder.seconds = 60
    assert decoder.check(GOOD, "", LIMITS)["status"] == Status.OK


@pytest.mark.parametrize(
    ("program", "how"),
    [("import sys; sys.exit(3)", "exit code 3"), ("import os; os.abort()", "signal SIGABRT")],
)
def test_a_process_that_never_starts_rejects_nothing(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch, program: str, how: str
) -> None:
    monkeypatch.setattr("artsound.sources.decoding._PROGRAM", program)
    with pytest.raises(ArtsoundError, match=rf"does not start \({how}\)"):
        decoder.check(GOOD, "", LIMITS)


def test_files_of_all_sizes_take_turns(decoder: Decoder) -> None:
    for size in (0, 9 << 20, 100, 5 << 20, 0):
        assert decoder.check(GOOD + bytes(size), "", LIMITS)["status"] == Status.OK
        assert decoder.check(GOOD[:500], "", LIMITS)["status"] == Status.REJECTED


def test_a_stuck_process_ends_with_the_build() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _CHECKS_AND_WAITS], stdout=subprocess.PIPE, text=True
    ) as build:
        assert build.stdout
        pid = int(build.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        build.kill()
    until = time.monotonic() + 10
    while _runs(pid):
        assert time.monotonic() < until
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_process_outlives_the_thread_that_started_it(decoder: Decoder) -> None:
    thread = threading.Thread(target=decoder.check, args=(GOOD, "", LIMITS))
    thread.start()
    thread.join()
    pid = decoder.process.pid
    time.sleep(0.2)
    assert decoder.check(GOOD, "", LIMITS)["status"] == Status.OK
    assert decoder.process.pid == pid
