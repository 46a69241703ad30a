"""A table's files, read back by what reads them: a Markdown parser, and LaTeX's rules for rows."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from artsound.table import Table

HOSTILE = (
    "<script>alert(1)</script>",
    "a | b",
    "two\nlines\r\n\n here",
    "*bold* __init__ ~~gone~~ `code`",
    "[link](javascript:x) \\| \\",
    "&lt; &amp; & &#60;",
    "[2pt] row",
    "* star",
    "100 % $x_1^2$ #{~}",
)


class _Cells(HTMLParser):
    """The text of every cell, and every other element that is met."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.others: set[str] = set()
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("td", "th"):
            self.cells.append("")
            self._inside = True
        else:
            self.others.add(tag)

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.cells[-1] += data


def _read(table: Table) -> _Cells:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    found = _Cells()
    found.feed(parser.render(table.markdown()))
    return found


def _one_line(text: str) -> str:
    return re.sub(r"\s*[\r\n]+\s*", " ", text).strip()


# Markdown itself takes NUL for another letter, and cells lose the spaces around them.
_TEXTS = st.text(
    st.one_of(
        st.sampled_from("|\\`*_[]()<>&;#~!\n\rab 1"), st.characters(exclude_categories=("C", "Z"))
    ),
    max_size=12,
)


@given(cells=st.lists(_TEXTS, min_size=4, max_size=4))
@example(cells=list(HOSTILE[:4]))
@example(cells=list(HOSTILE[4:8]))
@example(cells=["__x__", "a_b", "_", "x_ _y"])
def test_markdown_shows_every_text_as_it_is(cells: list[str]) -> None:
    head, row = cells[:2], cells[2:]
    found = _read(Table("t", "Title", tuple(head), (tuple(row),)))
    assert [" ".join(cell.split()) for cell in found.cells] == [
        " ".join(_one_line(cell).split()) for cell in cells
    ]
    assert found.others == {"p", "strong", "table", "thead", "tbody", "tr"}


def test_titles_and_notes_are_text_with_code() -> None:
    table = Table("t", "A <b>title</b>\nhere", ("x",), ((1,),), ("Say `a <b|c>` not <script>.",))
    parser = MarkdownIt("commonmark").enable("table")
    html = parser.render(table.markdown())
    assert "<strong>A &lt;b&gt;title&lt;/b&gt; here</strong>" in html
    assert "<p>Say <code>a &lt;b|c&gt;</code> not &lt;script&gt;.</p>" in html


@pytest.mark.parametrize("text", HOSTILE)
def test_latex_has_a_line_a_row_and_no_options(text: str) -> None:
    table = Table("t", text, (text, "n"), ((text, 1), ("x", text)), (text,))
    body = table.latex().partition("\\toprule\n")[2].partition("\\bottomrule")[0]
    lines = body.splitlines()
    assert lines.pop(1) == "\\midrule"
    assert len(lines) == 3
    for line in lines:
        assert line.endswith(" \\\\")
        assert len(re.findall(r"(?<!\\)&", line)) == 1
        # After a rule or a line end, a bracket or a star would be taken for its option.
        assert not line.lstrip().startswith(("[", "*"))
    assert "\n\n" not in table.latex()
    for command in re.findall(r"\\([a-z]+)", body):
        assert command in {"textbackslash", "textasciitilde", "textasciicircum", "textbar",
                           "textless", "textgreater", "midrule"}  # fmt: skip


def test_csv_comes_back() -> None:
    table = Table("t", "T", HOSTILE, (HOSTILE, tuple(range(len(HOSTILE)))))
    rows = list(csv.reader(io.StringIO(table.csv(), newline="")))
    assert rows[:2] == [list(HOSTILE)] * 2
