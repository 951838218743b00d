"""The long work of one page: started once for what is asked, ended when something else is."""

from collections.abc import Callable, Iterator
from typing import Any

import streamlit as st

from app.jobs import Job, Step, jobs, page_is_there


def started(key: str, asked: object, make: Callable[[], Iterator[Step]]) -> Job:
    """The job of this page for what is asked; another one under the same key ends."""
    job = job_of(key)
    if job is not None and asked_of(key) == asked:
        return job
    return restarted(key, asked, make)


def restarted(key: str, asked: object, make: Callable[[], Iterator[Step]]) -> Job:
    """A new job of this page in place of the one under the same key."""
    ended(key)
    job = jobs.start(make(), page_is_there())
    st.session_state[f"job-{key}"] = (asked, job)
    return job


def job_of(key: str) -> Job | None:
    """The last job under this key."""
    known = st.session_state.get(f"job-{key}")
    return None if known is None else known[1]


def asked_of(key: str) -> Any:
    """What the last job under this key was asked for."""
    known = st.session_state.get(f"job-{key}")
    return None if known is None else known[0]


def ended(key: str) -> None:
    """Cancel the job under this key."""
    job = job_of(key)
    if job is not None:
        job.cancel()
