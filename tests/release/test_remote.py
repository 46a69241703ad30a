"""`artsound verify` of a repository: every way in which it can differ from its manifest."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from artsound.release.hub import is_repo_id
from artsound.release.remote import git_blob_id
from tests.hub import WRITE, LocalHub
from tests.hub_store import Blob, Fault, Repo
from tests.tiny_release import write_tiny_release

REPO = "me/artsound"
SHARD = "data/train-00001-of-00002.parquet"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_release(tmp_path_factory.mktemp("remote") / "release")


@pytest.fixture
def hub(tiny: Path) -> Iterator[LocalHub]:
    """Return a Hub that has the release already."""
    with LocalHub() as hub:
        repo = hub.repos[REPO] = Repo(private=False)
        files = {
            path.relative_to(tiny).as_posix(): Blob(path.read_bytes(), path.suffix == ".parquet")
            for path in tiny.rglob("*")
            if path.is_file()
        }
        repo.commit("main", files | {".gitattributes": Blob(b"", lfs=False)})
        repo.tags["v1"] = repo.branches["main"]
        yield hub


def verify(hub: LocalHub, home: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "artsound.cli", "verify", *arguments],
        env=hub.environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert WRITE not in done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_whole_release_is_found_whole_without_downloading_shards(
    hub: LocalHub, tmp_path: Path
) -> None:
    assert "all 5 files" in verify(hub, tmp_path, REPO)
    assert not hub.sent("parquet")
    hub.faults = [Fault("GET .*/resolve/.*README", status=503, headers={"Retry-After": "0"})]
    assert "all 5 files" in verify(hub, tmp_path, REPO, "--download", "--revision", "v1")
    assert len(hub.sent("GET .*/resolve/.*parquet")) == 4
    assert not any(tmp_path.rglob("*.parquet"))


def test_every_difference_is_listed(hub: LocalHub, tmp_path: Path) -> None:
    repo = hub.repos[REPO]
    files = dict(repo.files())
    shard = files[SHARD].data
    files[SHARD] = Blob(shard[:-1] + b"?", lfs=True)
    files["data/test-00000-of-00001.parquet"] = Blob(shard[:99], lfs=True)
    files["README.md"] = Blob(files["README.md"].data.replace(b"tiny", b"TINY"), lfs=False)
    files["old.parquet"] = Blob(b"old", lfs=True)
    del files["tracks/train-00000-of-00001.parquet"]
    repo.commit("main", files)
    text = verify(hub, tmp_path, REPO, code=1)
    for line in (
        f"{SHARD}: the checksum differs",
        "data/test-00000-of-00001.parquet: 99 bytes, expected",
        "README.md: the checksum differs",
        "old.parquet: not in the manifest",
        "tracks/train-00000-of-00001.parquet: missing",
        "artsound: me/artsound: 5 files differ from the manifest",
    ):
        assert line in text
    assert "all 5 files" in verify(hub, tmp_path, REPO, "--revision", "v1")


def test_bytes_that_are_not_their_checksum_are_found_by_downloading(
    hub: LocalHub, tmp_path: Path
) -> None:
    class Rotten(Blob):
        """A file that the Hub lists as it was, and serves as it is not."""

        @property
        def sha256(self) -> str:
            return whole.sha256

    files = dict(hub.repos[REPO].files())
    whole = files[SHARD]
    files[SHARD] = Rotten(whole.data[:-1] + b"?", lfs=True)
    hub.repos[REPO].commit("main", files)
    assert "all 5 files" in verify(hub, tmp_path, REPO)
    assert f"{SHARD}: the checksum differs" in verify(hub, tmp_path, REPO, "--download", code=1)


def test_a_download_that_breaks_off_goes_on_from_there(hub: LocalHub, tmp_path: Path) -> None:
    hub.faults = [Fault(f"GET .*/resolve/.*{SHARD}", after=20_000, answer=True)]
    assert "all 5 files" in verify(hub, tmp_path, REPO, "--download")
    assert len(hub.sent(f"GET .*/resolve/.*{SHARD}")) == 2


def test_what_cannot_be_verified_says_why(hub: LocalHub, tiny: Path, tmp_path: Path) -> None:
    hub.repos["me/other"] = Repo(private=False)
    hub.repos["me/other"].commit("main", {"notes.txt": Blob(b"x", lfs=False)})
    for arguments, code, said in (
        (["me/other"], 2, "holds no release"),
        (["me/nothing"], 1, "me/nothing is not on the Hub, or is private"),
        ([REPO, "--revision", "v9"], 2, "has no such revision"),
        ([str(tiny), "--download"], 2, "is no repository"),
        ([str(tmp_path)], 2, "is no release"),
    ):
        assert said in verify(hub, tmp_path / "home", *arguments, code=code)
    assert "all 5 files" in verify(hub, tmp_path / "home", str(tiny))


def test_names_and_blob_ids() -> None:
    assert is_repo_id("me/artsound-1.0")
    assert not any(map(is_repo_id, ("artsound", "a/b/c", "/a/b", "a b/c", "../a")))
    # What `git hash-object` says of an empty file, and of one line.
    assert git_blob_id(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert git_blob_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
