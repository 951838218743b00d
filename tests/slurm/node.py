"""A Slurm of one node, from the distribution's packages, in a folder of its own.

    python -m tests.slurm.node FOLDER      starts it, prints the variables that point at it, and
                                           ends it when its standard input is closed

It needs root, and munged, slurmctld and slurmd on this machine (Debian: slurm-wlm and munge).
Nothing of the machine's own configuration is read or changed. There is no accounting, as on many
clusters.
"""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

PARTS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
START_WITHIN = 60.0
CONFIGURATION = """
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,batch_sched_delay=1
ReturnToService=2
JobRequeue=1
KillWait=30
MinJobAge=10
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Node:
    """The three daemons; a context manager that gives the variables that commands need."""

    def __init__(self, folder: Path) -> None:
        missing = [part for part in PARTS if shutil.which(part) is None]
        assert not missing, f"{', '.join(missing)} not found; install slurm-wlm and munge"
        assert os.geteuid() == 0, "slurmd starts jobs for users: run this as root"
        self.folder = folder
        self.variables = {"SLURM_CONF": str(folder / "slurm.conf")}
        self.daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> dict[str, str]:
        folder = self.folder
        for part in ("state", "spool"):
            (folder / part).mkdir(parents=True)
        folder.chmod(0o755)
        told = {"host": socket.gethostname(), "folder": folder, "ports": free_ports(2),
                "cpus": os.cpu_count()}  # fmt: skip
        (folder / "slurm.conf").write_text(CONFIGURATION.format(**told))
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        own = [f"--{name}={folder}/munge.{name}" for name in ("socket", "log-file", "pid-file")]
        own += [f"--key-file={key}", f"--seed-file={folder}/munge.seed", "--foreground", "--force"]
        self._start("munged", *own)
        until(lambda: (folder / "munge.socket").exists())
        self._start("slurmctld", "-D", "-i")
        self._start("slurmd", "-D")
        until(lambda: "idle" in self._said("sinfo", "--noheader", "--format=%T"))
        return self.variables

    def _start(self, *words: str) -> None:
        environment = {**os.environ, **self.variables}
        with (self.folder / f"{words[0]}.out").open("wb") as log:
            self.daemons.append(
                subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 env=environment)
            )  # fmt: skip

    def _said(self, *words: str) -> str:
        environment = {**os.environ, **self.variables}
        return subprocess.run(words, capture_output=True, text=True, env=environment).stdout

    def __exit__(self, *_: object) -> None:
        self._said("scancel", "--signal=KILL", "--full", "--me")
        self._said("scancel", "--me")
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(15)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody uses now."""
    doors = [socket.socket() for _ in range(count)]
    for door in doors:
        door.bind(("127.0.0.1", 0))
    found = [door.getsockname()[1] for door in doors]
    for door in doors:
        door.close()
    return found


def until(true: object, seconds: float = START_WITHIN) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "Slurm did not start in time; see its logs"
        time.sleep(0.2)


def main() -> None:
    with Node(Path(sys.argv[1]).resolve()) as variables:
        for name, value in variables.items():
            print(f"export {name}={value}", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
