"""A report's folder: what it takes for its own, and where it may be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from artsound.errors import ArtsoundError, UsageError
from artsound.report.app import write_report
from artsound.report.data import Data, open_data
from artsound.report.own import LIST, own_files
from tests.report.synthetic import write_report_workspace

MINE = (
    "figures/my_plot.svg",
    "tables/results.csv",
    "media/photos/family.jpg",
    "media/photos/sub/deep.jpg",
    "data/train-labels.js",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    folder = tmp_path_factory.mktemp("own") / "w"
    work = write_report_workspace(folder, pairs=40, artworks=50, dimension=4, shard=50)
    return open_data(work.root)


def _put(out: Path) -> dict[Path, bytes]:
    for name in MINE:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(f"mine: {name}")
    return {out / name: (out / name).read_bytes() for name in MINE}


def test_files_of_others_are_never_touched(data: Data, tmp_path: Path) -> None:
    mine = _put(tmp_path)
    with pytest.raises(UsageError, match=r"has files in it and no report\.json"):
        write_report(data, tmp_path)
    assert {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()} == mine
    out = tmp_path / "out"
    write_report(data, out)
    mine = _put(out)
    write_report(data, out, pairs=10, media=False)
    assert {one: one.read_bytes() for one in mine} == mine


def test_hidden_files_are_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".nojekyll").touch()
    with own_files(tmp_path) as own:
        assert own.root == tmp_path


def test_the_list_has_every_file(data: Data, tmp_path: Path) -> None:
    write_report(data, tmp_path)
    files = json.loads((tmp_path / LIST).read_text())["files"]
    there = {
        one.relative_to(tmp_path).as_posix(): one.stat().st_size
        for one in tmp_path.rglob("*")
        if one.is_file() and one.name != LIST
    }
    assert files == there


def test_a_report_that_failed_knows_what_it_left(tmp_path: Path) -> None:
    left = tmp_path / "tables" / "left.csv"

    def interrupted() -> None:
        with own_files(tmp_path) as own:
            left.parent.mkdir()
            left.write_text("1")
            own.add(left)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert left.is_file()
    with own_files(tmp_path):
        pass
    assert not left.parent.exists()


def test_a_workspace_is_written_into_only_at_its_report(data: Data, tmp_path: Path) -> None:
    work = tmp_path / "w"
    shutil.copytree(data.path, work)
    before = sorted(work.rglob("*"))
    for out in (work, work / "tables", work / "site", work / "report" / ".." / "logs"):
        with pytest.raises(UsageError, match=r"is in the workspace .* choose an --out outside"):
            write_report(data, out)
    assert sorted(work.rglob("*")) == before
    with own_files(work / "report"):
        assert (work / "report" / LIST).is_file()


def test_a_release_is_never_written_into(data: Data, released: Path, tmp_path: Path) -> None:
    before = sorted(released.rglob("*"))
    for source in (data, open_data(released)):
        for out in (released, released / "data", released / "report"):
            with pytest.raises(UsageError, match="is in the release"):
                write_report(source, out)
    assert sorted(released.rglob("*")) == before
    # Other programs have files of that name too.
    (tmp_path / "manifest.json").write_text('{"name": "a web page"}')
    with own_files(tmp_path / "site"):
        assert (tmp_path / "site" / LIST).is_file()


def test_what_cannot_be_written_to_is_said_before_anything_is_computed(
    data: Data, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    asked: list[str] = []

    def heard(what: str, done: int, total: int) -> None:
        asked.append(what)

    with pytest.raises(UsageError, match="is a file"):
        write_report(data, tmp_path / "file", progress=heard)
    with pytest.raises(ArtsoundError, match=r"cannot write to .* choose another --out"):
        write_report(data, tmp_path / "file" / "below", progress=heard)
    assert asked == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"kind": "another"}',
        '{"kind": "artsound report"}',
        '{"kind": "artsound report", "files": {"../mine": 1}}',
        '{"kind": "artsound report", "files": {"/mine": 1}}',
    ],
)
def test_a_list_that_is_none_removes_nothing(tmp_path: Path, text: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "mine").touch()
    (out / LIST).write_text(text)
    with pytest.raises(ArtsoundError, match=r"report\.json .* empty"), own_files(out):
        pass
    assert (tmp_path / "mine").exists()
