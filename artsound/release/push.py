"""`artsound push`: a release's folder to a dataset repository on the Hub, in as few commits as fit.

The repository ends up with the release's files and no others. Large files are stored first, by
their checksum, and are not sent again by a later run; a commit then makes them appear together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from artsound.errors import ArtsoundError
from artsound.release.hub import (
    Say,
    check_repo_id,
    explained,
    has_token,
    hub_api,
    patiently,
    silent,
)
from artsound.release.manifest import NAME, read_manifest, verify
from artsound.release.plan import CARD, Change, Plan, batches, groups, look, make_plan
from artsound.release.remote import list_files
from artsound.workspace import file_sha256

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

_CHANGED_MEANWHILE: Final = 412


@dataclass(frozen=True)
class Pushed:
    """What a push did, or in a dry run would do.

    Attributes:
        plan: what there was to do.
        commits: how many commits were made.
        url: where the dataset is.
    """

    plan: Plan
    commits: int
    url: str

    def summary(self, *, dry_run: bool = False) -> str:
        """Return what was done in one line."""
        if self.plan.nothing_to_do:
            same = len(self.plan.of("unchanged"))
            return f"nothing to do: {self.url} has all {same} files already"
        counts = [
            f"{len(found)} {kind}"
            for kind in ("new", "changed", "deleted", "unchanged")
            if (found := self.plan.of(kind))
        ]
        done = "would push" if dry_run else "pushed"
        tag = f", tag {self.plan.tag}" if self.plan.tag else ""
        return f"{done} {', '.join(counts)} ({self.plan.send / 1e6:,.1f} MB{tag}): {self.url}"


def push(
    folder: Path,
    repo_id: str,
    *,
    private: bool = False,
    revision: str | None = None,
    tag: str | None = None,
    replace: bool = False,
    dry_run: bool = False,
    say: Say = silent,
) -> Pushed:
    """Make a dataset repository hold a release: its files, and no others.

    Run again after whatever cut it short, it continues: stored files are not sent again. The token
    is that of HF_TOKEN or of `hf auth login`.

    Args:
        folder: the release; it is checked against its manifest first.
        repo_id: `NAMESPACE/NAME`; made if there is none.
        private: make it private; a public one that exists is refused.
        revision: the branch to push to, made if there is none; the main branch if None.
        tag: a name for the pushed state.
        replace: allow the repository's other content, which is no release, to be deleted.
        dry_run: only find out what would be done.
        say: told what takes time.

    Raises:
        UsageError: the folder is no release, or the repository, its visibility or its tag is in
            the way.
        ArtsoundError: the release is not as its manifest says; there is no network or no
            permission; or the Hub stayed busy.
    """
    check_repo_id(repo_id)
    if not (has_token() or dry_run):
        raise ArtsoundError("there is no token to push with: set HF_TOKEN, or run `hf auth login`")
    local = _local_files(folder, say)
    with explained(repo_id):
        api = hub_api()
        found = look(api, repo_id, revision, private=private, replace=replace, say=say)
        plan = make_plan(api, repo_id, folder, local, found, tag, say)
        url = f"{api.endpoint}/datasets/{repo_id}"
        if dry_run or plan.nothing_to_do:
            return Pushed(plan, 0, url)
        if any(change.path == CARD for change in plan.of("new", "changed")):
            _check_card(folder, say)
        head = plan.head
        if head is None or plan.branch:
            if head is None:
                _make_repo(api, repo_id, private=private, say=say)
            if revision is not None:
                _make_branch(api, repo_id, revision, say)
            # A commit that names its parent cannot be made twice, whatever answers get lost.
            again = look(api, repo_id, revision, private=private, replace=replace, say=say)
            head = again.head
        sender = _Sender(api, repo_id, revision, folder, head, say)
        sender.send(plan)
        if plan.tag:
            _make_tag(api, repo_id, plan.tag, sender.head, say)
    return Pushed(plan, sender.commits, url)


def _local_files(folder: Path, say: Say) -> dict[str, str]:
    """Return the SHA-256 of every file of a release that is as its manifest says."""
    files = read_manifest(folder)["files"]
    say(f"checking {len(files)} files of {folder} against their checksums")
    problems = verify(folder)
    if problems:
        raise ArtsoundError(
            f"{folder} is not as its manifest says ({problems[0]}; {len(problems)} in all):"
            f" `artsound verify {folder}` lists them; release again"
        )
    checksums = {name: facts["sha256"] for name, facts in files.items()}
    return checksums | {NAME: file_sha256(folder / NAME)}


def _make_repo(api: HfApi, repo_id: str, *, private: bool, say: Say) -> None:
    def make() -> object:
        return api.create_repo(repo_id, repo_type="dataset", private=private or None, exist_ok=True)

    patiently(make, say)


def _make_branch(api: HfApi, repo_id: str, branch: str, say: Say) -> None:
    def make() -> None:
        api.create_branch(repo_id, branch=branch, repo_type="dataset", exist_ok=True)

    patiently(make, say)


def _make_tag(api: HfApi, repo_id: str, tag: str, commit: str | None, say: Say) -> None:
    def make() -> None:
        api.create_tag(repo_id, tag=tag, revision=commit, repo_type="dataset", exist_ok=True)

    patiently(make, say)


def _check_card(folder: Path, say: Say) -> None:
    """Ask the Hub whether it takes the card, before anything large is sent."""
    from huggingface_hub import DatasetCard

    try:
        card = DatasetCard.load(folder / CARD)
        patiently(card.validate, say)
    except ValueError as error:
        raise ArtsoundError(
            f"{folder / CARD}: the Hub does not take its header: {' '.join(str(error).split())}"
        ) from error


class _Sender:
    """Carries out a plan, a commit at a time.

    Attributes:
        head: the branch's newest commit.
        commits: how many commits it has made.
    """

    def __init__(
        self,
        api: HfApi,
        repo_id: str,
        revision: str | None,
        folder: Path,
        head: str | None,
        say: Say,
    ) -> None:
        self.head = head
        self.commits = 0
        self._api = api
        self._repo_id = repo_id
        self._revision = revision
        self._folder = folder
        self._say = say

    def send(self, plan: Plan) -> None:
        """Send the new and changed files, and delete what the release has not."""
        parts = list(batches(plan.of("new", "changed"), plan.of("deleted")))
        for number, batch in enumerate(parts, 1):
            part = f" (part {number} of {len(parts)})" if len(parts) > 1 else ""
            additions = {
                change.path: self._addition(change) for change in batch if change.kind != "deleted"
            }
            for group in groups([change for change in batch if change.kind != "deleted"]):
                total = sum(change.send for change in group)
                self._say(f"sending {len(group)} files, {total / 1e6:,.1f} MB{part}")
                self._api.preupload_lfs_files(
                    self._repo_id,
                    additions=[additions[change.path] for change in group],
                    repo_type="dataset",
                    revision=self._revision,
                    free_memory=False,
                )
            self._commit(batch, additions, f"Push a release of ArtSound{part}")

    def _addition(self, change: Change) -> CommitOperationAdd:
        from huggingface_hub import CommitOperationAdd

        addition = CommitOperationAdd(change.path, self._folder / change.path)
        # The manifest was just checked: this saves reading every file once more.
        addition.upload_info.sha256 = bytes.fromhex(str(change.sha256))
        return addition

    def _commit(
        self,
        batch: Sequence[Change],
        additions: Mapping[str, CommitOperationAdd],
        message: str,
    ) -> None:
        from huggingface_hub import CommitOperationDelete
        from huggingface_hub.errors import HfHubHTTPError

        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationDelete(change.path) for change in batch if change.kind == "deleted"
        ]
        operations += additions.values()

        def commit() -> Any:
            return self._api.create_commit(
                self._repo_id,
                operations,
                commit_message=message,
                repo_type="dataset",
                revision=self._revision,
                parent_commit=self.head,
            )

        try:
            self.head = patiently(commit, self._say).oid
        except HfHubHTTPError as error:
            # Where an answer got lost, asking again finds the branch moved on: by this very commit.
            if error.response.status_code != _CHANGED_MEANWHILE or not self._is_done(batch):
                raise
        self.commits += 1

    def _is_done(self, batch: Sequence[Change]) -> bool:
        """Say whether the repository is as a batch would have it, and remember its commit."""
        info = self._api.dataset_info(self._repo_id, revision=self._revision)
        files = list_files(self._api, self._repo_id, str(info.sha))
        for change in batch:
            there = files.get(change.path)
            if change.sha256 is None:
                done = there is None
            else:
                path = self._folder / change.path
                done = there is not None and there.is_file(path, change.sha256)
            if not done:
                return False
        self.head = str(info.sha)
        return True
