"""Scenes out of links."""

from app.sentences import whole
from workbench.errors import BadInput
from workbench.scenes import SceneSpec


def linked(query: dict[str, str]) -> tuple[SceneSpec, list[str]]:
    """The scene of a link; a field that cannot be read is told and does not take the others down.

    Returns:
        The scene, and a sentence for every refused field.
    """
    found, wrong = SceneSpec(), list[str]()
    for name, value in query.items():
        try:
            found = SceneSpec.from_query(found.to_query() | {name: value})
        except BadInput as error:
            wrong.append(whole(str(error)))
    return found, wrong
