"""`art2mus listen` as a process of its own."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_RUN = (
    "import sys; from artsound.commands import run; from art2mus.listen_app import app;"
    " sys.exit(run(app, 'art2mus'))"
)


def listen(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-c", _RUN, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@contextlib.contextmanager
def collector(
    page: Path, answers: Path, port: int = 0
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the collector, by default on a free port; yields its address and its process."""
    command = [sys.executable, "-u", "-c", _RUN, "serve", str(page)]
    command += ["--answers", str(answers), "--port", str(port)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        # Tests that run in the background of a shell would hand down that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            found = re.search(r"http://\S+", line)
            assert found, line
            yield found[0], process
        finally:
            process.kill()
