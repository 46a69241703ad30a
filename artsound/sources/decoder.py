"""The process that decodes: it checks the files that come on its standard input, one at a time.

A library that decodes in native code can crash or never end. Here it takes this process with it,
and not the build's; `isolated.py` starts another. Each request is a line of JSON and the bytes of
the file; each answer is a line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from artsound.sources.limits import MediaLimits


def check(kind: str, data: bytes, file_name: str, limits: MediaLimits) -> dict[str, Any]:
    """Return what the check of an image or of a clip says, as JSON holds it."""
    if kind == "image":
        from artsound.sources.images import check_image  # each process needs one of the two

        return asdict(check_image(data, file_name, limits))
    from artsound.sources.audio import check_audio

    return asdict(check_audio(data, limits))


def main() -> None:
    """Answer requests until the input ends, as it does when the build's process is gone."""
    with contextlib.suppress(OSError):  # where memory runs out, this process is the one to end
        Path("/proc/self/oom_score_adj").write_text("1000")
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    with contextlib.suppress(BrokenPipeError):
        while line := requests.readline():
            asked = json.loads(line)
            data = _exactly(requests, asked["bytes"])
            if data is None:
                return
            # The kernel ends the process with SIGPROF after so much work, whatever code it is in.
            # It is processor time: how busy the machine is does not decide what is rejected.
            signal.setitimer(signal.ITIMER_PROF, asked["seconds"])
            found = check(asked["kind"], data, asked["name"], MediaLimits(**asked["limits"]))
            signal.setitimer(signal.ITIMER_PROF, 0)
            answers.write(json.dumps(found).encode() + b"\n")
            answers.flush()


def _exactly(stream: BinaryIO, count: int) -> bytes | None:
    data = stream.read(count)
    return data if len(data) == count else None


if __name__ == "__main__":
    main()
