"""What Linux says of this machine's processor."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_WHERE: Final = Path("/proc/cpuinfo")


def cpuinfo() -> str:
    """Return Linux's description of the processor; nothing on other systems."""
    try:
        return _WHERE.read_text("utf-8", errors="replace")
    except OSError:
        return ""
