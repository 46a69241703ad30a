"""The short forms of the endurance scripts."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from artsound.pairing import match
from artsound.schema import Status
from artsound.sources.isolated import Decoder, DecoderError
from artsound.sources.limits import MediaLimits
from artsound.workspace import Workspace
from tests.endurance import candidates, disk, endpoint, hostile, kill, soak
from tests.endurance.archives import write_artgraph, write_fma
from tests.endurance.commands import Process
from tests.endurance.compare import contents, different, leftovers
from tests.endurance.ledger import Ledger
from tests.endurance.media import clips, images
from tests.sources.helpers import picture, saved

LIMITS = MediaLimits()
GOOD = saved(picture(), "JPEG")


@pytest.fixture(scope="module")
def large() -> bytes:
    """A picture that takes a good part of a second to decode."""
    return saved(Image.new("RGB", (13_000, 13_000)), "PNG", compress_level=1)


def test_a_decoder_that_works_too_long_costs_one_file(large: bytes) -> None:
    decoder = Decoder("image")
    decoder.check(b"", "", LIMITS)
    decoder.seconds = 0.05
    with pytest.raises(DecoderError, match=r"took the decoder over 0\.05 s"):
        decoder.check(large, "", LIMITS)
    decoder.seconds = 60
    assert decoder.check(GOOD, "", LIMITS)["status"] == Status.OK
    decoder.close()


def test_a_decoder_that_is_stuck_costs_one_file() -> None:
    decoder = Decoder("image")
    decoder.check(b"", "", LIMITS)
    decoder.seconds = 0.1
    decoder.process.send_signal(signal.SIGSTOP)
    with pytest.raises(DecoderError, match=r"took the decoder over 0\.1 s"):
        decoder.check(GOOD, "", LIMITS)
    decoder.seconds = 60
    assert decoder.check(GOOD, "", LIMITS)["status"] == Status.OK
    decoder.close()


@pytest.mark.parametrize("times", [1, 2])
def test_a_decoder_that_crashes_is_replaced(large: bytes, times: int) -> None:
    decoder = Decoder("image")
    decoder.check(b"", "", LIMITS)

    def crash() -> None:
        process = None
        for _ in range(times):
            while decoder.process is process:
                threading.Event().wait(0.01)
            process = decoder.process
            while not _works(process.pid):
                threading.Event().wait(0.01)
            process.send_signal(signal.SIGSEGV)

    crasher = threading.Thread(target=crash)
    crasher.start()
    if times == 1:  # the file may not have been at fault: it is tried once more
        assert decoder.check(large, "", LIMITS)["status"] == Status.OK
    else:
        with pytest.raises(DecoderError, match=r"crashed the decoder \(signal SIGSEGV\)"):
            decoder.check(large, "", LIMITS)
    crasher.join()
    assert decoder.check(GOOD, "", LIMITS)["status"] == Status.OK
    decoder.close()


def _works(pid: int) -> bool:
    """Say whether a process has a large picture in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") > 200 << 20


def test_hostile_files_are_rows_with_reasons(tmp_path: Path) -> None:
    outcome = hostile.run(tmp_path, 120, 120)
    assert outcome.wrong == []
    assert (outcome.replaced, outcome.crashed, outcome.hung) == (0, 0, 0)
    assert hostile.EXPECTED.keys() - outcome.kinds.keys() == {"hard link member"}  # of tars


def test_a_decoder_that_the_second_try_replaces_is_counted(large: bytes, tmp_path: Path) -> None:
    pictures = [("artist_large-1900.jpg", large), *images(5)]
    artworks = write_artgraph(tmp_path / "artgraph.zip", pictures)
    tracks = write_fma(tmp_path / "fma", clips(2))

    def crash() -> None:
        log = tmp_path / "decoders"
        while not (log.exists() and log.read_text().endswith("\n")):
            threading.Event().wait(0.005)
        decoder = int(log.read_text().split()[1])
        while not _works(decoder):
            threading.Event().wait(0.005)
        os.kill(decoder, signal.SIGSEGV)

    crasher = threading.Thread(target=crash)
    crasher.start()
    starts = hostile.build(tmp_path, artworks, tracks, tmp_path / "work")
    crasher.join()
    assert starts.total() - len(starts) == 1
    rows = Workspace(tmp_path / "work").read("artworks").to_pylist()
    assert {row["status"] for row in rows} == {Status.OK}  # the rows tell nothing of it


def test_a_row_with_another_reason_than_its_kinds_is_wrong() -> None:
    outcome = hostile.Outcome()
    row = {"file_name": "x", "status": "rejected", "reason": "unsafe path: is absolute"}
    outcome.note("absolute member", row)
    assert outcome.wrong == []
    outcome.note("absolute member", row | {"status": "ok", "reason": None})
    outcome.note("noise", row | {"reason": "who knows"})
    outcome.note("noise", row | {"reason": None})
    assert len(outcome.wrong) == 3


def test_failed_captions_are_lost_and_only_further_rows_doubled() -> None:
    def row(name: str, caption: str | None) -> dict[str, Any]:
        status = "ok" if caption else "failed"
        return {"artwork_id": name, "caption": caption, "status": status}

    wanted = {"a": "one", "b": "two", "c": "three"}
    assert endpoint.judged([row(*pair) for pair in wanted.items()], wanted) == (0, 0, 0)
    assert endpoint.judged([row("a", "one"), row("b", None), row("c", "x")], wanted) == (1, 0, 1)
    rows = [row("a", "one"), row("a", "one"), row("b", "two"), row("c", "three")]
    assert endpoint.judged(rows, wanted) == (0, 1, 0)


