"""Media checks in a process of their own, so that a decoder that crashes or hangs costs one file.

The process is started at the first check and works through many files: a check costs little more
than the check itself (tests/perf/bench_media.py). When it dies, the file is tried once more in a
new one, since what killed it may not have been the file; a file that kills two is rejected. One
that takes too long is rejected at once.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final, Literal, cast

from artsound.schema import Reason, Status
from artsound.sources.audio import AudioCheck
from artsound.sources.images import ImageCheck
from artsound.sources.limits import MediaLimits
from artsound.stopping import signals_held
from artsound.threads import thread_variables

SECONDS: Final = 120.0  # the largest files within the limits take a tenth of it
# A decoder that waits and does no work is noticed by the clock, with room for a busy machine.
_WAIT: Final = 10.0
_PIPE_BYTES: Final = 1 << 20
# The memory of a picture is used again for the next; the C library would give it back each time.
_KEPT_MEMORY: Final = {
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
}
_PROGRAM: Final = "from artsound.sources.decoder import main; main()"

Kind = Literal["image", "audio"]


class DecoderError(Exception):
    """A file that no decoder survived; says how it went."""


class Decoder:
    """A process that checks files, replaced when it dies.

    Args:
        kind: what it checks.
        seconds: the processor time that a file may take.
    """

    def __init__(self, kind: Kind, seconds: float = SECONDS) -> None:
        self.kind = kind
        self.seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that checks now; started if there is none."""
        if self._process is None:
            self._process = self._start()
        return self._process

    def check(self, data: bytes, file_name: str, limits: MediaLimits) -> dict[str, Any]:
        """Check a file.

        Args:
            data: the file's bytes.
            file_name: its name.
            limits: the limits.

        Returns:
            The fields of an `ImageCheck` or an `AudioCheck`.

        Raises:
            DecoderError: it took too long, or two processes ended at it.
        """
        asked: dict[str, Any] = {"kind": self.kind, "bytes": len(data), "name": file_name}
        asked |= {"limits": asdict(limits), "seconds": self.seconds}
        head = json.dumps(asked).encode() + b"\n"
        with self._lock:
            for last in (False, True):
                if (answer := self._answer(head, data)) is not None:
                    found: dict[str, Any] = json.loads(answer)
                    return found
                code = self._ended()
                if last or code == -signal.SIGPROF:
                    break
            raise DecoderError(_cause(code, self.seconds))

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._ended()

    def _start(self) -> subprocess.Popen[bytes]:
        # Where this process finds its packages, that one does; what it computes has one thread.
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        environment = os.environ | thread_variables(1) | _KEPT_MEMORY | {"PYTHONPATH": path}
        with signals_held():  # Ctrl-C is for the build, which ends this process
            process = subprocess.Popen(  # noqa: S603 - this package's own
                [sys.executable, "-P", "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
            )
        requests, _ = _pipes(process)
        with contextlib.suppress(OSError):  # a file in one piece; the kernel may not grant it
            fcntl.fcntl(requests, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        return process

    def _answer(self, head: bytes, data: bytes) -> bytes | None:
        """Return the answer to a request, or None where the process ended instead."""
        requests, answers = _pipes(self.process)
        try:
            requests.write(head)
            requests.write(data)
            requests.flush()
            if not select.select([answers], [], [], self.seconds * _WAIT)[0]:
                self.close()
                raise DecoderError(_cause(-signal.SIGPROF, self.seconds))
            answer = answers.readline()
        except BrokenPipeError:
            return None
        except BaseException:  # an answer that nobody waited for must not be the next file's
            self.close()
            raise
        return answer if answer.endswith(b"\n") else None

    def _ended(self) -> int:
        """Clear up after a process that has ended, and return its exit code."""
        process, self._process = self.process, None
        for pipe in _pipes(process):
            with contextlib.suppress(BrokenPipeError):  # what is left of a request
                pipe.close()
        return process.wait()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    return cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)


_decoders: dict[tuple[Kind, int], Decoder] = {}


def check_image(data: bytes, file_name: str = "", limits: MediaLimits | None = None) -> ImageCheck:
    """Check an image in a process of its own; see `images.check_image`.

    A decoder that crashes, or takes longer than two minutes, makes the image not decodable.
    """
    try:
        found = _decoder("image").check(data, file_name, limits or MediaLimits())
    except DecoderError as error:
        return ImageCheck(Status.REJECTED, f"{Reason.IMAGE_NOT_DECODABLE}: {error}")
    status, repairs = Status(found.pop("status")), tuple(found.pop("repairs"))
    return ImageCheck(status, repairs=repairs, **found)


def check_audio(data: bytes, limits: MediaLimits | None = None) -> AudioCheck:
    """Check a clip in a process of its own; see `audio.check_audio`.

    A decoder that crashes, or takes longer than two minutes, makes the clip not decodable.
    """
    try:
        found = _decoder("audio").check(data, "", limits or MediaLimits())
    except DecoderError as error:
        return AudioCheck(Status.REJECTED, f"{Reason.AUDIO_NOT_DECODABLE}: {error}")
    return AudioCheck(Status(found.pop("status")), **found)


def _decoder(kind: Kind) -> Decoder:
    """Return this process's decoder: a forked process must not share its parent's pipes."""
    key = (kind, os.getpid())
    if key not in _decoders:
        _decoders[key] = Decoder(kind)
        atexit.register(_decoders[key].close)
    return _decoders[key]


def _cause(code: int, seconds: float) -> str:
    if code == -signal.SIGPROF:
        return f"took the decoder over {seconds:g} s"
    ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"crashed the decoder ({ended})"
