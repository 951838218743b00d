"""What the state of a run means for the person who reads it, in a sentence or two."""

from collections.abc import Mapping
from typing import Any

FIRST = "it never reached a checkpoint, so resuming begins at step 0"
NEXT = {
    "memory": "Start a new run with a smaller batch or model; this one cannot go on with less.",
    "disk": "Make room, then resume.",
    "nan": "Start a new run with a smaller learning rate, or with clip=1.",
    "data": "Put the data back where it was, then resume; or start a new run on other data.",
    "input": "Start a new run with what the sentence asks for.",
}


def told(
    state: Mapping[str, Any],
    saved: int | None = None,
    place: int = 0,
    paused: bool = False,
    handed: Mapping[str, str] | None = None,
) -> str:
    """Return what a state means and what can be done; "" for a run that simply goes on.

    Args:
        state: as `Run.state` returns it.
        saved: step of the newest checkpoint, None for none.
        place: among the runs that wait, 1 for the next; 0 once the queue has taken it up.
        paused: whether the queue is.
        handed: `engine` and `job` of a run that this machine's queue has not, see `Run.handed`.
    """
    kind, reason = str(state.get("state", "")), str(state.get("reason") or "")
    if kind == "queued":
        if handed:
            return f"It waits as job {handed['job']} of {handed['engine']}."
        if paused:
            return "It waits, and the queue is paused: continue the queue to start it."
        if place < 1:
            return "Its process is being started."
        return "It is the next to start." if place == 1 else f"It waits at place {place}."
    if kind == "starting":
        return "Its process is up and reads the data; the first step follows."
    if kind == "stopping":
        return (
            "It was asked to stop (the file `stop` in its folder says so): it finishes its step, "
            "writes a checkpoint and ends."
        )
    if kind == "running" and state.get("alert"):
        return f"Last alert: {state['alert']}."
    if kind not in ("cancelled", "failed", "crashed"):
        return ""
    kept = f"resuming goes on after step {saved}" if saved is not None else FIRST
    words = f"{_sentence(reason)} " if reason else ""
    following = NEXT.get(str(state.get("problem") or ""), "") if kind == "failed" else ""
    if following and "resume" not in following:
        return f"{words}{following}"
    return f"{words}{following + ' ' if following else ''}{_sentence(kept)}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
