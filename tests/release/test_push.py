"""`artsound push` against a Hub on this machine, over HTTP: sent, resumed, refused, explained."""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from artsound.release.plan import COMMIT_FILES, Change, batches
from tests.hub import READ, WRITE, LocalHub
from tests.hub_store import Blob, Fault, Repo
from tests.tiny_release import write_tiny_manifest, write_tiny_release

REPO = "me/artsound"
# The command line, with the waits between attempts shortened where a test does not measure them.
HASTY = (
    "import sys, time; real = time.sleep; time.sleep = lambda s: real(min(s, 0.02));"
    "from artsound.cli import main; main()"
)


@dataclass
class Client:
    """Runs the command line in processes of its own, and remembers all that they printed."""

    hub: LocalHub
    home: Path
    printed: list[str] = field(default_factory=list)

    def start(self, *arguments: object, token: str | None = WRITE) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", HASTY, *map(str, arguments)],
            env=self.hub.environment(self.home, token),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: object, token: str | None = WRITE, code: int = 0) -> str:
        process = self.start(*arguments, token=token)
        out, err = process.communicate(timeout=60)
        self.printed += [out, err]
        assert process.returncode == code, out + err
        return out + err

    def refused(self, *arguments: object, token: str | None = WRITE, code: int = 1) -> str:
        """Return the one line with which the command failed."""
        lines = self.run(*arguments, token=token, code=code).splitlines()
        assert not any("Traceback" in line for line in lines)
        (line,) = [line for line in lines if line.startswith("artsound: ")]
        return line


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_release(tmp_path_factory.mktemp("tiny") / "release")


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        yield hub


@pytest.fixture
def client(hub: LocalHub, tmp_path: Path) -> Iterator[Client]:
    client = Client(hub, tmp_path / "home")
    yield client
    # Whatever a test did, no token is in what was printed or written.
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for token in (WRITE, READ, "hf_wrong"):
        assert not any(token in text for text in client.printed)
        assert not any(token.encode() in data for data in written)


def same(repo: Repo, folder: Path, revision: str = "main") -> bool:
    """Say whether a repository has a folder's files, byte for byte, and no others."""
    files = {path: blob.data for path, blob in repo.files(revision).items() if path[0] != "."}
    local = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    return files == local


def test_push_then_push_again_with_nothing_to_do(hub: LocalHub, client: Client, tiny: Path) -> None:
    planned = client.run("push", tiny, REPO, "--dry-run", token=None)
    assert "would push 6 new" in planned
    assert "data/train-00000-of-00002.parquet" in planned
    assert not hub.sent("POST|PUT")
    assert "pushed 6 new" in client.run("push", tiny, REPO, "--private", "--tag", "v1")
    repo = hub.repos[REPO]
    assert same(repo, tiny)
    assert repo.private
    assert len(repo.commits) == 2  # the Hub's own first one, and the push
    assert repo.tags == {"v1": repo.branches["main"]}
    hub.requests.clear()
    assert "nothing to do" in client.run("push", tiny, REPO, "--tag", "v1")
    assert not hub.sent("POST|PUT")


def test_another_release_replaces_the_first_in_one_commit(
    hub: LocalHub, client: Client, tiny: Path, tmp_path: Path
) -> None:
    client.run("push", tiny, REPO, "--tag", "v1")
    second = write_tiny_release(tmp_path / "second", pairs=12, shards=3, note="More of it.")
    hub.requests.clear()
    planned = client.run("push", second, REPO, "--dry-run")
    assert re.search(r"deleted +0 +data/train-00001-of-00002", planned)
    assert re.search(r"new +0 +data/train-00000-of-00003", planned)  # the Hub has these bytes
    assert re.search(r"changed +[\d,]+ +README", planned)
    line = "pushed 3 new, 4 changed, 2 deleted"
    assert line in client.run("push", second, REPO)
    assert same(hub.repos[REPO], second)
    assert same(hub.repos[REPO], tiny, "v1")
    assert len(hub.sent("POST .*/commit/")) == 1
    # Two of the three shards, and the test row, are new bytes; one the Hub had under another name.
    assert len(hub.sent("PUT")) == len(set(hub.sent("PUT"))) == 3
    assert "v1" in client.refused("push", tiny, REPO, "--tag", "v1", code=2)
    assert same(hub.repos[REPO], second)


def test_a_branch_is_made_and_the_main_one_left_alone(
    hub: LocalHub, client: Client, tiny: Path, tmp_path: Path
) -> None:
    client.run("push", tiny, REPO)
    second = write_tiny_release(tmp_path / "second", pairs=4, shards=1)
    client.run("push", second, REPO, "--revision", "next")
    assert same(hub.repos[REPO], second, "next")
    assert same(hub.repos[REPO], tiny)
    client.run("push", tiny, "me/other", "--revision", "next")
    assert same(hub.repos["me/other"], tiny, "next")


