"""The dataset card: complete, computed from the tables, honest, and the same every time."""

from __future__ import annotations

import importlib.resources
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import DatasetCard, DatasetCardData
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from artsound import paper
from artsound.recipe import Recipe
from artsound.release.card import MAKER, write_card
from artsound.release.columns import columns
from artsound.release.manifest import read_manifest
from artsound.release.picture import FILE as PICTURE
from artsound.release.provenance import columns_behind
from artsound.release.statistics import figures, pair_statistics
from artsound.release.tables import DEFAULT, by_config, parts
from artsound.release.terms import Terms, non_commercial, terms
from artsound.workspace import Workspace

ROOT = Path(__file__).parents[2]
WRITTEN = ("README.md", "croissant.json", PICTURE)


@pytest.fixture(scope="module")
def card(released: Path) -> str:
    return (released / "README.md").read_text("utf-8")


def _facts(folder: Path) -> dict[str, Any]:
    manifest = read_manifest(folder)
    return {key: value for key, value in manifest.items() if key not in ("files", "format")}


def _bare(released: Path, folder: Path) -> Path:
    """Copy a release without what the card's writer wrote."""
    shutil.copytree(released, folder)
    for name in WRITTEN:
        (folder / name).unlink()
    return folder


def _change(folder: Path, column: str, value: Any) -> None:
    """Give every row of the default configuration one value in a column."""
    for path in (folder / "data").glob("*.parquet"):
        table = pq.read_table(path)
        at = table.schema.get_field_index(column)
        field = table.schema.field(at)
        values = pa.array([value] * len(table), field.type)
        pq.write_table(table.set_column(at, field, values), path)


def _rows(released: Path, folder: str = "data") -> list[dict[str, Any]]:
    paths = sorted((released / folder).glob("*.parquet"))
    light = [name for name in pq.read_schema(paths[0]).names if name not in ("image", "audio")]
    return [row for path in paths for row in pq.read_table(path, columns=light).to_pylist()]


# -- what the Hub and `datasets` make of it -----------------------------------------------------


def test_it_has_every_section_of_the_hubs_template(card: str) -> None:
    hub = importlib.resources.files("huggingface_hub") / "templates/datasetcard_template.md"
    wanted = re.findall(r"^(#{2,4} .+)$", hub.read_text("utf-8"), re.MULTILINE)
    plain = {heading.replace(" [optional]", "").strip() for heading in wanted}
    assert len(plain) > 15
    assert plain <= set(re.findall(r"^(#{2,4} .+)$", card, re.MULTILINE))
    assert "More Information Needed" not in card
    assert not re.search(r"\{\{|\{%|\bNone\b|\bnan\b", card)


def test_its_yaml_is_what_the_hub_reads(released: Path, card: str) -> None:
    data = DatasetCard(card).data
    assert isinstance(data, DatasetCardData)
    assert data.license == "other"
    assert data.task_categories == ["text-to-audio", "image-to-text"]
    assert data.size_categories == ["n<1K"]
    assert data.pretty_name == "ArtSound (lite)"
    assert data["configs"][0]["default"] is True
    infos = {info["config_name"]: info for info in data["dataset_info"]}
    for config, held in by_config(parts(released)).items():
        assert [split["num_examples"] for split in infos[config]["splits"]] == [
            part.rows for part in held
        ]
        assert all(split["num_bytes"] > 0 for split in infos[config]["splits"])
        assert infos[config]["download_size"] == sum(part.file_bytes for part in held)


def test_datasets_opens_the_folder_with_the_features_of_the_card(released: Path) -> None:
    for config, held in by_config(parts(released)).items():
        builder = datasets.load_dataset_builder(str(released), config)
        assert builder.info.features == datasets.Features.from_arrow_schema(held[0].schema)
        assert {name: split.num_examples for name, split in builder.info.splits.items()} == {
            part.split: part.rows for part in held
        }


def test_the_four_lines_load_it(released: Path, card: str) -> None:
    found = re.search(r"```python\n(.*?)```", card, re.DOTALL)
    assert found
    lines = found[1].strip().splitlines()
    assert len(lines) == 4
    script = found[1].replace("PATH_OR_REPOSITORY", str(released))
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first = datasets.load_dataset(str(released), split="train").remove_columns(["audio", "image"])[
        0
    ]
    assert done.stdout.strip() == f"{first['artwork_caption']} {first['music_caption']}"


# -- every number is a table's ------------------------------------------------------------------


def _cells(card: str, *begin: str) -> list[str]:
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in card.splitlines() if line[:1] == "|"]
    plain = [[cell.strip() for cell in cells] for cells in lines]
    found = [cells for cells in plain if cells[: len(begin)] == list(begin)]
    assert len(found) == 1, begin
    return found[0][len(begin) :]


