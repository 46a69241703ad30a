"""Media checks in a process of their own, so that a decoder that crashes or hangs costs one file.

A file that crashes the process twice, the second time in a new one, is rejected; so is at once one
that takes too long, wants too much memory, or makes a library raise what the checks do not know.
These are properties of the file. What is not, such as a process that the system ends because memory
runs out, fails the build instead and rejects nothing: a row is for ever.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from typing import Final

from artsound.errors import ArtsoundError
from artsound.schema import Reason, Status
from artsound.sources.audio import AudioCheck
from artsound.sources.decoding import Answer, DecoderProcess, EndedError, Kind, TooLongError
from artsound.sources.images import ImageCheck
from artsound.sources.limits import MediaLimits

SECONDS: Final = 120.0  # the largest files within the limits take a tenth of it
# What native code that a file misleads ends with; anything else comes from outside.
_CRASHES: Final = frozenset(
    -number
    for number in (
        signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGTRAP,
    )
)  # fmt: skip
_TRIES: Final = 2


class DecoderError(Exception):
    """A file that no decoder survived; says how it went."""


class Decoder:
    """Checks files in a process, which is started at the first and replaced when it ends.

    Args:
        kind: what it checks.
        seconds: the processor time that a file may take.
    """

    def __init__(self, kind: Kind, seconds: float = SECONDS) -> None:
        self.kind = kind
        self.seconds = seconds
        self._started: DecoderProcess | None = None
        self._checking = threading.Lock()
        self._replacing = threading.Lock()

    @property
    def process(self) -> DecoderProcess:
        """The process that checks now; started if there is none."""
        with self._replacing:
            if self._started is None:
                self._started = DecoderProcess(self.kind)
            return self._started

    def check(self, data: bytes, file_name: str, limits: MediaLimits) -> Answer:
        """Check a file.

        Args:
            data: the file's bytes.
            file_name: its name.
            limits: the limits.

        Returns:
            The fields of an `ImageCheck` or an `AudioCheck`.

        Raises:
            DecoderError: it took too long or too much memory, or two processes crashed at it.
            ArtsoundError: the check failed for a reason that is not the file's.
        """
        name = file_name or f"{self.kind} of {len(data)} bytes"
        code = 0
        with self._checking:
            if not self.process.alive:
                self.close()  # it ended between two files, so at none
            for _ in range(_TRIES):
                try:
                    answer = self.process.ask(data, file_name, limits, self.seconds)
                except EndedError as error:
                    self.close()
                    code = error.code
                except TooLongError as error:
                    self.close()
                    raise DecoderError(f"took the decoder over {self.seconds:g} s") from error
                except BaseException:  # the answer must not be taken for the next file's
                    self.close()
                    raise
                else:
                    return _found(answer, name)
        raise _cause(code, name)

    def close(self) -> None:
        """End the process."""
        with self._replacing:
            if self._started is not None:
                self._started.end()
                self._started = None


def _found(answer: Answer, name: str) -> Answer:
    if "failed" in answer:
        raise ArtsoundError(
            f"{name}: this machine could not check it ({answer['failed']}): mend that, and run the"
            " same command again"
        )
    if "raised" in answer:
        raise DecoderError(f"raised {answer['raised']} in the decoder")
    if "memory" in answer:
        raise DecoderError(f"needs over {answer['memory'] >> 30} GiB of memory")
    found: Answer = answer["found"]
    return found


def _cause(code: int, name: str) -> Exception:
    """Return the error of a file at which two processes ended; `code` is the second's."""
    how = str(EndedError(code))
    if code in _CRASHES or code >= 0:  # Python's own errors are answers: a library called `exit`
        return DecoderError(f"crashed the decoder ({how})")
    return ArtsoundError(
        f"{name}: the system ended its check twice ({how}), as it does when memory runs out: free"
        " memory, or use fewer --workers, and run the same command again"
    )


_decoders: dict[tuple[Kind, int], Decoder] = {}


def check_image(data: bytes, file_name: str = "", limits: MediaLimits | None = None) -> ImageCheck:
    """Check an image in a process of its own; see `images.check_image`.

    A decoder that crashes, or takes longer than two minutes or more than 6 GiB, makes the image not
    decodable.

    Raises:
        ArtsoundError: the check failed for a reason that is not the file's.
    """
    try:
        found = _decoder("image").check(data, file_name, limits or MediaLimits())
    except DecoderError as error:
        return ImageCheck(Status.REJECTED, f"{Reason.IMAGE_NOT_DECODABLE}: {error}")
    status, repairs = Status(found.pop("status")), tuple(found.pop("repairs"))
    return ImageCheck(status, repairs=repairs, **found)


def check_audio(data: bytes, limits: MediaLimits | None = None) -> AudioCheck:
    """Check a clip in a process of its own; see `audio.check_audio`.

    A decoder that crashes, or takes longer than two minutes or more than 6 GiB, makes the clip not
    decodable.

    Raises:
        ArtsoundError: the check failed for a reason that is not the file's.
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
