"""Batch scripts: what sbatch is asked for, what a job runs, and what it does as its time ends."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from artsound.executors.jobs import NoSlurmError, comment, job_folder, slurm
from artsound.executors.settings import Slurm
from artsound.workspace import Workspace

STAMP: Final = "ARTSOUND_STAMP"  # names the file that a job's program writes to for each shard
_OUTPUT: Final = "output"
_GIVEN_UP: Final = "given-up.txt"

Value = str | int | bool | None


@dataclass(frozen=True)
class Batch:
    """A job, or a job array, of a workspace.

    Attributes:
        workspace: the workspace.
        stage: the stage, or `release`.
        settings: the recipe's.
        command: what the job runs.
        asked: arguments of sbatch by name, beside the recipe's; True for one without a value.
        environment: variables.
        requeue: go back into the queue as the time ends, if something was finished meanwhile.
        kept: folders where a shard that is not finished keeps what it has done: a new file there
            is worth going on from.
    """

    workspace: Workspace
    stage: str
    settings: Slurm
    command: Sequence[str]
    asked: Mapping[str, Value] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    requeue: bool = True
    kept: Sequence[Path] = ()

    @property
    def folder(self) -> Path:
        """Return where its script is, and what the script reads."""
        return job_folder(self.workspace, self.stage)

    def submit(self, after: Sequence[str] = ()) -> str:
        """Submit it, held, and return SLURM's number: nothing runs that is not written down yet.

        Args:
            after: the numbers of the jobs that must have succeeded before.

        Raises:
            NoSlurmError: SLURM is not here or refuses it; says why.
        """
        output = output_folder(self.workspace, self.stage)
        output.mkdir(parents=True, exist_ok=True)
        for stamp in self.folder.glob("stamp-*"):  # of jobs that were killed
            stamp.unlink(missing_ok=True)
        (self.folder / _GIVEN_UP).unlink(missing_ok=True)
        script = self.folder / "job.sh"
        script.write_text(self.text(), "utf-8")
        first = [f"--dependency=afterok:{':'.join(after)}"] if after else []
        try:
            said = slurm("sbatch", "--parsable", "--hold", *first, str(script))
        except NoSlurmError as error:
            raise NoSlurmError(
                f"artsound-{self.stage}: {error}: see [executor.slurm] of the recipe"
            ) from error
        return said.strip().partition(";")[0]

    def arguments(self) -> dict[str, Value]:
        """Return what sbatch is asked for; `sbatch` of the recipe goes before all else."""
        wanted = self.settings.jobs(self.stage)
        grace_s = self.settings.grace_s if self.requeue else 0
        output = str(output_folder(self.workspace, self.stage)).replace("%", "%%")
        asked: dict[str, Value] = {
            "job-name": f"artsound-{self.stage}",
            "comment": comment(self.workspace),
            "output": f"{output}/{'%A_%a' if self.asked.get('array') else '%j'}.out",
            "open-mode": "append",  # a job that was queued again keeps its first words
            "partition": wanted.partition or None,
            "account": wanted.account or None,
            "time": wanted.time or None,
            "cpus-per-task": wanted.cpus or 1,
            "mem": f"{wanted.memory_gb}G" if wanted.memory_gb else None,
            "signal": f"B:USR1@{grace_s}" if grace_s else None,
            # Jobs whose turn can never come, since one before them failed, leave the queue.
            "kill-on-invalid-dep": "yes",
            "requeue": True,  # where a node fails
            **self.asked,
        }
        for name, value in wanted.sbatch.items():
            asked[name.lstrip("-")] = True if value == "" else value
        return {
            name: value for name, value in asked.items() if value is not None and value is not False
        }

    def text(self) -> str:
        """Return the batch script.

        The shell waits beside the program, so that it hears SLURM's warning at once: the program
        may be in native code for minutes.
        """
        given = {"TOKENIZERS_PARALLELISM": "false", **self.environment}
        if self.settings.offline:
            given["HF_HUB_OFFLINE"] = "1"
        lines = [
            "#!/bin/bash",
            *(f"#SBATCH {_argument(*asked)}" for asked in self.arguments().items()),
            *(f"export {name}={shlex.quote(value)}" for name, value in sorted(given.items())),
            *filter(None, [self.settings.setup.strip()]),
            *(self._warned() if self.requeue and self.settings.grace_s else ()),
            f"{shlex.join(self.command)} &",
            "job=$!",
            'wait "$job"; code=$?',
            'while kill -0 "$job" 2>/dev/null; do wait "$job"; code=$?; done',
            *([f'rm -f "${STAMP}"'] if self.requeue else ()),
            'exit "$code"',
        ]
        return "\n".join([*lines, ""])

    def _warned(self) -> list[str]:
        """Return what the shell does when SLURM warns it, and what it must know for that.

        A job that finished nothing would finish nothing the next time either.
        """
        moved = f'[ -s "${STAMP}" ]'
        if self.kept:
            where = shlex.join(str(folder) for folder in self.kept)
            moved += f' || [ -n "$(find {where} -newer "${STAMP}" -print -quit 2>/dev/null)" ]'
        none = (
            f"no shard of a job of {self.stage} was finished within its time limit: raise"
            " executor.slurm.time, or lower shard_rows"
        )
        often = (
            f"a job was put back into the queue {self.settings.requeues} times: raise"
            " executor.slurm.requeues or executor.slurm.time"
        )
        said = shlex.quote(str(self.folder / _GIVEN_UP))
        return [
            f"export {STAMP}={shlex.quote(str(self.folder))}/stamp-$SLURM_JOB_ID",
            f': > "${STAMP}"',
            "warned() {",
            f'  if [ "${{SLURM_RESTART_COUNT:-0}}" -ge {self.settings.requeues} ]; then',
            f"    echo {shlex.quote(often)} | tee {said}",
            f"  elif {moved}; then",
            '    scontrol requeue "$SLURM_JOB_ID"',
            "  else",
            f"    echo {shlex.quote(none)} | tee {said}",
            "  fi",
            "}",
            "trap warned USR1",
        ]


def output_folder(workspace: Workspace, stage: str) -> Path:
    """Return where what a stage's jobs print is.

    It is not among the logs: SLURM itself writes names of nodes there.
    """
    return job_folder(workspace, stage) / _OUTPUT


def given_up(workspace: Workspace, stage: str) -> str | None:
    """Return why a job of a stage was not put back into the queue, or None."""
    try:
        return (job_folder(workspace, stage) / _GIVEN_UP).read_text("utf-8").strip() or None
    except FileNotFoundError:
        return None


def _argument(name: str, value: Value) -> str:
    """Return an argument as sbatch reads it from a script: like a shell."""
    return shlex.quote(f"--{name}" if value is True else f"--{name}={value}")