def test_table_1_is_ours_beside_the_papers(released: Path, card: str) -> None:
    for table, label, scores in (
        ("artworks", "image captions", ("clip_score", "ic_score")),
        ("tracks", "music captions", ("bert_score", "rouge1", "ac_score")),
    ):
        rows = [row for row in _rows(released, table) if row["caption"]]
        for score in scores:
            values = [row[score] for row in rows]
            expected = [f"{f(values):.4f}" for f in (np.min, np.mean, np.max, np.std)]
            assert _cells(card, label, "here", f"`{score}`") == [str(len(values)), *expected]
        lengths = [len(row["caption"]) for row in rows]
        assert _cells(card, label, "here", "characters")[1] == str(min(lengths))
        reached = sum(row["accepted"] for row in rows)
        assert _cells(card, label, "here", _threshold(released, table))[:2] == [
            str(reached),
            str(len(rows) - reached),
        ]
    assert _cells(card, "image captions", "paper", "`clip_score`")[1:4] == [
        "0.3699", "0.7821", "1.0000",
    ]  # fmt: skip
    assert _cells(card, "music captions", "paper", "0.80")[:2] == ["95,837", "10,047"]


def _threshold(released: Path, table: str) -> str:
    section = "image_captions" if table == "artworks" else "audio_captions"
    return f"{read_manifest(released)['recipe'][section]['threshold']:.2f}"


def test_table_5_is_ours_beside_the_papers(released: Path, card: str) -> None:
    values = [row["similarity"] for row in _rows(released, "pairs_image_audio")]
    expected = [f"{f(values):.4f}" for f in (np.min, np.mean, np.max, np.std)]
    ours = _cells(card, "`image_audio` (released)", "here")
    assert ours == [str(len(values)), *expected]
    theirs = _cells(card, "`image_audio`", "paper")
    assert theirs == ["105,884", "-0.0216", "0.1864", "0.5518", "0.0697"]


def test_the_tail_and_the_licences_are_counted(released: Path, card: str) -> None:
    rows = _rows(released)
    lowest = np.percentile([row["similarity"] for row in rows], 1)
    assert f"similarity below {lowest:.4f}" in card
    licences = {row["artwork_license"] for row in rows} | {row["track_license"] for row in rows}
    for licence in licences:
        counts = _cells(card, licence)[:2]
        assert counts == [
            str(sum(row[column] == licence for row in rows))
            for column in ("artwork_license", "track_license")
        ]


def test_every_column_has_a_type_and_a_meaning(released: Path, card: str) -> None:
    for config, held in by_config(parts(released)).items():
        for column in columns(config, held[0].schema):
            assert column.meaning, f"{config}: {column.name}"
            assert f"| `{column.name}` | {column.kind} | {column.meaning} |" in card
    kinds = {one.name: one.kind for one in columns(DEFAULT, parts(released)[0].schema)}
    assert kinds["image"] == "image"
    assert kinds["music_genres"] == "list of string"


def test_every_model_stands_beside_its_columns(card: str) -> None:
    for role, name in columns_behind(Recipe.read("lite")):
        assert f"`{name}`" in _cells(card, role.replace("_", " "))[0]


# -- the same tables, the same bytes ------------------------------------------------------------


def test_it_is_the_same_wherever_it_is_written(released: Path, tmp_path: Path) -> None:
    again = _bare(released, tmp_path / "elsewhere")
    write_card(again, _facts(released))
    for name in WRITTEN:
        assert (again / name).read_bytes() == (released / name).read_bytes(), name


def test_it_names_no_path_or_host(released: Path, built: Workspace) -> None:
    text = "".join((released / name).read_text("utf-8") for name in WRITTEN[:2])
    for secret in (str(built.root), str(released), str(Path.home()), socket.gethostname()):
        assert secret not in text


# -- the picture --------------------------------------------------------------------------------


def test_the_picture_shows_three_pairs(released: Path, card: str) -> None:
    assert f"]({PICTURE})" in card
    picture = Image.open(released / PICTURE).convert("RGB")
    assert picture.width == 1200
    pixels = np.asarray(picture, np.int16)
    third = picture.height // 3
    for top in range(0, picture.height, third):
        artwork = pixels[top + 40 : top + third - 40, 100:320]
        assert artwork.std() > 15  # a picture, not paper
    shown = re.findall(r"similarity (-?\d\.\d{4}), `(.+?)`", card)
    similarity = {row["pair_id"]: row["similarity"] for row in _rows(released)}
    assert [float(value) for value, _ in shown] == [
        round(similarity[pair_id], 4) for _, pair_id in shown
    ]
    assert float(shown[0][0]) == round(max(similarity.values()), 4)


def test_artworks_that_may_not_be_changed_are_not_shown(released: Path, tmp_path: Path) -> None:
    folder = _bare(released, tmp_path / "closed")
    _change(folder, "artwork_license", "CC-BY-NC-ND-4.0")
    write_card(folder, _facts(released))
    text = (folder / "README.md").read_text("utf-8")
    assert not (folder / PICTURE).exists()
    assert "No picture: no artwork here has a licence" in text
    assert _cells(text, "CC-BY-NC-ND-4.0")[2:] == ["yes", "no", "no", "no"]
    assert "0 (0.0 %) may be passed on with changes" in text


# -- what else a release can be -----------------------------------------------------------------


