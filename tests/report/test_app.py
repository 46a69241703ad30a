"""`artsound report` from the command line: on a workspace, on a release, and on less."""

from __future__ import annotations

from pathlib import Path

import typer
from typer.testing import CliRunner

from artsound.report.app import report
from artsound.workspace import Workspace
from tests.report.synthetic import write_report_workspace

app = typer.Typer()
app.command()(report)


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_workspace_and_its_release(built: Workspace, released: Path, tmp_path: Path) -> None:
    before = _files(released)
    for source, name in ((built.root, "w"), (released, "r")):
        out = tmp_path / name
        result = CliRunner().invoke(app, [str(source), "--out", str(out)])
        assert result.exit_code == 0, result.output
        assert "Table 1" in result.output
        assert f"open {out / 'index.html'}" in result.output
        for table in ("table_1", "table_5", "coverage_styles", "rejected"):
            assert all(
                (out / "tables" / f"{table}{end}").is_file() for end in (".csv", ".md", ".tex")
            )
        assert (out / "figures" / "figure_2.svg").is_file()
    assert _files(released) == before
    tables = [tmp_path / name / "tables" / "table_1.csv" for name in "wr"]
    assert tables[0].read_bytes() == tables[1].read_bytes()


def test_what_is_missing_is_said_and_old_tables_go(tmp_path: Path) -> None:
    work = write_report_workspace(tmp_path / "w", pairs=60, artworks=70, dimension=4, shard=30)
    first = CliRunner().invoke(app, [str(work.root), "--no-media", "--quiet"])
    assert first.exit_code == 0, first.output
    out = work.root / "report"
    (out / "notes.txt").write_text("mine")
    assert (out / "tables" / "table_5.csv").is_file()
    assert (out / "figures" / "figure_5.png").is_file()
    for table in work.tables():
        if table.startswith("pairs/"):
            work.drop(table)
    again = CliRunner().invoke(app, [str(work.root), "--no-media"])
    assert again.exit_code == 0, again.output
    assert "missing: pairs/image_audio is not built" in again.output
    assert not (out / "tables" / "table_5.csv").exists()
    assert not (out / "figures" / "figure_5.png").exists()
    assert (out / "tables" / "table_1.tex").is_file()
    assert (out / "notes.txt").read_text() == "mine"
    quiet = CliRunner().invoke(app, [str(work.root), "--no-media", "--quiet"])
    assert quiet.output.splitlines() == [f"open {out / 'index.html'}"]
