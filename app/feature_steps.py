"""Long work of the view Features as steps of a job, with what the browser needs of each."""

import base64
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from app.jobs import Step
from workbench import scenes
from workbench.scenes.features import bytes_of, learn_features
from workbench.scenes.features_more import facets, rank
from workbench.scenes.features_spec import FeaturesSpec

TURN = 0.15  # seconds of small steps that are told as one
FIRST = 8  # heads in the table


def learn_steps(spec: FeaturesSpec) -> Iterator[Step]:
    """What is done and how well; the code itself stays on the server."""
    told = 0.0
    for step in learn_features(spec):
        now = time.monotonic()
        if step.done < step.total and step.said != "reads pictures" and now - told < TURN:
            continue
        told = now
        yield Step(step.done, step.total, now={"said": step.said})


def head_steps(spec: FeaturesSpec) -> Iterator[Step]:
    """The ranking comes with the last step."""
    for step in rank(spec):
        now = None if step.codes is None else _ranked(step.codes, step.pictures)
        yield Step(step.done, step.total, now=now)


def _ranked(codes: Any, pictures: int) -> dict[str, Any]:
    layers = max(layer for layer, _ in codes.places) + 1
    heads = max(head for _, head in codes.places) + 1
    won = {codes.places[at] for at in codes.winners}
    return {
        "pictures": pictures,
        "layers": layers,
        "heads": heads,
        "cells": [
            {"layer": layer, "head": head, "count": int(count), "won": (layer, head) in won}
            for (layer, head), count in zip(codes.places, codes.counts, strict=True)
        ],
        "first": [
            {
                "layer": codes.places[at][0],
                "head": codes.places[at][1],
                "count": int(codes.counts[at]),
                "codes": codes.positive[at].tolist(),
                "twins": codes.negative[at].tolist(),
            }
            for at in codes.order[:FIRST].tolist()
        ],
    }


def facet_steps(spec: FeaturesSpec) -> Iterator[Step]:
    """Each facet as an event, and again whenever it has climbed on."""
    for step in facets(spec):
        event = None if step.facet is None else _facet(step)
        yield Step(step.done, step.total, event=event)


def _facet(step: Any) -> dict[str, Any]:
    found = step.facet
    return {
        "at": step.at,
        "rows": found.rows[:4].tolist(),
        "count": len(found.rows),
        "start": scenes.data_uri(bytes_of(found.start)),
        "image": scenes.data_uri(bytes_of(found.image)),
        "value": f"{found.value:.3g}",
        "ended": step.ended,
    }


def packed(values: Any, top: float) -> str:
    """Float [...], 0 or more, as base64 of bytes: 255 stands for `top` and whatever lies above."""
    share = np.clip(np.asarray(values, np.float64) / (top or 1.0), 0, 1)
    return base64.b64encode(np.rint(share * 255).astype(np.uint8).tobytes()).decode()
