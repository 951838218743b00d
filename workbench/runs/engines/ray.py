"""A cluster of Ray, asked at its dashboard: one job a run."""

import importlib.util
import json
import os
import secrets
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from http.client import HTTPException
from typing import Annotated, Any, Self
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from workbench.errors import BadInput, shown
from workbench.params import Knob
from workbench.runs.engines.engine import Engine
from workbench.runs.store import Run

USUAL, NAMED_BY = "http://127.0.0.1:8265", ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
TAKE_WITHIN, ANSWER_WITHIN, LEAVE_WITHIN, LOOK_EVERY = 30.0, 10.0, 9.0, 0.2
KILL_AFTER, SAID = "6", 400  # seconds, as text for Ray; letters of what it says


@dataclass(frozen=True, kw_only=True)
class Ray(Engine):
    """Ray's jobs; the folder of runs and this Python have to be there on its nodes, too.

    Nothing of Ray is needed beside the workbench. Its own client waits without a limit, and lets
    RAY_ADDRESS go before the address that it was given. A job that finds no room for 15 minutes is
    given up by Ray, unless its head was started with a larger RAY_JOB_START_TIMEOUT_SECONDS.
    """

    address: Annotated[str, Knob("dashboard, http://HEAD:8265; empty for RAY_ADDRESS or here")] = ""
    gpus: Annotated[int, Knob("GPUs of a job", 0, 64, 1, None, 8)] = 0
    cpus: Annotated[int, Knob("CPU cores that a job counts for", 0, 4096, None, None, 64)] = 1
    memory: Annotated[int, Knob("GB that a job counts for", 0, 1 << 20, 8)] = 0

    @classmethod
    def installed(cls) -> bool:
        """Whether a cluster is named, or could be started here: menus offer it only then."""
        return any(map(os.environ.get, NAMED_BY)) or importlib.util.find_spec("ray") is not None

    def settled(self) -> Self:
        """See `Engine.settled`."""
        told = self.address or next(filter(None, map(os.environ.get, NAMED_BY)), "auto")
        told = USUAL if told == "auto" else told.rstrip("/")
        return replace(self, address=told if "://" in told else f"http://{told}")

    def submit(self, runs: Sequence[Run]) -> list[str]:
        """Hand runs over, all or none."""
        share = {"cpus": self.cpus, "gpus": self.gpus}
        told: dict[str, Any] = {f"entrypoint_num_{name}": share[name] for name in share}
        told["entrypoint_memory"] = self.memory << 30
        told = {name: value for name, value in told.items() if value}
        told["runtime_env"] = {"env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": KILL_AFTER}}
        names: list[str] = []
        try:
            for run in runs:
                words = [sys.executable, "-P", "-m", "workbench.runs.trainee", str(run.path)]
                names.append(f"{run.id}-{secrets.token_hex(4)}")
                entry = {"submission_id": names[-1], "entrypoint": f"exec {shlex.join(words)}"}
                self.ask("POST", told={**told, **entry})
        except BaseException:
            for name in names:
                with suppress(BadInput):
                    self.ask("POST", f"{name}/stop")
            raise
        return names

    def active(self, folder: str) -> set[str] | None:
        """See `Engine.active`."""
        try:
            return set(self.jobs())
        except BadInput:
            return None

    def why(self, job: str, folder: str) -> str:
        """See `Engine.why`."""
        with suppress(BadInput, KeyError, TypeError):
            return brief(str(self.ask("GET", quote(job, ""))["message"]))
        return ""

    def end(self, job: str, folder: str) -> None:
        """Have Ray stop it, and kill what is left after 6 s; one that waits leaves in its turn."""
        until = time.monotonic() + LEAVE_WITHIN
        if job in self.jobs():
            self.ask("POST", f"{quote(job, '')}/stop")
        while self.jobs().get(job) == "RUNNING":
            if time.monotonic() > until:
                raise BadInput(f"{job} goes on after {LEAVE_WITHIN:g} s; see {self.address}.")
            time.sleep(LOOK_EVERY)

    def jobs(self) -> dict[str, str]:
        """Return which jobs wait or run, as Ray calls that."""
        try:
            jobs = {each["submission_id"]: each["status"] for each in self.ask("GET")}
        except (KeyError, TypeError):
            raise BadInput(f"no Ray answers at {self.address}; name its dashboard.") from None
        return {job: status for job, status in jobs.items() if status in ("PENDING", "RUNNING")}

    def ask(self, verb: str, path: str = "", told: Mapping[str, Any] | None = None) -> Any:
        """Return what the dashboard answers; BadInput if it does not, or refuses."""
        where = self.settled().address
        if not where.startswith(("http://", "https://")):
            raise BadInput(f"Ray's dashboard is {shown(where)}, not a web address; name {USUAL}.")
        body, kind = (
            json.dumps(told).encode() if told else None,
            {"Content-Type": "application/json"},
        )
        try:
            request = Request(f"{where}/api/jobs/{path}", body, kind, method=verb)
            with urlopen(request, timeout=TAKE_WITHIN if told else ANSWER_WITHIN) as answer:
                return json.load(answer)
        except HTTPError as problem:
            lines = problem.read().decode(errors="replace").splitlines()
            said = [line for line in lines if len(line) > 2 and "<" not in line] or [problem.reason]
            raise BadInput(f"Ray at {where} refuses ({brief(said[-1])}); see its pages.") from None
        except (OSError, ValueError, HTTPException) as problem:
            said = getattr(problem, "reason", problem)
            raise BadInput(
                f"no Ray answers at {where} ({said}); start one with `ray start --head`, or name "
                'another: ray(address="http://HEAD:8265").'
            ) from None


def brief(text: str) -> str:
    """Return text on one line, without its middle if it is long."""
    text = " ".join(text.split())
    return text if len(text) <= SAID else f"{text[: SAID // 2]} ... {text[-SAID // 2 :]}"
