"""What a log or a note may say: no token, no home path, no host name.

Logs and notes stay in a workspace, which people hand to others. Whoever writes one uses this:

* a note or a message: `scrub(text, root=workspace.root)` before it is written; paths in the
  workspace are then relative to it, others are cut to their last part, and a package's files to
  their place in the package;
* a program whose output becomes a log: `artsound.logs.ScrubbedLog(path)`, whose descriptor is the
  program's standard output and error;
* a shell: `COMMAND 2>&1 | PYTHON -I -S artsound/scrub.py LOG`, which appends to LOG, or prints
  where no LOG is given; `scrub.__file__` is the path of the program.

Only the standard library is imported, since this is also run as a file.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import signal
import sys
from pathlib import Path
from typing import Final

HOST: Final = "<host>"
ADDRESS: Final = "<address>"
TOKEN: Final = "<token>"  # noqa: S105 - what stands for one

_CHUNK: Final = 1 << 16
_LONGEST: Final = 1 << 16  # bytes of a line; a longer one is cut there
# Variables that say what this machine is called, beside the system itself.
_NAMES: Final = ("HOSTNAME", "SLURMD_NODENAME", "SLURM_SUBMIT_HOST")
_NO_NAMES: Final = frozenset(("", "localhost"))
_SECRET: Final = re.compile(r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD)$")
_SHORTEST_SECRET: Final = 8
_TOKENS: Final = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|sk-[\w-]{16,}|gh[opsu]_\w{16,}|github_pat_\w{16,})"
    r"|(?<=\b[Bb]earer )[^\s'\"]+"
)
_IP: Final = re.compile(r"(?<![\w.=-])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
# Sites that say nothing of who builds; any other host of a URL may be somebody's machine.
_PUBLIC: Final = re.compile(
    r"(?:.*\.)?(?:huggingface\.co|hf\.co|github\.com|pytorch\.org|pypi\.org)"
)
_URL: Final = r"(?<![\w+.-])[A-Za-z][\w+.-]{0,15}://[^\s'\"<>]+"
_PART: Final = r"/+[^\s/'\"`,;:()<>\[\]{}|=]+"
_PACKAGE: Final = re.compile(r".*/(?:site-packages|dist-packages|lib/python3\.\d+)/(?=.)")
_HOMES: Final = ("/home", "/Users")
_HERE: Final = str(Path(__file__).resolve().parent.parent)


class Scrubber:
    """Takes names out of texts, as this process's environment tells them.

    Args:
        root: paths below it stay, relative to it.
    """

    def __init__(self, root: Path | None = None) -> None:
        roots = {str(root.resolve()), str(root.absolute())} if root else set()
        self._roots = (*sorted(roots), _HERE)
        self._homes = {home.rstrip("/") for home in (os.environ.get("HOME", ""), _home())} - {""}
        known = {*self._roots, *self._homes}
        # Known folders first: their names may hold blanks, where the end of others is not seen.
        starts = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
        self._places = re.compile(
            rf"(?P<url>{_URL})|(?:{starts})(?![\w.-])(?:{_PART})*/?|(?<![\w/.~-])(?:{_PART}){{2,}}/?"
        )
        nodename = os.uname().nodename
        hosts = {nodename, nodename.partition(".")[0], *map(_variable, _NAMES)} - _NO_NAMES
        self._hosts = _words(hosts)
        secrets = {value for name, value in os.environ.items() if _SECRET.search(name)}
        self._secrets = _words({value for value in secrets if len(value) >= _SHORTEST_SECRET})

    def __call__(self, text: str) -> str:
        """Return a text without tokens, absolute paths, addresses and this machine's names."""
        if self._secrets:
            text = self._secrets.sub(TOKEN, text)
        text = _TOKENS.sub(TOKEN, text)
        text = self._places.sub(self._place, text)
        text = _IP.sub(ADDRESS, text)
        return self._hosts.sub(HOST, text) if self._hosts else text

    def _place(self, found: re.Match[str]) -> str:
        if found["url"]:
            return self._url(found["url"])
        return self._path(found[0])

    def _url(self, url: str) -> str:
        scheme, _, rest = url.partition("://")
        if scheme == "file":
            return f"file:{self._path(rest)}"
        authority, slash, path = rest.partition("/")
        host, colon, port = authority.rpartition("@")[2].partition(":")
        if not _PUBLIC.fullmatch(host):
            host = HOST
        return f"{scheme}://{host}{colon}{port}{slash}{path}"

    def _path(self, path: str) -> str:
        path = path.rstrip("/")
        for root in self._roots:
            if path.startswith(f"{root}/"):
                return path.removeprefix(f"{root}/")
        if package := _PACKAGE.match(path):
            return path[package.end() :]
        before, _, last = path.rpartition("/")
        if path in self._homes or before in _HOMES:
            return "~"
        return last


def scrub(text: str, root: Path | None = None) -> str:
    """Return a text without tokens, absolute paths, addresses and this machine's names.

    Args:
        text: what a log or a note shall say.
        root: paths below it stay, relative to it.
    """
    return Scrubber(root)(text)


def main() -> None:
    """Copy standard input, scrubbed, to the end of the file that is named, or to standard output.

    It ends when all who write to it have: a signal to stop is for them.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    out = 1
    if len(sys.argv) > 1:
        out = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    scrubber = Scrubber()
    line = b""
    while read := os.read(0, _CHUNK):
        line += read
        end = max(line.rfind(b"\n"), line.rfind(b"\r")) + 1
        if end or len(line) > _LONGEST:
            end = end or len(line)
            _write(out, scrubber, line[:end])
            line = line[end:]
    _write(out, scrubber, line)


def _write(out: int, scrubber: Scrubber, data: bytes) -> None:
    text = scrubber(data.decode("utf-8", "surrogateescape"))
    left = text.encode("utf-8", "surrogateescape")
    with contextlib.suppress(OSError):  # on a full disk the log is short; nobody waits for it
        while left:
            left = left[os.write(out, left) :]


def _variable(name: str) -> str:
    return os.environ.get(name, "")


def _home() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # in a container, a user need not have an entry
        return ""


def _words(words: set[str]) -> re.Pattern[str] | None:
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    if not longest_first:
        return None
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])")


if __name__ == "__main__":
    main()
