"""A signal ends a command wherever it lands."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

# The signal is sent, and handled, inside the finaliser: Python passes over what that one raises.
_IN_A_FINALISER = """
import os, signal, sys, time
from artsound.stopping import Stopped, stop_on_signals

signal.signal({number}, signal.SIG_DFL)  # what runs the tests may be started to ignore it

class Dying:
    def __del__(self):
        os.kill(os.getpid(), {number})
        time.sleep(0.05)

stop_on_signals()
try:
    for _ in range({times}):
        Dying()
    time.sleep(30)
except Stopped as stopped:
    sys.exit(stopped.exit_code)
"""


def _run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=25, check=False
    )


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_finaliser_is_not_lost(number: signal.Signals, times: int) -> None:
    done = _run(_IN_A_FINALISER.format(number=int(number), times=times))
    assert (done.returncode, done.stderr) == (128 + number, "")


def test_what_else_a_finaliser_raises_is_said_as_before() -> None:
    done = _run(
        "from artsound.stopping import stop_on_signals\n"
        "class Dying:\n"
        "    def __del__(self):\n"
        "        raise ValueError('of its own')\n"
        "stop_on_signals()\n"
        "Dying()\n"
    )
    assert done.returncode == 0
    assert "ValueError: of its own" in done.stderr
