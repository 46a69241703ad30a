"""The recipe's `[executor]` section: where shards are made. No influence on what is made."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

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
        sbatch: further arguments of sbatch, without their dashes: `{qos = "long"}`.
    """

    partition: str | None = None
    account: str | None = None
    time: int | str | None = None
    gpus: Annotated[int, Field(ge=0)] | None = None
    cpus: Size | None = None
    memory_gb: Size | None = None
    array_size: Size | None = None
    sbatch: dict[str, str | int] = Field(default_factory=dict)


class Slurm(SlurmJobs):
    """How a build runs on SLURM.

    Attributes:
        stages: what is different for a stage, by its name.
        setup: shell lines before each job, such as `module load cuda`.
        offline: nodes have no internet: HF_HUB_OFFLINE=1 is set there.
        grace_s: how long before its time limit a job is put back into the queue.
        requeues: how often, until it counts as failed.
    """

    stages: dict[str, SlurmJobs] = Field(default_factory=dict)
    setup: str = ""
    offline: bool = True
    grace_s: int = Field(default=120, ge=0)
    requeues: int = Field(default=10, ge=0)

    def jobs(self, stage: str) -> SlurmJobs:
        """Return what the jobs of a stage ask for."""
        common = self.model_dump(include=set(SlurmJobs.model_fields))
        own = self.stages[stage].model_dump(exclude_unset=True) if stage in self.stages else {}
        sbatch = {**common["sbatch"], **own.get("sbatch", {})}
        return SlurmJobs.model_validate({**common, **own, "sbatch": sbatch})


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
