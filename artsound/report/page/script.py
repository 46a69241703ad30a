"""Data as scripts: a page that is opened from disk may load scripts, but no JSON.

A value becomes `artsound.<function>(<JSON>);`. Every `<` is escaped, and the two separators that
are line ends in older JavaScript, so that no text can end a script or begin a comment, wherever the
script is put.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final

from artsound.atomic import write_atomically

DIGITS: Final = 4
_ESCAPES: Final = str.maketrans(
    {"<": "\\u003c", "\u2028": "\\u2028", "\u2029": "\\u2029", "\ufeff": "\\ufeff"}
)


def literal(value: Any) -> str:
    """Return a value as JSON that is safe inside a script; it is a JavaScript expression too.

    Raises:
        ValueError: a number in it is not finite (see `rounded`).
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_ESCAPES)


def rounded(value: float | None) -> float | None:
    """Return a score to `DIGITS` digits; None of None and of what is no finite number."""
    return None if value is None or not math.isfinite(value) else round(value, DIGITS)


def write_script(path: Path, function: str, *values: Any) -> int:
    """Write a script that calls a function of the page; returns its bytes."""
    data = f"artsound.{function}({','.join(literal(value) for value in values)});\n".encode()
    write_atomically(path, data)
    return len(data)
