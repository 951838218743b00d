"""Real trainer processes without the two seconds that importing torch costs each of them.

A process that has imported everything forks one trainer an order on stdin and writes its number to
stdout: `{"run": FOLDER, "longest_file": BYTES, "poison": CALL, "gradient": CALL}`, the last three
being ways to harm it. `{"wait": NUMBER}` gives its exit status.
"""

import json
import os
import resource
import sys
from typing import Any


def poison(call: int, gradient: bool) -> None:
    """Turn the loss of one call into no number, or its gradient alone."""
    from workbench.objectives import mae

    real, calls = mae.mae_loss, []

    def poisoned(*args: Any) -> Any:
        calls.append(1)
        loss = real(*args)
        if len(calls) != call:
            return loss
        return loss + 0 * (loss - loss.detach()).sqrt() if gradient else loss * float("nan")

    mae.mae_loss = poisoned


def be_trainer(order: dict[str, Any]) -> None:
    from workbench.runs import process

    os.setsid()
    os.environ.update(order.get("variables", {}))
    log = os.open(order["run"] + "/log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if order.get("longest_file"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["longest_file"],) * 2)
    if order.get("poison"):
        poison(order["poison"], gradient=False)
    if order.get("gradient"):
        poison(order["gradient"], gradient=True)
    status = 99
    try:
        status = process.main(order["run"])
    finally:
        sys.stdout.flush()
        os._exit(status)


def main() -> None:
    import torch

    torch.set_num_threads(1)  # a fork takes no threads along
    from sklearn import datasets  # noqa: F401

    from workbench.runs import team, training  # noqa: F401

    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            status = os.waitpid(order["wait"], 0)[1]
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        child = os.fork()
        if child == 0:
            be_trainer(order)
        print(child, flush=True)


if __name__ == "__main__":
    main()