def test_without_media_it_says_how_to_fill_them_in(released: Path, tmp_path: Path) -> None:
    folder = _bare(released, tmp_path / "light")
    write_card(folder, _facts(released) | {"media": "none"})
    text = (folder / "README.md").read_text("utf-8")
    assert "artsound hydrate RELEASE --artworks ARTGRAPH --tracks FMA --out FULL" in text
    assert "No picture: this release carries no media" in text
    assert not (folder / PICTURE).exists()


def test_what_the_licences_made_it_drop_is_said(released: Path, tmp_path: Path) -> None:
    folder = _bare(released, tmp_path / "permissive")
    dropped = {"CC-BY-NC-ND-3.0": 1234, "LicenseRef-unknown": 5}
    write_card(folder, _facts(released) | {"version": "1.2.0", "dropped_by_license": dropped})
    text = (folder / "README.md").read_text("utf-8")
    assert (
        "these dropped, by licence:\n\n- CC-BY-NC-ND-3.0: 1,234\n- LicenseRef-unknown: 5\n" in text
    )
    assert "- **Version:** 1.2.0" in text


def test_non_commercial_weights_are_named_with_their_columns(
    released: Path, tmp_path: Path
) -> None:
    folder = _bare(released, tmp_path / "barred")
    facts = _facts(released)
    facts["models"] = [
        model | ({"license": "CC-BY-NC-SA-4.0"} if model["role"] == "embedder" else {})
        for model in facts["models"]
    ]
    write_card(folder, facts)
    text = (folder / "README.md").read_text("utf-8")
    assert "- `lite-conse` (CC-BY-NC-SA-4.0): `similarity`, `artwork_id`, `track_id`" in text
    assert "have no licence that forbids" not in text


def test_what_a_source_says_stays_text(released: Path, tmp_path: Path) -> None:
    folder = _bare(released, tmp_path / "odd")
    _change(folder, "style", "a|b <script> *c*")
    write_card(folder, _facts(released))
    text = (folder / "README.md").read_text("utf-8")
    assert r"a\|b &lt;script> \*c\*" in text
    assert "<script>" not in text


# -- the parts ----------------------------------------------------------------------------------


def test_the_citation_is_that_of_the_software() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert cited["authors"] == [{"name": MAKER}]
    work = cited["preferred-citation"]
    assert work["title"] == paper.TITLE
    assert work["url"] == paper.URL
    assert work["year"] == paper.YEAR
    names = tuple((one["family-names"], one["given-names"]) for one in work["authors"])
    assert names == paper.AUTHORS
    assert paper.bibtex().isascii()


def test_the_papers_captions_add_up() -> None:
    for captions, items in ((paper.IMAGE_CAPTIONS, 116_475), (paper.AUDIO_CAPTIONS, 105_884)):
        assert captions.above + captions.below == items
        assert all(one.minimum <= one.mean <= one.maximum for one in captions.figures.values())


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50), st.randoms(use_true_random=False))
def test_figures_are_numpys_in_any_order(values: list[float], random: Any) -> None:
    found = figures(np.array(values))
    assert found is not None
    assert found.mean == pytest.approx(np.mean(values), abs=1e-12)
    assert found.sd == pytest.approx(np.std(values), abs=1e-9)
    assert (found.n, found.minimum, found.maximum) == (len(values), min(values), max(values))
    random.shuffle(values)
    assert figures(np.array(values)) == found


def test_figures_of_nothing() -> None:
    assert figures(np.empty(0)) is None


def test_numbers_do_not_depend_on_the_shards(released: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(released, folder)
    (path,) = (folder / "data").glob("train-*.parquet")
    table = pq.read_table(path)
    path.unlink()
    for number in range(3):
        name = f"train-{number:05d}-of-00003.parquet"
        pq.write_table(table.slice(number * 10, 10), path.with_name(name), row_group_size=4)
    whole, cut = (by_config(parts(where))[DEFAULT] for where in (released, folder))
    assert pair_statistics(cut) == pair_statistics(whole)


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("CC0-1.0", Terms(True, True, True, credit=False)),
        ("CC-BY-4.0", Terms(True, True, True)),
        ("CC-BY-SA-3.0-DE", Terms(True, True, True, share_alike=True)),
        ("CC-BY-NC-SA-3.0", Terms(True, True, False, share_alike=True)),
        ("CC-BY-ND-3.0", Terms(True, False, True)),
        ("LicenseRef-CC-BY-NC-ND", Terms(True, False, False)),
        ("GPL-2.0-or-later", Terms(True, True, True, share_alike=True)),
        ("LicenseRef-public-domain OR GPL-3.0-only", Terms(True, True, True, credit=False)),
        ("MIT AND CC-BY-NC-4.0", Terms(True, True, False)),
        ("LicenseRef-unknown", Terms()),
        ("", Terms()),
        (None, Terms()),
    ],
)
def test_terms(licence: str | None, expected: Terms) -> None:
    assert terms(licence) == expected


def test_non_commercial() -> None:
    assert non_commercial("CC-BY-NC-SA-4.0")
    assert non_commercial("Apache-2.0 AND CC-BY-NC-4.0")
    assert non_commercial("Stability AI Non-Commercial")
    assert not non_commercial("Apache-2.0 AND ISC")
    assert not non_commercial("LicenseRef-TENCENT")
