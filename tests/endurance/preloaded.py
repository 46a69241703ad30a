"""A process that has done the imports of a command, and forks the command as often as it is asked.

Most of a short build is the import of torch and transformers. This process does the imports once
and then nothing else: it has one thread, opens no workspace and loads no model. Each command is a
fork of it in a process group of its own, which calls the command line's `main` with the command's
arguments, and it can be killed as any other process. What differs from `artsound ...` in a shell
is how the modules came into memory, and that commands should have one worker: a build with more
starts worker processes anew, which import everything again.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final, cast

from artsound.threads import thread_variables

_ROOT: Final = Path(__file__).parents[2]
_NO_THREADS: Final = {
    "TOKENIZERS_PARALLELISM": "false",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # of pyarrow's allocator
}


class Leg:
    """A command that runs.

    Args:
        keeper: the process that forked it.
        pid: its process, which leads a group.
    """

    def __init__(self, keeper: subprocess.Popen[bytes], pid: int) -> None:
        self._keeper = keeper
        self.pid = pid
        self.code: int | None = None

    def wait(self, seconds: float) -> int | None:
        """Return the exit code, minus the signal's number if one ended it; None if it runs on."""
        answers = cast(IO[bytes], self._keeper.stdout)
        if self.code is None and select.select([answers], [], [], max(0.0, seconds))[0]:
            self.code = int(_answer(self._keeper))
        return self.code

    def kill(self) -> bool:
        """Kill the whole process group; say whether that, and not its own end, ended the leader."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        while self.wait(60.0) is None:
            pass
        return self.code == -signal.SIGKILL


class Preloaded:
    """Starts commands without their imports; use it with `with`.

    Args:
        errors: a file for what the commands print on stderr.
        modules: a file of module names to import beforehand, such as `start` writes.
    """

    def __init__(self, errors: Path, modules: Path | None = None) -> None:
        line = [sys.executable, "-m", __name__, str(errors), *([str(modules)] if modules else [])]
        self._keeper = subprocess.Popen(
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            env=os.environ | thread_variables(1) | _NO_THREADS,
            bufsize=0,
        )
        _answer(self._keeper)  # it has imported everything

    def __enter__(self) -> Preloaded:
        return self

    def __exit__(self, *_: object) -> None:
        cast(IO[bytes], self._keeper.stdin).close()
        self._keeper.wait()

    def start(self, arguments: Sequence[str], learn: Path | None = None) -> Leg:
        """Start `artsound` with these arguments.

        Args:
            arguments: those after the program's name.
            learn: where to write the names of the modules that are imported at its end.
        """
        asked = {"arguments": list(arguments), "learn": str(learn) if learn else None}
        cast(IO[bytes], self._keeper.stdin).write(json.dumps(asked).encode() + b"\n")
        return Leg(self._keeper, int(_answer(self._keeper)))


def _answer(keeper: subprocess.Popen[bytes]) -> bytes:
    line = cast(IO[bytes], keeper.stdout).readline()
    if not line:
        raise SystemExit(f"the process that forks builds has ended: exit code {keeper.wait()}")
    return line


def _main(errors: Path, modules: Path | None) -> None:
    """Import, then fork a command for each line that comes; answer its pid and its exit code."""
    import artsound.cli  # the keeper's own use of this module needs none of it
    import artsound.preload  # noqa: F401

    for name in modules.read_text("utf-8").split() if modules else []:
        importlib.import_module(name)
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:  # a fork has only the thread that forks
        raise SystemExit(f"imports have started {threads - 1} threads: a fork would lack them")
    gc.collect()
    gc.freeze()  # a collection in a fork would write to, and so copy, all of this memory
    _say(os.getpid())
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        pid = os.fork()
        if not pid:
            _run(asked, errors)
        with contextlib.suppress(OSError):  # whichever of the two comes first
            os.setpgid(pid, pid)
        _say(pid)
        _say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _say(number: int) -> None:
    os.write(1, b"%d\n" % number)


def _run(asked: dict[str, Any], errors: Path) -> None:
    """Be the command, and leave as it leaves."""
    from artsound.cli import main

    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_RDWR)
    said = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for ours, theirs in ((nothing, 0), (nothing, 1), (said, 2)):
        os.dup2(ours, theirs)
    sys.argv = ["artsound", *asked["arguments"]]
    try:
        main()
    finally:
        if asked["learn"]:
            Path(asked["learn"]).write_text("\n".join(_importable()), "utf-8")


def _importable() -> list[str]:
    """Return the modules that another process can import by name, in the order of their import."""
    specs = [(name, getattr(module, "__spec__", None)) for name, module in sys.modules.items()]
    return [
        name
        for name, spec in specs
        if spec is not None and spec.name == name and spec.has_location and name != __name__
    ]


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
