"""What the numbers of a run say: which measure one is of, its unit, and which way is better."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.runs.series import LOSS


@dataclass(frozen=True)
class Measure:
    """`share` is of hits, 0 to 1; `higher` is better; `told` is the objective's own sentence.

    `data` is the recipe of the data that were measured on.
    """

    share: bool = True
    higher: bool = True
    told: str = ""
    data: str = ""

    def written(self, mean: float, half: float | None = None) -> str:
        """A number as text, with half of its 95% interval; shares in percent.

        >>> Measure().written(0.861, 0.0123), Measure(share=False).written(0.5)
        ('86.1 ± 1.2%', '0.5')
        """
        if not self.share:
            return f"{mean:.4g}" + ("" if half is None else f" ± {half:.2g}")
        return f"{100 * mean:.1f}" + ("" if half is None else f" ± {100 * half:.1f}") + "%"


def scored(row: Mapping[str, Any]) -> tuple[str, Measure, float] | None:
    """Return name, measure and number of a row of `evaluations.jsonl`; None where it holds none.

    A protocol is called by its name, an objective's own measure by that of the measure: two
    objectives measure different things by the protocol "metric".
    """
    number, protocol = row.get("accuracy", row.get("value")), str(row.get("protocol", ""))
    data = str(row.get("data") or "")
    if not isinstance(number, int | float) or not protocol:
        return None
    if "accuracy" in row:
        return protocol, Measure(data=data), float(number)
    _, mark, when = protocol.partition("@")
    told = str(row.get("metric", ""))
    name = next(iter(row.get("measures") or {}), told or protocol.removesuffix(mark + when))
    measure = Measure(False, bool(row.get("higher")), told, data)
    return f"{name}{mark}{when}", measure, float(number)


Scores = dict[str, tuple[Measure, float]]


def scores(rows: Iterable[Mapping[str, Any]], losses: Sequence[float]) -> Scores:
    """Return the newest number of every measure by name, and the last loss."""
    found = {each[0]: each[1:] for row in rows if (each := scored(row)) is not None}
    return found | ({LOSS: (Measure(False, False), losses[-1])} if losses else {})


def told_apart(found: Sequence[Scores]) -> list[Scores]:
    """Return the scores of runs with other names for measures that share a name only.

    What two objectives call alike, but measure otherwise, gets the objective's sentence behind it;
    what was measured on other data gets the data.
    """
    kinds: dict[str, set[Measure]] = {}
    for each in found:
        for name, (measure, _) in each.items():
            kinds.setdefault(name, set()).add(measure)

    def whole(name: str, own: Measure) -> str:
        told, data = (len({getattr(each, k) for each in kinds[name]}) > 1 for k in ("told", "data"))
        full = f"{name}: {own.told}" if told and own.told else name
        return f"{full} on {own.data}" if data and own.data else full

    return [{whole(name, score[0]): score for name, score in each.items()} for each in found]
