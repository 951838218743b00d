"""What happens after the last step: the protocols that a run's configuration names."""

import time
from collections.abc import Callable

from workbench.errors import BadInput
from workbench.runs.evaluating import evaluate
from workbench.runs.setting import protocols
from workbench.runs.store import ALERTS, Run


class Stopped(Exception):
    """An evaluation that was asked to end."""


def finish(run: Run, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Measure a trained run and call it done; a protocol that fails is an alert, not a failure.

    What was measured on this step before, by a process that was then ended, is not done again.
    `should_stop` is asked while it is measured; what was noted until then stays.
    """

    def look(share: float) -> None:
        if share < 1 and should_stop():  # at 1 it is noted already
            raise Stopped

    step, reasons = run.state().get("step"), list[str]()
    for each in protocols(run.config.evaluate):
        name = str(each).removesuffix("()")
        if any(row["protocol"] == name and row["step"] == step for row in run.evaluations()):
            continue
        run.set_state(doing=f"evaluates by {name}", updated=time.time())
        try:
            look(0.0)
            row = evaluate(run, str(each), report=look)
            print(f"{name}: {row['accuracy']:.1%} of {row['count']} right", flush=True)
        except Stopped:
            reasons.append(f"the evaluation by {name} was stopped; start it again if wanted")
            break
        except (BadInput, MemoryError, RuntimeError) as problem:
            said = (str(problem).splitlines() or [type(problem).__name__])[0][:200]
            reasons.append(f"{name} could not be measured: {said}")
            run.append(ALERTS, {"kind": "evaluation", "step": step, "sentence": reasons[-1]})
    run.set_state(state="done", doing="", reason="; ".join(reasons), updated=time.time())
