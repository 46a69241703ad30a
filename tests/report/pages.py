"""Pages for the tests: the sample with every strategy, and one that is hostile."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa

from artsound.atomic import write_atomically
from artsound.pairing.strategies import STRATEGIES, PairsStage
from artsound.reopen import reopen
from artsound.report.data import Data, open_data
from artsound.report.figures import Figure, paths
from artsound.report.own import own_files
from artsound.report.page import write_page
from artsound.report.progress import unheard
from artsound.table import Table
from artsound.workspace import Workspace

HOSTILE = (
    "A <script>window.broken = 1</script> café <img src=x onerror='window.broken = 2'>"
    " </script> \u2028 & ]]> \U0001f3bb end"
)
TABLE = Table(
    "table_9",
    "Table 9: <b>bold</b>",
    ("what", "whose", "n"),
    (("one | two", "ours", 1234), ("one | two", "paper", 0.5)),
    ("A note & no more.",),
)
FIGURE = Figure("figure_9", "Figure 9", "What it <i>shows</i>.")


def every_strategy(built: Workspace, folder: Path) -> Workspace:
    """Copy a built workspace and pair it by every strategy."""
    shutil.copytree(built.root, folder)
    workspace = Workspace(folder)
    description = workspace.description()
    description["recipe"]["pairing"]["strategies"] = list(STRATEGIES)
    workspace.describe({key: value for key, value in description.items() if key != "format"})
    build = reopen(workspace)
    for strategy in STRATEGIES:
        if workspace.shards(f"pairs/{strategy}"):
            continue
        stage = PairsStage(strategy, build.recipe.pairing.embedder)
        for table, rows in stage.run(build, 0).items():
            workspace.commit(table, 0, rows, inputs="for the test")
    return workspace


def hostile(workspace: Workspace) -> None:
    """Give the first artwork of a workspace a caption and an address that attack the page."""
    for table, column, value in (
        ("image_captions", "caption", HOSTILE),
        ("artworks", "source_url", "javascript:window.broken=3"),
        ("artworks", "title", "Ζωή <b>Éducation</b>"),
    ):
        rows = workspace.read(table, shard=0)
        values = rows[column].to_pylist()
        values[0] = value
        place = rows.schema.get_field_index(column)
        rows = rows.set_column(place, rows.field(column), pa.array(values, rows.field(column).type))
        workspace.commit(table, 0, rows, inputs="for the test")


def page(data: Data | Path, out: Path, *, pairs: int = 5000, media: bool = True) -> Path:
    """Write a page with one table and one figure."""
    opened = open_data(data) if isinstance(data, Path) else data
    with own_files(out) as own:
        svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
        for path in paths(FIGURE, out / "figures"):
            write_atomically(path, svg)
            own.add(path)
        return write_page(
            opened,
            own,
            pairs=pairs,
            seed=0,
            media=media,
            tables=[TABLE],
            figures=[FIGURE],
            progress=unheard,
        )
