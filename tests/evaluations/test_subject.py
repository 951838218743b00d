"""Features in bf16 are those in fp32 but for its rounding, and are kept in float32."""

from typing import cast

import numpy as np
import pytest
import torch

from workbench.data.sets import DATASETS
from workbench.evaluations import EVALUATIONS
from workbench.evaluations.subject import ROWS, Subject
from workbench.models.headed import pooled_tokens
from workbench.models.initial import initialise
from workbench.models.transformer import ViT, ViTShape

SHAPE = ViTShape(rows=4, cols=4, patch=8, dim=48, depth=3, heads=3, hidden=96)
DIGITS = DATASETS.parse("digits()")


def subject(precision: str) -> Subject:
    encoder = ViT(SHAPE)
    initialise(encoder, 0)
    return Subject(
        encoder.eval(), lambda of: of, lambda of, x: pooled_tokens(cast(ViT, of), x),
        DIGITS.load(32, train=True), DIGITS.load(32, train=False), 32, torch.device("cpu"),
        precision,
    )  # fmt: skip


def test_bf16_rounds_features_and_no_more() -> None:
    exact, half = subject("fp32"), subject("bf16")
    for one, other in zip(exact.encoded, half.encoded, strict=True):
        assert one.values.dtype == other.values.dtype == np.float32
        far = np.linalg.norm(one.values - other.values, axis=1) / np.linalg.norm(one.values, axis=1)
        assert 1e-5 < far.mean() and far.max() < 2**-5  # rounding to 8 bits, a few times over


@pytest.mark.parametrize("protocol", ["knn", "linear_probe"])
def test_both_precisions_say_the_same(protocol: str) -> None:
    found = [EVALUATIONS.parse(protocol).judge(subject(each)) for each in ("fp32", "bf16")]
    assert abs(found[0].accuracy - found[1].accuracy) < 0.015
    assert found[0].low < found[1].accuracy < found[0].high


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_features_do_not_depend_on_the_batch(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = subject(precision).encoded[1].values
    monkeypatch.setitem(ROWS, "cpu", 17)
    other = subject(precision).encoded[1].values
    assert (
        np.abs(given - other).max()
        <= (1e-5 if precision == "fp32" else 2**-5) * np.abs(given).max()
    )
