"""A Ray cluster of this machine alone, with ports and a folder of its own."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.slurm.node import free_ports, until
from workbench.runs.engines.ray import Ray
from workbench.runs.identity import end_tree, start_mark

CPUS = 2


class Node:
    """The head of the cluster; a context manager that gives the address of its dashboard."""

    def __init__(self) -> None:
        found = shutil.which("ray")
        assert found, "ray is not found; `make ray` provides it"
        self.ray, self.folder = found, Path(tempfile.mkdtemp(prefix="ray"))  # short: for sockets

    def __enter__(self) -> str:
        own, dashboard, client = free_ports(3)
        words = {
            "port": own, "dashboard-port": dashboard, "ray-client-server-port": client,
            "dashboard-host": "127.0.0.1", "num-cpus": CPUS, "num-gpus": 0, "min-worker-port": 0,
            "max-worker-port": 0, "object-store-memory": 100_000_000, "temp-dir": self.folder,
        }  # fmt: skip
        with (self.folder / "out.txt").open("wb") as log:
            self.head = subprocess.Popen(
                [self.ray, "start", "--head", "--block", *(f"--{k}={v}" for k, v in words.items())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"},
            )
        address = f"http://127.0.0.1:{dashboard}"
        until(lambda: Ray(address=address).active("") is not None, 240)
        return address

    def end(self, grace: float = 0.0) -> None:
        """End the cluster and all that it started, as a machine that goes down does."""
        end_tree(self.head.pid, start_mark(self.head.pid) or "", grace)
        self.head.wait()

    def __exit__(self, *_: object) -> None:
        self.end(20)
        shutil.rmtree(self.folder, ignore_errors=True)
