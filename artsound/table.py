"""A table to show on a terminal and to write as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from artsound.atomic import write_atomically

Cell = str | int | float | None
_NAME: Final = 32  # what is not wrapped in a first column
_LATEX: Final = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{special: rf"\{special}" for special in "&%$#_{}"},
        "|": r"\textbar{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
    }
)
# What Markdown or HTML in it would read as more than a letter. `_` is plain within a word, and `&`
# where it begins no entity.
_MARKDOWN: Final = re.compile(r"[\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_])")
_ENTITY: Final = re.compile(r"&(?=#?\w+;)")
_CODE: Final = re.compile(r"(`[^`]+`)")
_PIPE: Final = 160  # how wide tables are where no terminal says so


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: what its files are called.
        title: one line.
        columns: the head.
        rows: as long as the head each; None is an empty cell.
        notes: what a reader has to know, a sentence each.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def texts(self) -> list[bool]:
        """Say of each column whether it holds words and not numbers; the first always does."""
        return [
            not place or all(isinstance(row[place], str) for row in self.rows)
            for place in range(len(self.columns))
        ]

    def csv(self) -> str:
        """Return the table as CSV, numbers in full precision."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return buffer.getvalue()

    def markdown(self) -> str:
        """Return the table as Markdown, with its title and notes; `code` in notes stays code."""
        head = f"| {' | '.join(_markdown(column) for column in self.columns)} |"
        rule = f"|{'|'.join(' --- ' if text else ' ---: ' for text in self.texts)}|"
        rows = [f"| {' | '.join(_markdown(shown(cell)) for cell in row)} |" for row in self.rows]
        notes = [f"\n{_prose(note)}" for note in self.notes]
        title = f"**{_prose(self.title)}**\n"
        return "\n".join([title, head, rule, *rows, *notes]) + "\n"

    def latex(self) -> str:
        """Return the table as a LaTeX `table` with booktabs' rules, its notes under it."""
        align = "".join("l" if text else "r" for text in self.texts)
        head = _latex_row(self.columns)
        rows = [_latex_row([shown(cell) for cell in row]) for row in self.rows]
        notes = [rf"\\[2pt] \footnotesize {_latex(note)}" for note in self.notes]
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(self.title)}}}",
            rf"\label{{tab:{self.name}}}",
            rf"\begin{{tabular}}{{{align}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *(rf"{row} \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            *notes,
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"

    def rich(self) -> RichTable:
        """Return the table for the terminal."""
        table = RichTable(title=Text(self.title), title_justify="left", box=None, pad_edge=False)
        for place, (column, text) in enumerate(zip(self.columns, self.texts, strict=True)):
            names = not place and all(len(str(row[0])) <= _NAME for row in self.rows)
            table.add_column(
                Text(column),
                justify="left" if text else "right",
                no_wrap=names or not text,
                overflow="fold" if text else "ellipsis",
            )
        for row in self.rows:
            table.add_row(*(Text(shown(cell)) for cell in row))
        return table


def show_tables(tables: Sequence[Table]) -> None:
    """Print tables with their notes; as wide as the terminal, and wider where there is none."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, _PIPE)
    for table in tables:
        console.print(table.rich())
        for note in table.notes:
            console.print(note, markup=False)
        console.print()


def shown(cell: Cell) -> str:
    """Return a cell as people read it: numbers to four digits, nothing for nothing."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.4f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _line(text: str) -> str:
    """Return a text without line ends, which would end a row, or a paragraph in a caption."""
    return re.sub(r"\s*[\r\n]+\s*", " ", text)


def _markdown(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    escaped = _MARKDOWN.sub(r"\\\g<0>", _line(text))
    return _ENTITY.sub("&amp;", escaped).replace("<", "&lt;")


def _prose(text: str) -> str:
    """Return a text that Markdown shows as it is but for `code`."""
    parts = _CODE.split(_line(text))
    return "".join(part if at % 2 else _markdown(part) for at, part in enumerate(parts))


def _latex(text: str) -> str:
    """Return a text with what LaTeX takes for commands escaped."""
    return _line(text).translate(_LATEX)


def _latex_row(cells: Sequence[str]) -> str:
    """Return a row; what begins one is no option of the line end or the rule before it."""
    row = " & ".join(_latex(cell) for cell in cells)
    return f"{{}}{row}" if row.lstrip().startswith(("[", "*")) else row


def write_tables(tables: Sequence[Table], folder: Path) -> list[Path]:
    """Write each table as `<name>.csv` and `<name>.md`; returns the files."""
    written = []
    for table in tables:
        for suffix, text in ((".csv", table.csv()), (".md", table.markdown())):
            path = folder / f"{table.name}{suffix}"
            write_atomically(path, text.encode())
            written.append(path)
    return written
