"""Long work of the view Layer masking as steps of a job, with what the browser needs of each."""

from collections.abc import Iterator

from app.jobs import Step
from workbench.scenes.layer_curves import Leak, curves, leaking, leaks, points
from workbench.scenes.layer_masking import classifier, ways
from workbench.scenes.layer_masking_spec import LayerMaskingSpec

NAMES = {
    "whole": "Whole picture", "grey": "Grey", "black": "Black", "blur": "Blur",
    "neighbour": "Neighbour fill", "layer_mask": "Layer masking", "drop_tokens": "Dropped tokens",
    "hide_keys": "Hidden keys",
}  # fmt: skip


def curve_steps(spec: LayerMaskingSpec) -> Iterator[Step]:
    """One event a point: way, order, share and its numbers."""
    total = points(spec, classifier(spec).kind)
    for done, point in enumerate(curves(spec), 1):
        yield Step(done, total, event=vars(point))


def leak_steps(spec: LayerMaskingSpec) -> Iterator[Step]:
    """One event a way, and the answer in words when all are there."""
    total, found = len(ways(spec, classifier(spec).kind)), list[Leak]()
    for leak in leaks(spec):
        found.append(leak)
        event = {
            **vars(leak), "name": NAMES[leak.way],
            "told": f"{leak.share:.0%} [{leak.low:.0%}, {leak.high:.0%}]",
        }  # fmt: skip
        yield Step(len(found), total, event=event, now={"words": leaking(found)})