def test_a_line_that_breaks_at_any_byte_is_taken_up_again(
    hub: LocalHub, client: Client, tiny: Path
) -> None:
    random_bytes = random.Random(0)
    hub.faults = [Fault("PUT /lfs/", after=random_bytes.randrange(150_000)) for _ in range(8)]
    client.run("push", tiny, REPO)
    assert same(hub.repos[REPO], tiny)
    assert not any(fault.times for fault in hub.faults)


def test_a_line_that_stays_broken_fails_and_a_later_run_sends_the_rest(
    hub: LocalHub, client: Client, tiny: Path
) -> None:
    largest = max(tiny.glob("data/*"), key=lambda path: path.stat().st_size)
    oid = Blob(largest.read_bytes(), lfs=True).sha256
    hub.faults = [Fault(f"PUT /lfs/{oid}", after=5_000, times=99)]
    line = client.refused("push", tiny, REPO)
    assert "run the same command again" in line
    sent = set(hub.large)
    assert sent
    assert oid not in sent
    hub.faults.clear()
    hub.requests.clear()
    client.run("push", tiny, REPO)
    assert same(hub.repos[REPO], tiny)
    assert not {line.removeprefix("PUT /lfs/") for line in hub.sent("PUT")} & sent


@pytest.mark.parametrize("line", ["PUT /lfs/", "POST .*/commit/"])
def test_a_push_that_is_killed_continues(
    hub: LocalHub, client: Client, tiny: Path, line: str
) -> None:
    killed = threading.Event()
    started: list[subprocess.Popen[str]] = []
    ready = threading.Event()

    def kill() -> None:
        ready.wait(10)
        started[0].send_signal(signal.SIGKILL)
        started[0].wait()
        killed.set()

    hub.faults = [Fault(line, after=3_000, hook=kill)]
    started.append(client.start("push", tiny, REPO))
    ready.set()
    assert killed.wait(30)
    client.printed += started[0].communicate()
    sent = set(hub.large)
    hub.requests.clear()
    client.run("push", tiny, REPO)
    assert same(hub.repos[REPO], tiny)
    assert not {line.removeprefix("PUT /lfs/") for line in hub.sent("PUT")} & sent
    assert "as the manifest says" in client.run("verify", REPO)


def test_a_busy_hub_is_asked_again(hub: LocalHub, client: Client, tiny: Path) -> None:
    lines = [
        *("POST .*/create", "POST .*/validate-yaml", "POST .*/preupload", "POST .*/batch"),
        *("PUT /lfs/", "POST .*/commit/", "GET .*/refs", "GET .*/tree", "POST .*/tag/"),
    ]
    busy = {"Retry-After": "1"}
    hub.faults = [Fault(line, status=503, headers=busy) for line in lines]
    hub.faults += [Fault(line, status=429, headers=busy) for line in lines]
    client.run("push", tiny, REPO)
    assert same(hub.repos[REPO], tiny)
    client.run("push", tiny, REPO, "--tag", "v1")
    assert not any(fault.times for fault in hub.faults)
    assert hub.repos[REPO].tags


def test_retry_after_is_waited_for(hub: LocalHub, client: Client, tiny: Path) -> None:
    hub.faults = [Fault("POST .*/commit/", status=429, headers={"Retry-After": "2"})]
    times: list[float] = []
    hub.faults.insert(0, Fault("POST .*/create", status=503, headers={"Retry-After": "1"}))
    for fault in hub.faults:
        fault.hook = lambda: times.append(time.monotonic())
    hub.faults.append(
        Fault("POST .*/tag/", status=500, hook=lambda: times.append(time.monotonic()))
    )
    process = subprocess.run(
        [sys.executable, "-m", "artsound.cli", "push", str(tiny), REPO, "--tag", "v1"],
        env=hub.environment(client.home),
        capture_output=True,
        text=True,
        check=True,
    )
    client.printed += [process.stdout, process.stderr]
    assert times[1] - times[0] >= 1
    assert times[2] - times[1] >= 2
    assert "asks for a pause (429): trying again in 2 s" in process.stderr
    assert same(hub.repos[REPO], tiny)


def test_a_hub_that_stays_busy_is_given_up(hub: LocalHub, client: Client, tiny: Path) -> None:
    hub.faults = [Fault("POST .*/commit/", status=503, times=99)]
    line = client.refused("push", tiny, REPO)
    assert "too busy" in line
    assert "(503)" in line
    assert 99 - hub.faults[0].times == 6
    hub.faults = [Fault("POST .*/commit/", status=429, headers={"Retry-After": "86400"}, times=99)]
    assert "asks to wait 86400 s" in client.refused("push", tiny, REPO)
    assert hub.faults[0].times == 98


def test_a_commit_whose_answer_got_lost_is_not_made_twice(
    hub: LocalHub, client: Client, tiny: Path
) -> None:
    hub.faults = [Fault("POST .*/commit/", status=502, late=True)]
    client.run("push", tiny, REPO)
    assert same(hub.repos[REPO], tiny)
    assert len(hub.repos[REPO].commits) == 2


