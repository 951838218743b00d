"""Which unit of one layer stands for which unit of another: transport between activations."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from workbench.errors import BadInput, shown

Solver = Literal["assignment", "sinkhorn"]
ROUNDS = 200


@dataclass(frozen=True)
class Transport:
    """How the units of layer B map to those of layer A.

    `plan` float [units of B, units of A], which sums to 1. `out` writes each unit of A as a mean of
    B's (columns sum to 1), `back` each unit of B as a mean of A's (rows sum to 1); both are the
    same permutation where the solver is an assignment.
    """

    plan: Tensor

    @property
    def out(self) -> Tensor:
        """[units of B, units of A], columns sum to 1."""
        return self.plan / self.plan.sum(0, keepdim=True)

    @property
    def back(self) -> Tensor:
        """[units of B, units of A], rows sum to 1."""
        return self.plan / self.plan.sum(1, keepdim=True)


def costs(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances of units, [units of B, units of A], from activations [samples, units].

    Each unit is centred, and each layer divided by the root mean square of its units.
    """
    a, b = (each - each.mean(0) for each in (a.double(), b.double()))
    a, b = (each / each.square().mean().sqrt().clamp_min(1e-12) for each in (a, b))
    return torch.cdist(b.T.contiguous(), a.T.contiguous()).square() / len(a)


def solve(cost: Tensor, solver: Solver, reg: float) -> Transport:
    """Return the cheapest transport between two uniform distributions.

    Args:
        cost: [units of B, units of A].
        solver: "assignment" (exact, equal widths) or "sinkhorn" (entropy `reg`, any widths).
        reg: entropy, as a share of the largest cost.

    Raises:
        BadInput: an unknown solver, or an assignment between unequal widths.
    """
    rows, columns = cost.shape
    if solver == "sinkhorn":
        return Transport(_sinkhorn(cost, reg))
    if solver != "assignment":
        raise BadInput(f"solver is {shown(solver)}; choose assignment or sinkhorn.")
    if rows != columns:
        raise BadInput(
            f"an assignment needs equal widths, these are {rows} and {columns}; take sinkhorn."
        )
    from scipy.optimize import linear_sum_assignment

    first, second = linear_sum_assignment(cost.numpy())
    plan = torch.zeros_like(cost)
    plan[torch.from_numpy(first), torch.from_numpy(second)] = 1 / rows
    return Transport(plan)


def _sinkhorn(cost: Tensor, reg: float) -> Tensor:
    """Cuturi's iterations in logarithms (arXiv:1306.0895)."""
    rows, columns = cost.shape
    kernel = -cost / (reg * cost.max().clamp_min(1e-12))
    log_a, log_b = -torch.tensor(float(rows)).log(), -torch.tensor(float(columns)).log()
    f, g = cost.new_zeros(rows, 1), cost.new_zeros(1, columns)
    for _ in range(ROUNDS):
        f = log_a - torch.logsumexp(kernel + g, 1, keepdim=True)
        g = log_b - torch.logsumexp(kernel + f, 0, keepdim=True)
    return (kernel + f + g).exp()
