"""What happens after the last step: the protocols that a run's configuration names."""

import time

from workbench.errors import BadInput
from workbench.runs.evaluating import evaluate
from workbench.runs.setting import protocols
from workbench.runs.store import ALERTS, Run


def finish(run: Run) -> None:
    """Measure a trained run and call it done; a protocol that fails is an alert, not a failure.

    What was measured on this step before, by a process that was then ended, is not done again.
    """
    step, reasons = run.state().get("step"), list[str]()
    for each in protocols(run.config.evaluate):
        name = str(each).removesuffix("()")
        if any(row["protocol"] == name and row["step"] == step for row in run.evaluations()):
            continue
        run.set_state(doing=f"evaluates by {name}", updated=time.time())
        try:
            row = evaluate(run, str(each))
            print(f"{name}: {row['accuracy']:.1%} of {row['count']} right", flush=True)
        except (BadInput, MemoryError, RuntimeError) as problem:
            said = (str(problem).splitlines() or [type(problem).__name__])[0][:200]
            reasons.append(f"{name} could not be measured: {said}")
            run.append(ALERTS, {"kind": "evaluation", "step": step, "sentence": reasons[-1]})
    run.set_state(state="done", doing="", reason="; ".join(reasons), updated=time.time())
