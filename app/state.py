"""What one page holds: a frozen `SceneSpec`, and the sentences about what could not be done."""

import logging
import secrets
from collections.abc import Callable

import streamlit as st

from app.links import linked
from app.sentences import whole
from workbench.errors import BadInput
from workbench.scenes import SceneSpec

log = logging.getLogger("workbench.app")


def spec() -> SceneSpec:
    """The scene this page shows; the first call of a session reads it from the address."""
    if "spec" not in st.session_state:
        found, wrong = linked(st.query_params.to_dict())
        st.session_state["spec"] = found
        if wrong:
            complain("link", " ".join(wrong))
    return st.session_state["spec"]


def attempt(where: str, make: Callable[[], SceneSpec]) -> bool:
    """Replace the scene by what `make` returns; on bad input keep it and note the sentence.

    Returns:
        Whether it was replaced.
    """
    try:
        st.session_state["spec"] = make()
    except BadInput as error:
        complain(where, str(error))
        return False
    settle(where)
    return True


def change(where: str, **fields: object) -> bool:
    """Replace fields of the scene; see `attempt`."""
    return attempt(where, lambda: spec().replace(**fields))


def complain(where: str, sentence: str) -> None:
    """Note a sentence to show beside the control `where`."""
    problems()[where] = whole(sentence)


def settle(where: str) -> None:
    """Forget the sentence beside `where`, and what was wrong with the link."""
    problems().pop(where, None)
    if where != "link":
        problems().pop("link", None)


def problems() -> dict[str, str]:
    """Sentences by the control they belong to."""
    return st.session_state.setdefault("problems", {})


def show_problem(where: str) -> None:
    """Show the sentence that belongs here, if there is one."""
    if where in problems():
        st.error(problems()[where], icon=":material/error:")


def unexpected(error: Exception) -> str:
    """Log a failure nobody foresaw; return the sentence with its log id."""
    mark = secrets.token_hex(4)
    log.error("Scene failed, log id %s", mark, exc_info=error)
    return (
        f"Something failed while making the picture; the log has it as {mark}. "
        "Change a setting to try again."
    )


def follow(key: str, value: object) -> None:
    """Let a Streamlit control show `value` of the scene, whoever changed it."""
    if st.session_state.get(key) != value:
        st.session_state[key] = value
