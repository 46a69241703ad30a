"""Figures: real files, the same bytes each time, and shares that add up."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from artsound.compare.pictures import GENERATED
from artsound.report.app import write_numbers
from artsound.report.caption_tables import captions_of
from artsound.report.curves import Curve
from artsound.report.data import open_data
from artsound.report.figures import steps, style
from artsound.report.genre_figures import genre_figures, shares
from artsound.report.score_figures import score_figures
from artsound.report.similarity_figures import RANGES, similarity_figures
from tests.report.synthetic import write_report_workspace

_ROWS = st.lists(
    st.tuples(*(st.sampled_from(letters) for letters in ("abcdef", "xyz", "st"))), min_size=1
)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_figure_twice_the_same(tmp_path: Path) -> None:
    work = write_report_workspace(tmp_path / "w", pairs=120, artworks=150, dimension=8, shard=60)
    data = open_data(work.root)
    _, figures = write_numbers(data, tmp_path / "one")
    # The user's own settings of matplotlib change nothing and are left as they are.
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": None}):
        write_numbers(data, tmp_path / "two")
        assert mpl.rcParams["font.size"] == 30
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")
    names = {figure.name for figure in figures}
    assert names == {
        "figure_2",
        "figure_5",
        "figure_5_top",
        "similarity",
        "similarity_by_order",
        "scores_artworks",
        "scores_music",
        "attempts_used",
    }
    for figure in figures:
        assert figure.title
        assert figure.caption.endswith(".")
        picture = tmp_path / "one" / "figures" / f"{figure.name}.png"
        with Image.open(picture) as image:
            assert min(image.size) > 400
            assert len(image.convert("L").getcolors() or range(999)) > 20
        svg = picture.with_suffix(".svg").read_text("utf-8")
        assert "<svg" in svg
        assert "<dc:date>" not in svg


@given(values=st.lists(st.floats(-1, 1), min_size=1))
def test_every_similarity_is_in_one_range(values: list[float]) -> None:
    inside = np.array([inside(np.array(values)) for _, inside in RANGES])
    assert (inside.sum(axis=0) == 1).all()


@given(rows=_ROWS)
def test_shares_add_up(rows: list[tuple[str, str, str]]) -> None:
    columns = [pa.chunked_array([list(column)]) for column in zip(*rows, strict=True)]
    found = shares(columns[0], columns[1], columns[2])
    assert found.percent.sum(axis=1) == pytest.approx(np.full(len(found.genres), 100.0))
    assert found.counts.sum() == len(rows)
    cells = Counter((genre, name) for genre, _, name in rows)
    for (genre, name), count in cells.items():
        at = found.genres.index(genre), found.styles.index(name)
        assert found.counts[at] == count
    # Groups are whole, and the larger comes first in each.
    assert len(list(dict.fromkeys(found.groups))) == len(set(found.groups))
    for group in set(found.groups):
        inside = [n for n, name in enumerate(found.groups) if name == group]
        assert inside == list(range(inside[0], inside[-1] + 1))
        assert (np.diff(found.pairs[inside]) <= 0).all()


@pytest.mark.parametrize("values", [[0.3], [0.5, 0.5, 0.5, 0.5, 0.5, 0.5], [1.0, -1.0]])
def test_few_or_equal_similarities_are_drawn(tmp_path: Path, values: list[float]) -> None:
    curve = Curve("image_audio", "greedy", True, np.array(values))
    with style():
        assert len(similarity_figures([curve], tmp_path, "lite-conse")) == 3
        assert similarity_figures([], tmp_path, "lite-conse") == []


def test_histograms_have_more_bars_for_more_values() -> None:
    assert [len(steps(0, 1, count)) - 1 for count in (1, 100, 10**6)] == [8, 20, 60]
    assert np.all(np.diff(steps(2, 2, 5)) > 0)


def test_figure_8_is_drawn_of_what_was_compared(tmp_path: Path) -> None:
    work = write_report_workspace(tmp_path / "w", pairs=20, artworks=24, dimension=4, shard=24)
    made = work.read("pairs/image_audio").slice(0, 12).to_pylist()
    lines = ["strategy,track_id,artwork_id,similarity"]
    for strategy in (GENERATED, "artwork-spectrogram"):
        lines += [f"{strategy},{row['track_id']},{row['artwork_id']},0.5" for row in made]
    (work.root / "compare").mkdir()
    (work.root / "compare" / "table_12_pairs.csv").write_text("\n".join(lines))
    figures, tables = genre_figures(open_data(work.root), tmp_path)
    [drawn] = [figure for figure in figures if figure.name == "figure_8"]
    assert "(n = 12 pairs)" in drawn.title
    assert (tmp_path / "figure_8.svg").is_file()
    notes = {table.name: table.notes[0] for table in tables}
    once = "a track counts once, in its top-level genre."
    assert notes["figure_5_top"] == f"Of the released pairs; {once}"
    assert "a track counts in each of its genres" in notes["figure_5"]
    assert notes["figure_8"].startswith("Of the pairs of `artsound compare pairings`")
    assert notes["figure_8"].endswith(once)
    # Of another build's items there is no figure, and that is said.
    with (work.root / "compare" / "table_12_pairs.csv").open("a") as stream:
        stream.write(f"\n{GENERATED},999999,nobody,0.5\n")
    data = open_data(work.root)
    assert any("figure 8 is left out" in line for line in data.missing)
    assert "figure_8" not in {figure.name for figure in genre_figures(data, tmp_path)[0]}


def test_methods_that_were_not_built_are_told_apart(tmp_path: Path) -> None:
    values = np.linspace(0.9, 0.1, 30)
    found = [
        Curve("image_audio", method, method == "sequential", values - shift)
        for method, shift in (("sequential", 0.0), ("greedy", 0.05), ("optimal", 0.1))
    ]
    with style():
        similarity_figures(found, tmp_path, "lite-conse")
    svg = (tmp_path / "similarity_by_order.svg").read_text("utf-8")
    assert len(set(re.findall(r"stroke-dasharray: ([^;\"]+)", svg))) == 2


def test_captions_of_figures_say_what_is_drawn(tmp_path: Path) -> None:
    work = write_report_workspace(tmp_path / "w", pairs=60, artworks=70, dimension=4, shard=70)
    data = open_data(work.root)
    assert data.image_captions is not None
    last = data.image_captions.filter(pc.equal(data.image_captions["attempts"], 4))
    with style():
        figures = score_figures(list(captions_of(data)), tmp_path)
    [caption] = [figure.caption for figure in figures if figure.name == "attempts_used"]
    # Some reached the threshold at the last attempt: the last bar is not of failures alone.
    assert pc.any(last["accepted"]).as_py()
    assert "the last bar, beside those that did at the last" in caption