def test_a_change_by_somebody_else_is_not_overwritten(
    hub: LocalHub, client: Client, tiny: Path
) -> None:
    def interfere() -> None:
        repo = hub.repos[REPO]
        repo.commit("main", repo.files() | {"README.md": Blob(b"theirs", lfs=False)})

    client.run("push", tiny, REPO)
    (repo := hub.repos[REPO]).commit("main", {**repo.files(), "old.parquet": Blob(b"x", lfs=True)})
    hub.faults = [Fault("POST .*/commit/", status=503, hook=interfere)]
    assert "changed while" in client.refused("push", tiny, REPO)
    assert "pushed 1 changed, 1 deleted" in client.run("push", tiny, REPO)
    assert same(repo, tiny)


def test_tokens_that_do_not_serve(hub: LocalHub, client: Client, tiny: Path) -> None:
    for token, said in (
        ("hf_wrong", "the Hub refuses the token"),
        (READ, f"the token lacks a permission that {REPO} needs"),
        (None, "there is no token"),
    ):
        line = client.refused("push", tiny, REPO, token=token)
        assert said in line
        assert "HF_TOKEN" in line
    assert "characters" in client.refused("push", tiny, REPO, token="hf_wrong\x01", code=2)
    client.run("push", tiny, REPO, "--private")
    assert "there is no token" in client.refused("verify", REPO, token=None)
    debug = client.run("push", tiny, "me/second", "--debug", token="hf_wrong", code=1)
    assert "Traceback" in debug


def test_other_content_is_refused_unless_replaced(
    hub: LocalHub, client: Client, tiny: Path
) -> None:
    theirs = {"notes.txt": Blob(b"mine", lfs=False), "manifest.json": Blob(b"[1]", lfs=False)}
    hub.repos[REPO] = repo = Repo(private=False)
    before = repo.commit("main", {".gitattributes": Blob(b"", lfs=False), **theirs})
    line = client.refused("push", tiny, REPO, code=2)
    assert "2 files and no ArtSound release" in line
    assert "--replace" in line
    assert "is public" in client.refused("push", tiny, REPO, "--private", "--replace", code=2)
    assert repo.branches == {"main": before}
    planned = client.run("push", tiny, REPO, "--replace", "--dry-run")
    assert re.search(r"deleted +0 +notes.txt", planned)
    client.run("push", tiny, REPO, "--replace")
    assert same(repo, tiny)
    assert ".gitattributes" in repo.files()


def test_what_is_wrong_here_is_found_before_anything_is_sent(
    hub: LocalHub, client: Client, tiny: Path, tmp_path: Path
) -> None:
    assert "not a repository's name" in client.refused("push", tiny, "artsound", code=2)
    assert "no release" in client.refused("push", tmp_path, REPO, code=2)
    copy = shutil.copytree(tiny, tmp_path / "copy")
    card = copy / "README.md"
    card.write_text(card.read_text().replace("license: other", "licence: 1"))
    line = client.refused("push", copy, REPO)
    assert "README.md" in line
    assert "release again" in line
    write_tiny_manifest(copy)
    assert '"licence" is not a key' in client.refused("push", copy, REPO)
    assert not hub.sent("PUT|create|commit")
    hub.endpoint = "http://127.0.0.1:9"
    line = client.refused("push", tiny, REPO)
    assert "check the network and HF_ENDPOINT" in line


def test_a_push_cut_between_its_commits_continues(
    hub: LocalHub, client: Client, tmp_path: Path
) -> None:
    many = write_tiny_release(tmp_path / "many", pairs=205, shards=205, seconds=0.01)
    client.run("push", write_tiny_release(tmp_path / "old", pairs=3, shards=1), REPO)

    hub.faults = [Fault("POST .*/commit/", status=403, skip=1)]
    client.refused("push", many, REPO)
    repo = hub.repos[REPO]
    assert not same(repo, many)
    assert "missing" in client.run("verify", REPO, code=1)
    commits = len(repo.commits)
    hub.requests.clear()
    client.run("push", many, REPO)
    assert not hub.sent("PUT")
    assert len(repo.commits) == commits + 1
    assert same(repo, many)


def test_a_large_release_takes_several_commits_the_card_and_the_deletions_last() -> None:
    shards = [Change(f"data/train-{n:05d}.parquet", "new", 1, "0") for n in range(450)]
    send = [Change("README.md", "changed", 1, "0"), *shards, Change("manifest.json", "new", 1, "0")]
    delete = [Change("old.parquet", "deleted", 0, None)]
    commits = list(batches(send, delete))
    assert [len(batch) for batch in commits] == [200, 200, 51, 2]
    assert commits[0][0].path == "manifest.json"
    assert [change.path for change in commits[-1]] == ["README.md", "old.parquet"]
    assert max(map(len, commits)) <= COMMIT_FILES
    assert [change for batch in commits for change in batch if change.kind == "new"][1:] == shards
    assert list(batches([], [])) == []
    assert len(list(batches(shards[:3], delete))) == 1
