"""The process that decodes: it checks the files that it is given, one at a time.

A library that decodes in native code can crash or never end. Here it takes this process with it,
and not the build's; `isolated.py` starts another. Each request is a line of JSON on standard input,
and the file in shared memory; each answer is a line of JSON with the request's number. Answers go
out where no library prints: standard output is standard error here.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Final

from artsound.sources.limits import MediaLimits

# Twice what the worst picture within the limits takes, a TIFF of 32-bit floats. It is the same on
# every machine, so that a file that wants more is rejected on all of them.
MEMORY_BYTES: Final = 6 << 30
_PR_SET_PDEATHSIG: Final = 1


def check(kind: str, data: bytes, file_name: str, limits: MediaLimits) -> dict[str, Any]:
    """Return what the check of an image or of a clip says, as JSON holds it."""
    if kind == "image":
        from artsound.sources.images import check_image  # each process needs one of the two

        return asdict(check_image(data, file_name, limits))
    from artsound.sources.audio import check_audio

    return asdict(check_audio(data, limits))


def main() -> None:
    """Say that it is ready, and answer requests until the input ends.

    The arguments are the kind of files, the descriptor of the memory that they come in, and the
    process to end with, or 0.
    """
    kind, shared, parent = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    _end_with(parent)
    with contextlib.suppress(OSError):  # where memory runs out, this process is the one to end
        Path("/proc/self/oom_score_adj").write_text("1000")
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    if sys.platform == "linux":  # macOS counts what is only reserved
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    check(kind, b"", "", MediaLimits())  # whatever cannot be imported is missed before any file
    with contextlib.suppress(BrokenPipeError):
        _say(answers, {"number": 0})
        while line := requests.readline():
            asked = json.loads(line)
            data = os.pread(shared, asked["bytes"], 0)
            # The kernel ends the process with SIGPROF after so much work, whatever code it is in.
            # It is processor time: how busy the machine is does not decide what is rejected.
            signal.setitimer(signal.ITIMER_PROF, asked["seconds"])
            found = _found(kind, data, asked["name"], MediaLimits(**asked["limits"]))
            signal.setitimer(signal.ITIMER_PROF, 0)
            _say(answers, {"number": asked["number"], **found})


def _found(kind: str, data: bytes, file_name: str, limits: MediaLimits) -> dict[str, Any]:
    try:
        return {"found": check(kind, data, file_name, limits)}
    except MemoryError:
        return {"memory": MEMORY_BYTES}
    except OSError as error:  # the checks know those of a file: this one is the machine's
        return {"failed": f"{type(error).__name__}: {error}"[:500]}
    except Exception as error:  # noqa: BLE001 - whatever a library raises at a file is its reason
        return {"raised": type(error).__name__}


def _say(answers: BinaryIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


def _end_with(parent: int) -> None:
    """Have the kernel end this process when another, its parent, ends."""
    if parent and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it has ended meanwhile
            sys.exit(1)
