"""A real SLURM of one node on this machine, for as long as it is needed.

`python -m tests.slurm.cluster COMMAND ...` runs a command on it; `slurm_cluster` is the same for
tests. It needs Debian's `slurm-wlm` and `munge`, and root; `--install` installs them. Everything
else, the keys, the configuration, the state and the sockets, is in one temporary folder, and a
SLURM that is on this machine already is left alone. What was started is stopped at the end.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_PR_SET_PDEATHSIG = 1
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
CONFIGURATION = """\
ClusterName=artsoundtest
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={root}/munge.socket,cred_expire=20
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=100000,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
KillWait=5
MinJobAge=600
MaxArraySize=1001
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} Boards=1 SocketsPerBoard=1 CoresPerSocket={cpus} \
ThreadsPerCore=1 RealMemory=4000 State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=60 State=UP
"""


def missing() -> list[str]:
    """Return what a cluster would need and this machine does not have."""
    absent = [name for name in PROGRAMS if _program(name) is None]
    return absent if os.geteuid() == 0 else ["root", *absent]


@contextmanager
def slurm_cluster(cpus: int | None = None) -> Iterator[Path]:
    """Run a cluster of this one node, and point SLURM's commands at it.

    Args:
        cpus: how many jobs of one CPU run at a time; by default as many as there are CPUs.

    Yields:
        The folder of its logs, which goes with it.
    """
    # Not in TMPDIR, which may be long: a socket's path must be short.
    root = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    before = os.environ.get("SLURM_CONF")
    with ExitStack() as leaving:
        leaving.callback(shutil.rmtree, root, ignore_errors=True)
        configuration = root / "slurm.conf"
        for folder in ("state", "spool"):
            (root / folder).mkdir()
        controller_port, node_port = _free_port(), _free_port()
        configuration.write_text(
            CONFIGURATION.format(
                root=root,
                host=socket.gethostname().partition(".")[0],
                cpus=cpus or os.cpu_count(),
                controller_port=controller_port,
                node_port=node_port,
            )
        )
        (root / "cgroup.conf").write_text(_cgroups())
        key = root / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        os.environ["SLURM_CONF"] = str(configuration)
        leaving.callback(_restore, before)
        files = [
            f"--{what}={root}/munge.{what.partition('-')[0]}"
            for what in ("key-file", "socket", "pid-file", "seed-file", "log-file")
        ]
        leaving.enter_context(_running("munged", "--foreground", "--force", *files, logs=root))
        leaving.enter_context(_running("slurmctld", "-D", "-c", logs=root))
        leaving.enter_context(_running("slurmd", "-D", logs=root))
        _wait_until_idle(root)
        leaving.callback(_run, "scancel", "--user=root", "--full")
        yield root


def _cgroups() -> str:
    """Return how slurmd reaches the control groups, which it insists on, without systemd."""
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return "CgroupPlugin=cgroup/v2\nIgnoreSystemd=yes\n"
    return "CgroupPlugin=cgroup/v1\nCgroupMountpoint=/sys/fs/cgroup\n"


@contextmanager
def _running(program: str, *arguments: str, logs: Path) -> Iterator[None]:
    path = _program(program)
    assert path is not None
    with (logs / f"{program}.out").open("w") as out:
        process = subprocess.Popen(
            [path, *arguments],
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _end_with_parent() -> None:
    """Let no daemon outlive a test run that is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait_until_idle(root: Path, within_s: float = 60.0) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if _run("sinfo", "--noheader", "--format=%t") == "idle":
            return
        time.sleep(0.2)
    logs = "\n".join(f"{path}:\n{path.read_text()}" for path in sorted(root.glob("slurm*.log")))
    raise RuntimeError(f"SLURM did not start:\n{logs}")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _restore(configuration: str | None) -> None:
    if configuration is None:
        os.environ.pop("SLURM_CONF", None)
    else:
        os.environ["SLURM_CONF"] = configuration


def main() -> int:
    """Run a command on a cluster that lasts as long as it."""
    parser = argparse.ArgumentParser(description="Run a command on a SLURM of one node.")
    parser.add_argument("--install", action="store_true", help="install slurm-wlm and munge first")
    parser.add_argument("--cpus", type=int, help="how many jobs of one CPU run at a time")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    command = given.command[given.command[:1] == ["--"] :] or ["sinfo"]
    if given.install:
        subprocess.run(["apt-get", "update"], check=True)
        packages = ["slurm-wlm", "slurm-client", "munge"]
        subprocess.run(
            ["apt-get", "install", "--yes", "--no-install-recommends", *packages], check=True
        )
    if absent := missing():
        parser.error(f"missing: {', '.join(absent)}; run as root with --install")
    with slurm_cluster(given.cpus):
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
