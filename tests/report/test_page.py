"""What the page is written from: its sample, its scripts, its files."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from artsound.report.data import open_data
from artsound.report.own import OwnFiles
from artsound.report.page.choose import allot, choose
from artsound.report.page.media import CARD, LARGE, MediaFolder
from artsound.report.page.script import literal, rounded
from artsound.workspace import Workspace
from tests.report.pages import HOSTILE, page

SIZES = st.dictionaries(st.text(max_size=4), st.integers(1, 500), min_size=1, max_size=20)


def chunks(out: Path, name: str = "sample") -> list[dict[str, list[list[object]]]]:
    """Read the chunks back as JSON, which their arguments are."""
    found = []
    for path in sorted((out / "data").glob(f"{name}-*.js")):
        text = path.read_text().removeprefix("artsound.chunk(").removesuffix(");\n")
        found.append(json.loads(f"[{text}]")[3])
    return found


@given(SIZES, st.integers(0, 5000))
def test_allot_gives_every_place_once(sizes: dict[str, int], wanted: int) -> None:
    places = min(wanted, sum(sizes.values()))
    quotas = allot(sizes, places)
    assert sum(quotas.values()) == places
    assert all(0 <= quotas[name] <= size for name, size in sizes.items())
    if places >= len(sizes):
        assert min(quotas.values()) >= 1
        # But for that first place, each has its share, rounded up or down.
        left, total = places - len(sizes), sum(sizes.values()) - len(sizes)
        for name, size in sizes.items():
            share = left * (size - 1) / total if total else 0
            assert abs(quotas[name] - 1 - share) < 1


@given(
    st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=300),
    st.integers(0, 300),
    st.integers(0, 5),
)
def test_choose_is_exact_and_keeps_the_tail(
    styles: list[str | None], pairs: int, seed: int
) -> None:
    keys = list(range(len(styles)))
    similarity = [((7 * key) % 31) / 31 for key in keys]
    choice = choose(keys, styles, similarity, pairs=pairs, seed=seed)
    assert len(choice.rows) == len(set(choice.rows)) == min(pairs, len(keys))
    assert choice.rows == sorted(choice.rows)
    assert choice == choose(keys, styles, similarity, pairs=pairs, seed=seed)
    worst = sorted(keys, key=lambda key: (similarity[key], key))[: choice.worst]
    assert set(worst) <= set(choice.rows)


def test_choose_is_stratified() -> None:
    styles = ["common"] * 900 + ["rare"] * 90 + ["single"] * 10
    choice = choose(range(1000), styles, [0.5] * 1000, pairs=100, seed=1)
    counts = Counter(styles[row] for row in choice.rows if row >= choice.worst)
    assert counts["rare"] == pytest.approx(9, abs=1)
    assert counts["single"] >= 1
    assert choose(range(1000), styles, [0.5] * 1000, pairs=100, seed=2) != choice


@given(st.text())
def test_literal_is_json_that_cannot_end_a_script(text: str) -> None:
    written = literal([text])
    assert json.loads(written) == [text]
    assert not re.search("[<\u2028\u2029]", written)


def test_rounded_has_no_numbers_that_json_lacks() -> None:
    assert [rounded(one) for one in (None, float("nan"), float("inf"), 0.123456)] == [
        None,
        None,
        None,
        0.1235,
    ]
    with pytest.raises(ValueError, match="JSON"):
        literal(float("nan"))


@pytest.mark.parametrize("source", ["workspace", "release"])
def test_writes_the_same_bytes_again_and_makes_media_once(
    built: Workspace, released: Path, tmp_path: Path, source: str
) -> None:
    path = built.root if source == "workspace" else released
    index = page(path, tmp_path / "out")
    files = {one: one.read_bytes() for one in sorted(tmp_path.rglob("*")) if one.is_file()}
    made = {one: one.stat().st_mtime_ns for one in (tmp_path / "out" / "media").rglob("*.*")}
    assert len(made) > 60
    assert page(path, tmp_path / "out") == index
    assert files == {one: one.read_bytes() for one in sorted(tmp_path.rglob("*")) if one.is_file()}
    assert made == {one: one.stat().st_mtime_ns for one in made}


def test_damaged_media_are_made_again(built: Workspace, tmp_path: Path) -> None:
    page(built.root, tmp_path)
    images = sorted((tmp_path / "media" / "images").glob("*-c.webp"))
    clips = sorted((tmp_path / "media" / "audio").iterdir())
    files = {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()}
    images[0].write_bytes(b"no image")
    images[1].unlink()
    clips[0].write_bytes(b"")
    page(built.root, tmp_path)
    assert files == {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()}
    # Of the old length, and no large one beside it that would settle the matter.
    for name in (path.name.replace("-c.webp", "-l.webp") for path in images):
        (tmp_path / "media" / "images" / name).unlink(missing_ok=True)
    for path in images:
        path.write_bytes(b"x" * path.stat().st_size)
    page(built.root, tmp_path)
    assert files == {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()}


def test_a_report_without_media_leaves_none_of_its_own(built: Workspace, tmp_path: Path) -> None:
    page(built.root, tmp_path, pairs=5)
    mine = tmp_path / "media" / "audio" / "mine.mp3"
    mine.write_bytes(b"mine")
    page(built.root, tmp_path, media=False)
    assert [one for one in (tmp_path / "media").rglob("*") if one.is_file()] == [mine]
    assert not (tmp_path / "media" / "images").exists()


def test_names_only_files_that_are_there(built: Workspace, tmp_path: Path) -> None:
    page(built.root, tmp_path)
    text = (tmp_path / "index.html").read_text()
    for name in re.findall(r'(?:src|href)="((?!#|http)[^"]+)"', text):
        assert (tmp_path / name).is_file(), name
    assert not re.search(r"(src|href)=\"(https?:)?//", text)
    data = open_data(built.root)
    [*all_chunks] = chunks(tmp_path)
    tracks = [row for chunk in all_chunks for row in chunk["tracks"]]
    assert len(tracks) == 30
    assert all((tmp_path / "media" / "audio" / str(row[-1])).is_file() for row in tracks)
    for row in (row for chunk in all_chunks for row in chunk["artworks"]):
        assert row[-1] == data.splits[str(row[0])]
        with Image.open(tmp_path / "media" / "images" / f"{row[-3]}-c.webp") as image:
            assert max(image.size) <= CARD
        if row[-2]:
            with Image.open(tmp_path / "media" / "images" / f"{row[-3]}-l.webp") as image:
                assert CARD < max(image.size) <= LARGE


def test_tables_and_figures_are_in_the_page_as_text(built: Workspace, tmp_path: Path) -> None:
    text = page(built.root, tmp_path, media=False).read_text()
    assert "Table 9: &lt;b&gt;bold&lt;/b&gt;" in text
    assert "What it &lt;i&gt;shows&lt;/i&gt;." in text
    assert "1,234" in text
    assert "one | two" in text
    assert "without media" in text
    assert not (tmp_path / "media").exists()


def test_a_smaller_report_leaves_no_chunks_of_a_larger_one(
    built: Workspace, tmp_path: Path
) -> None:
    page(built.root, tmp_path, pairs=10, media=False)
    assert len(list((tmp_path / "data").glob("whole-*.js"))) == 1
    assert sum(len(chunk["tracks"]) for chunk in chunks(tmp_path)) == 10
    assert sum(len(chunk["tracks"]) for chunk in chunks(tmp_path, "whole")) == 30
    page(built.root, tmp_path, media=False)
    assert not list((tmp_path / "data").glob("whole-*.js"))


def test_a_workspace_that_is_only_begun_gives_a_page(tmp_path: Path, built: Workspace) -> None:
    begun = Workspace(tmp_path / "begun")
    description = built.description()
    description.pop("format")
    begun.describe(description)
    for shard in built.shards("artworks"):
        begun.commit("artworks", shard, built.read("artworks", shard=shard), inputs="some")
    text = page(begun.root, tmp_path / "out").read_text()
    assert "There are no pairs yet" in text
    assert "image_captions is not built" in text


def test_an_artwork_that_cannot_be_read_has_no_thumbnail(tmp_path: Path) -> None:
    folder = MediaFolder(OwnFiles(tmp_path, {}))
    large = Image.new("RGB", (2000, 1000))
    found = list(
        folder.images(
            [("gone", "a" * 64, True), ("there", "b" * 64, True), ("small", None, False)],
            lambda name: None if name == "gone" else large,
        )
    )
    assert found[0] is None
    assert [one and (one[0], one[2]) for one in found[1:]] == [("there", True), ("small", False)]
    assert folder.clip(7, "c" * 64, lambda track: None) is None
    assert folder.clip(8, "d" * 64, lambda track: (HOSTILE.encode(), ".MP3")) == "8-dddddddd.mp3"


def test_artworks_with_the_same_file_do_not_share_a_thumbnail(tmp_path: Path) -> None:
    image = Image.new("RGB", (1500, 900))
    wanted = [(f"artwork-{n}", "a" * 64, bool(n % 2)) for n in range(20)]
    folder = MediaFolder(OwnFiles(tmp_path, {}))
    found = list(folder.images(wanted, lambda name: image))
    assert len({one and one[1] for one in found}) == 20
    assert [one and one[2] for one in found] == [large for _, _, large in wanted]
