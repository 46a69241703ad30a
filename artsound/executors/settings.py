"""The recipe's `[executor]` section: where shards are made. No influence on what is made."""

from __future__ import annotations

import math
import re
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_DAYS: Final = re.compile(r"(\d+)-(\d+)(?::(\d+))?(?::(\d+))?")
_UNLIMITED: Final = ("0", "-1", "infinite", "unlimited")
_EARLY_S: Final = 60  # by so much SLURM may warn before it should

Size = Annotated[int, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SlurmJobs(_Section):
    """What the jobs of a stage ask SLURM for; what is not set is the cluster's own default.

    Attributes:
        partition: the partition.
        account: the account that is charged.
        time: the time limit of a job, as sbatch takes it: minutes, or "days-hours:minutes:seconds".
        gpus: GPUs of a job, where the stage's models compute on one; 1 if not set.
        cpus: CPUs of a job; 1 if not set. A shard computes on one, a whole stage on all.
        memory_gb: memory of a job.
        array_size: how many jobs a stage is cut into at most, each of several shards if there are
            more; 1000 if not set. A chat model is started once a job.
        sbatch: further arguments of sbatch, without their dashes: `{qos = "long"}`. `true`, or
            nothing between the quotes, gives an argument alone: `{exclusive = true}`; `false`
            leaves it out.
    """

    partition: str | None = None
    account: str | None = None
    time: int | str | None = None
    gpus: Annotated[int, Field(ge=0)] | None = None
    cpus: Size | None = None
    memory_gb: Size | None = None
    array_size: Size | None = None
    sbatch: dict[str, bool | int | str] = Field(default_factory=dict)

    @field_validator("time")
    @classmethod
    def _readable(cls, time: int | str | None) -> int | str | None:
        if time is not None:
            seconds(time)
        return time


class Slurm(SlurmJobs):
    """How a build runs on SLURM.

    Attributes:
        stages: what is different for a stage, by its name.
        setup: shell lines before each job, such as `module load cuda`.
        offline: nodes have no internet: HF_HUB_OFFLINE=1 is set there.
        grace_s: how long before its time limit a job is put back into the queue, if it has finished
            anything since it began; 0 for never.
        requeues: how often, until it counts as failed.
    """

    stages: dict[str, SlurmJobs] = Field(default_factory=dict)
    setup: str = ""
    offline: bool = True
    grace_s: int = Field(default=120, ge=0)
    requeues: int = Field(default=10, ge=0)

    @model_validator(mode="after")
    def _some_time_to_work(self) -> Self:
        """Refuse limits that are over as soon as SLURM warns of them."""
        own = {f"stages.{name}.time": jobs for name, jobs in self.stages.items()}
        every: dict[str, SlurmJobs] = {"time": self, **own}
        for name, jobs in every.items():
            limit = math.inf if jobs.time is None else seconds(jobs.time)
            if self.grace_s and limit <= self.grace_s + _EARLY_S:
                raise ValueError(
                    f"{name} = {jobs.time} is {limit:.0f} s, and jobs are put back into the queue"
                    f" grace_s = {self.grace_s} s before, or up to a minute earlier: raise {name},"
                    " or lower grace_s"
                )
        return self

    def jobs(self, stage: str) -> SlurmJobs:
        """Return what the jobs of a stage ask for."""
        common = self.model_dump(include=set(SlurmJobs.model_fields))
        own = self.stages[stage].model_dump(exclude_unset=True) if stage in self.stages else {}
        sbatch = {**common["sbatch"], **own.get("sbatch", {})}
        return SlurmJobs.model_validate({**common, **own, "sbatch": sbatch})


def seconds(time: int | str) -> float:
    """Return a time limit of sbatch's in seconds, as SLURM rounds it: up to minutes.

    Raises:
        ValueError: it is none.
    """
    text = str(time).strip().lower()
    if text in _UNLIMITED:
        return math.inf
    if found := _DAYS.fullmatch(text):
        days, hours, minutes, rest = (int(part or 0) for part in found.groups())
        total = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    elif re.fullmatch(r"\d+(:\d+){0,2}", text):
        parts = [int(part) for part in text.split(":")]
        hours, minutes, rest = {1: [0, *parts, 0], 2: [0, *parts], 3: parts}[len(parts)]
        total = (hours * 60 + minutes) * 60 + rest
    else:
        raise ValueError(f"{time!r} is no time: minutes, or days-hours:minutes:seconds")
    return math.ceil(total / 60) * 60


class Ray(_Section):
    """How a build runs on Ray.

    Attributes:
        address: the cluster; if not set, the one that is running on this machine or that
            RAY_ADDRESS names, or else one of this machine alone, for the time of the build.
        cpus: CPUs that a sharded stage's worker takes.
        gpus: GPUs that it takes where the stage's models compute on one.
        retries: how often a shard whose worker or node died is given to another.
    """

    address: str | None = None
    cpus: Size = 1
    gpus: float = Field(default=1, ge=0)
    retries: int = Field(default=3, ge=0)


class ExecutorSettings(_Section):
    """Settings of the executors; `--executor` chooses one."""

    slurm: Slurm = Slurm()
    ray: Ray = Ray()
