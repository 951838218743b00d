"""What an import may cost: heavy packages load when they are used, not before."""

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "timm", "transformers", "streamlit", "gradio", "matplotlib",
         "pandas", "plotly", "skimage", "sklearn", "scipy", "cv2", "captum")  # fmt: skip


def loaded_by(code: str) -> set[str]:
    """Run `code` in a fresh interpreter and return which heavy packages it loaded."""
    tell = (
        f"\nimport json, sys; print('\\n' + json.dumps(sorted({set(HEAVY)!r} & set(sys.modules))))"
    )
    ran = subprocess.run([sys.executable, "-c", code + tell], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(ran.stdout.splitlines()[-1]))


def test_the_probe_sees_what_is_loaded() -> None:
    assert "cv2" in loaded_by("import cv2")


@pytest.mark.parametrize(
    "code",
    [
        "import workbench",
        "import workbench.masks",
        "import workbench.fills",
        "import workbench.models",
        "import workbench.cli",
        "import app.server",
        "from workbench.masks import MASKS; MASKS.describe()",
        "from workbench.masks import MASKS, Grid\n"
        "MASKS.parse('block(ratio=0.6)').sample(Grid(14, 14), count=4)",
        "from workbench.fills import FILLS; FILLS.describe()",
        "from workbench.models import list_models; assert list_models()",
        "from workbench.data import photo; photo('coffee')",
        "from workbench.cli import run; run(['strategies'])",
        "from workbench.cli import run; run(['draw', 'random'])",
    ],
)
def test_nothing_heavy_is_loaded_by(code: str) -> None:
    assert loaded_by(code) == set()


def test_the_preview_of_a_scene_needs_no_torch() -> None:
    code = "from workbench.scenes import SceneSpec, preview; preview(SceneSpec(mask='block'))"
    assert "torch" not in loaded_by(code)


def test_the_default_model_needs_torch_alone() -> None:
    """`import timm` costs more than twice what torch costs; the bundled model does without."""
    code = "from workbench.scenes import SceneSpec, compose; compose(SceneSpec())"
    assert loaded_by(code) <= {"torch", "scipy", "cv2"}


def test_the_list_of_presets_needs_no_timm() -> None:
    """Every training command reads it."""
    code = "from workbench.runs.presets import run_presets; assert run_presets()"
    assert loaded_by(code) <= {"torch", "scipy", "sklearn"}
