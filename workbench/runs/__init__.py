"""Runs that a user can trust: a folder each, a process each, resumable, queued, comparable.

`launch`, `get`, `wait`, `cancel` and `resume` are looked up on first use, so that importing this
package loads no torch; reading runs never does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.runs.comparing import compare
    from workbench.runs.config import RunConfig
    from workbench.runs.launching import Handle, cancel, get, launch, resume, wait
    from workbench.runs.rehearsing import preflight
    from workbench.runs.store import Run, RunStore
    from workbench.runs.sweeping import sweep

_HOMES = {
    "Handle": "launching",
    "Run": "store",
    "RunConfig": "config",
    "RunStore": "store",
    "cancel": "launching",
    "compare": "comparing",
    "get": "launching",
    "launch": "launching",
    "preflight": "rehearsing",
    "resume": "launching",
    "sweep": "sweeping",
    "wait": "launching",
}
__all__ = [
    "Handle",
    "Run",
    "RunConfig",
    "RunStore",
    "cancel",
    "compare",
    "get",
    "launch",
    "preflight",
    "resume",
    "sweep",
    "wait",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'workbench.runs' has no attribute {name!r}")
    return getattr(import_module(f"workbench.runs.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