def test_a_later_sitting_goes_on_where_one_was_killed(tmp_path: Path) -> None:
    out = tmp_path / "found.jsonl"
    first = Ledger(out, {"seed": 1})
    first.append({"kills": 3})
    out.write_bytes(out.read_bytes() + b'{"kills": ')  # killed while it wrote
    second = Ledger(out, {"seed": 1})
    assert list(second) == [{"kills": 3}]
    second.append({"kills": 4})
    assert list(Ledger(out, {"seed": 1})) == [{"kills": 3}, {"kills": 4}]
    with pytest.raises(SystemExit, match=r"found.jsonl is of a run with .*'seed': 1"):
        Ledger(out, {"seed": 2})


def test_builds_that_differ_in_more_than_seconds_are_told_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        workspace = Workspace(tmp_path / name)
        workspace.describe({"recipe": {}})
        rows = pa.table({"id": [1, 2]})
        workspace.commit("things", 0, rows, inputs="x", seconds=len(list(tmp_path.iterdir())))
    one, two = tmp_path / "one", tmp_path / "two"
    assert different(contents(one, None), contents(two, None)) == []
    marker = two / "tables" / "things" / "part-00000.json"
    marker.write_text(marker.read_text().replace('"rows": 2', '"rows": 3'))
    assert different(contents(one, None), contents(two, None)) == ["tables/things/part-00000.json"]
    marker.unlink()
    assert different(contents(one, None), contents(two, None)) == ["tables/things/part-00000.json"]
    (tmp_path / ".one.partial").mkdir()
    (two / "tables" / ".tmp-1-part").touch()
    assert leftovers(one, two) == [".one.partial", ".tmp-1-part"]


def test_a_command_that_has_ended_is_not_killed() -> None:
    ended = Process(["--version"])
    assert ended.wait(60) == 0
    assert not ended.kill()
    runs = Process(["build", "--help"])
    assert runs.kill()


def test_all_candidates_give_greedy_matching_and_few_come_near() -> None:
    audio, pictures = candidates.vectors(300, 16, 1), candidates.vectors(320, 16, 2)
    exact = match(audio, pictures, method="greedy")
    found = {
        keep: candidates.on_candidates(audio, candidates.Shards(pictures, 3), 320, keep)
        for keep in (4, 320)
    }
    assert found[320].image.tolist() == exact.image.tolist()
    assert len(found[320].rounds) == 1
    assert len(set(found[4].image.tolist())) == 300  # each image once
    assert len(found[4].rounds) > 1
    some = candidates.Shards(pictures, 3, lists=4, probes=1)
    assert len(set(candidates.on_candidates(audio, some, 320, 4).image.tolist())) == 300


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_200_kills_in_all_stages_change_no_byte(tmp_path: Path) -> None:
    out = tmp_path / "kills.jsonl"
    (tmp_path / "first").mkdir()
    kill.run(tmp_path / "first", 20, out=out)
    outcome = kill.run(tmp_path, 200, out=out)  # a second sitting
    assert outcome.kills.total() == 200
    assert (outcome.different, outcome.left) == ([], [])
    assert {kill.STARTING, kill.RELEASE, "artworks", "image_captions"} <= outcome.kills.keys()
    assert len(outcome.kills) >= 10


@pytest.mark.endurance
@pytest.mark.timeout(1200)
def test_hostile_files_in_all_forms_of_archives(tmp_path: Path) -> None:
    outcome = hostile.run(tmp_path, 600, 200, tmp_path / "found.jsonl")
    assert outcome.wrong == []
    assert (outcome.replaced, outcome.crashed, outcome.hung) == (0, 0, 0)
    assert hostile.EXPECTED.keys() <= outcome.kinds.keys()


@pytest.mark.endurance
@pytest.mark.timeout(1200)
def test_disks_that_fill_up_and_parts_that_change(tmp_path: Path) -> None:
    outcomes = disk.run(tmp_path)
    assert [outcome for outcome in outcomes if not outcome.survived] == []


@pytest.mark.endurance
@pytest.mark.timeout(1200)
def test_a_faulty_endpoint_loses_no_caption_and_doubles_none(tmp_path: Path) -> None:
    outcome = endpoint.run(tmp_path, 40, 20)
    assert outcome.struck
    assert (outcome.lost, outcome.doubled, outcome.different) == (0, 0, 0)


@pytest.mark.endurance
@pytest.mark.timeout(1800)
def test_a_soak_of_two_sittings_stays_within_its_memory(tmp_path: Path) -> None:
    out = tmp_path / "found.jsonl"
    assert not soak.Soak(tmp_path, 300, out=out).run(minutes=0.05)
    second = soak.Soak(tmp_path, 300, out=out)
    assert second.run()
    rows = soak.merged(second.ledger.rows)
    assert rows[-1]["leg"] == soak.RELEASE
    assert all(row["done"] and 0 < row["peak"] < soak.LIMIT_MIB for row in rows)
    files = [row["workspace"][0] for row in rows]
    assert files == sorted(files)
