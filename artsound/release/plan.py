"""What a push would do: a release's files beside those that its repository has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from artsound.errors import UsageError
from artsound.release.hub import Say, patiently
from artsound.release.manifest import NAME
from artsound.release.remote import HUBS_OWN, RemoteFile, list_files, read_remote_manifest

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CARD: Final = "README.md"
# The Hub advises against commits of many hundreds of files.
COMMIT_FILES: Final = 200
# What is sent between two points that a later run can continue from.
GROUP_BYTES: Final = 4_000_000_000

Kind = Literal["new", "changed", "unchanged", "deleted"]


@dataclass(frozen=True)
class Change:
    """What a push does to one file.

    Attributes:
        path: the file, from the release's folder.
        kind: what happens to it.
        send: how many bytes go over the line; none where the Hub has them under another name.
        sha256: of the local file; None where it is deleted.
    """

    path: str
    kind: Kind
    send: int
    sha256: str | None


@dataclass(frozen=True)
class Plan:
    """What a push would do.

    Attributes:
        changes: one a file, in the order of their paths.
        head: the commit that it starts from; None if there is no such repository yet.
        branch: whether the branch must be made first.
        tag: the tag that must be made, if any.
    """

    changes: tuple[Change, ...]
    head: str | None
    branch: bool
    tag: str | None

    def of(self, *kinds: Kind) -> list[Change]:
        """Return the changes of some kinds."""
        return [change for change in self.changes if change.kind in kinds]

    @property
    def send(self) -> int:
        """How many bytes go over the line."""
        return sum(change.send for change in self.changes)

    @property
    def nothing_to_do(self) -> bool:
        """Whether the repository has all of it already."""
        return not (self.head is None or self.branch or self.tag) and not self.of(
            "new", "changed", "deleted"
        )


@dataclass(frozen=True)
class Found:
    """What is on the Hub before a push.

    Attributes:
        head: the commit that the push starts from; None if there is no such repository.
        files: its files, by path.
        branch: whether the branch to push to must be made first.
    """

    head: str | None
    files: Mapping[str, RemoteFile]
    branch: bool


def look(
    api: HfApi, repo_id: str, revision: str | None, *, private: bool, replace: bool, say: Say
) -> Found:
    """Return what a repository has, once it is clear that a push may change it.

    Raises:
        UsageError: it is public and must be private, or holds something that is no release.
    """
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        info = patiently(lambda: api.dataset_info(repo_id), say)
    except RepositoryNotFoundError:
        return Found(None, {}, branch=False)
    if private and not info.private:
        raise UsageError(
            f"{repo_id} exists and is public: make it private in its settings on the Hub, choose"
            " another name, or leave out --private"
        )
    branch = False
    if revision is not None:
        try:
            info = patiently(lambda: api.dataset_info(repo_id, revision=revision), say)
        except RevisionNotFoundError:
            branch = True  # it will start from the main branch
    head = str(info.sha)
    files = list_files(api, repo_id, head)
    others = files.keys() - HUBS_OWN
    if others and not replace and read_remote_manifest(repo_id, head, files) is None:
        raise UsageError(
            f"{repo_id} holds {len(others)} files and no ArtSound release: choose another name, or"
            " say --replace to delete them"
        )
    return Found(head, files, branch)


def make_plan(
    api: HfApi,
    repo_id: str,
    folder: Path,
    local: Mapping[str, str],
    found: Found,
    tag: str | None,
    say: Say,
) -> Plan:
    """Return what makes a repository hold the files of a release.

    Args:
        api: the Hub's client.
        repo_id: `NAMESPACE/NAME`.
        folder: the release.
        local: its files, with their SHA-256.
        found: what the repository has.
        tag: the tag that the result is to have, if any.
        say: told what takes time.

    Raises:
        UsageError: the tag is on another commit.
    """
    changes = _changes(folder, local, found.files)
    wanted = None
    if tag and found.head is None:
        wanted = tag
    elif tag:
        refs = patiently(lambda: api.list_repo_refs(repo_id, repo_type="dataset"), say)
        at = {ref.name: ref.target_commit for ref in refs.tags}.get(tag)
        moves = any(change.kind != "unchanged" for change in changes)
        if at is not None and (moves or at != found.head):
            raise UsageError(
                f"{repo_id} has the tag {tag!r} already, on commit {at[:7]}: choose another"
            )
        wanted = tag if at is None else None
    return Plan(changes, found.head, found.branch, wanted)


def _changes(
    folder: Path, local: Mapping[str, str], remote: Mapping[str, RemoteFile]
) -> tuple[Change, ...]:
    stored = {file.sha256 for file in remote.values()}
    changes = []
    for path, sha256 in local.items():
        there = remote.get(path)
        if there is not None and there.is_file(folder / path, sha256):
            changes.append(Change(path, "unchanged", 0, sha256))
            continue
        send = 0 if sha256 in stored else (folder / path).stat().st_size
        changes.append(Change(path, "new" if there is None else "changed", send, sha256))
    gone = remote.keys() - local.keys() - HUBS_OWN
    changes += [Change(path, "deleted", 0, None) for path in gone]
    return tuple(sorted(changes, key=lambda change: change.path))


def batches(send: Sequence[Change], delete: Sequence[Change]) -> Iterator[list[Change]]:
    """Yield the changes a commit at a time.

    The manifest is in the first commit, so that a push that is cut short is known as a release
    with files missing; the card and the deletions are in the last.
    """
    first = [change for change in send if change.path == NAME]
    last = [change for change in send if change.path == CARD]
    middle = [change for change in send if change.path not in (NAME, CARD)]
    ordered = [*first, *middle, *last, *delete]
    if len(ordered) <= COMMIT_FILES:
        cuts = [len(ordered)] if ordered else []
    else:
        # As many deletions as there are share the last commit with the card.
        body = len(first) + len(middle)
        cuts = [*range(COMMIT_FILES, body, COMMIT_FILES), body, len(ordered)]
    start = 0
    for stop in cuts:
        if stop > start:
            yield ordered[start:stop]
        start = stop


def groups(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Yield changes in groups of at most `GROUP_BYTES` to send, but at least one."""
    group: list[Change] = []
    total = 0
    for change in changes:
        if group and total + change.send > GROUP_BYTES:
            yield group
            group, total = [], 0
        group.append(change)
        total += change.send
    if group:
        yield group
