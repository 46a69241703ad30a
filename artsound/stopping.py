"""Ctrl-C and SIGTERM: a command unwinds, so that nothing of it stays behind, and says so once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import multiprocess

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_PATIENCE_S: Final = 10.0
_MOMENT_S: Final = 0.01


class Stopped(BaseException):
    """The user, or the system, asked the command to stop.

    It is no `Exception`, lest a handler of failures takes it for one.

    Args:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.exit_code = 128 + number


def stop_on_signals() -> None:
    """From now on, raise `Stopped` in the main thread at the first SIGINT or SIGTERM.

    Further ones are passed over while the command unwinds, so that an impatient second Ctrl-C does
    not break it; one that comes ten seconds later ends the process and its workers at once. The
    handlers stay until the process ends. A signal that the process was started to ignore, as by
    `nohup` or a shell's `&`, stays ignored.

    A signal that arrives in a finaliser (`__del__`, a callback of a weak reference) would be lost,
    because Python passes over what such code raises: it is sent again a moment later.
    """
    asked: list[float] = []
    main = threading.get_ident()
    unraisable = sys.unraisablehook

    def send_again(passed_over: sys.UnraisableHookArgs) -> None:
        stopped = passed_over.exc_value
        if not isinstance(stopped, Stopped):
            unraisable(passed_over)
            return
        asked.clear()
        timer = threading.Timer(_MOMENT_S, signal.pthread_kill, (main, stopped.number))
        timer.daemon = True
        timer.start()

    def handle(number: int, frame: FrameType | None) -> None:
        if not asked:
            asked.append(time.monotonic())
            raise Stopped(number)
        if time.monotonic() - asked[0] > _PATIENCE_S:
            for worker in multiprocess.active_children():
                worker.kill()
            os._exit(128 + number)

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)
    sys.unraisablehook = send_again


def ignore_signals() -> None:
    """Ignore further signals: nothing is left to do but to leave.

    Python takes its own handlers down as it ends, and a late Ctrl-C would change the exit code.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def signals_held() -> Iterator[None]:
    """Let signals wait until the end; processes that start meanwhile never get them.

    Their parent does, and stops them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
