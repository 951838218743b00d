"""The browser side of the components."""

import re
from pathlib import Path

import pytest

COMPONENTS = Path(__file__).resolve().parents[1] / "app" / "components"
DECLARED = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)


@pytest.mark.parametrize("name", sorted(path.stem for path in COMPONENTS.glob("*.js")))
def test_a_script_declares_nothing_twice(name: str) -> None:
    """Each is served behind `shared.js` as one module, where a second name breaks the page."""
    parts = {"shared", name}
    declared = [
        found
        for part in sorted(parts)
        for found in DECLARED.findall((COMPONENTS / f"{part}.js").read_text(encoding="utf-8"))
    ]
    assert declared and len(declared) == len(set(declared))
