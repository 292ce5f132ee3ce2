"""LARS: each layer learns at a rate of its own, by how large its weights are beside their gradient.

You, Gitman, Ginsburg, "Large batch training of convolutional networks", 2017, arXiv 1708.03888, algorithm 1:

    λ = η |w| / (|g| + β |w|),    v ← m v + γ λ (g + β w),    w ← w − v

with w the weights of a layer, g their gradient, β the weight decay, γ the rate, m the momentum and η = .001. SimCLR
(Chen et al. 2020, arXiv 2002.05709) is trained with it, biases and norms with λ = 1 and β = 0.

Departure from SimCLR's code: λ is the paper's, with |g| + β|w| where that code has |g + βw|. As in that code λ is 1 for
a layer whose weights or gradient are zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

TRUST = 1e-3
"""η, how far a layer may move in a step beside the size of its weights."""


class LARS(torch.optim.Optimizer):
    """SGD with momentum, whose rate is scaled for each tensor of weights.

    Args:
        groups: of parameters; a group with 'adapt' False has λ = 1.
        lr: γ.
        momentum: m.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, momentum: float = 0.9) -> None:
        each = {"lr": lr, "momentum": momentum, "weight_decay": 0.0, "adapt": True}
        super().__init__(groups, {**each, "differentiable": False})  # which torch adds to what is loaded

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; returns what ``closure``, which computes gradients anew, returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for w in group["params"]:
                if w.grad is not None:
                    self._move(w, w.grad, group)
        return loss

    def _move(self, w: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        decay, rate = group["weight_decay"], group["lr"]
        if group["adapt"]:
            size, slope = w.norm(), g.norm()
            trusted = TRUST * size / (slope + decay * size)
            rate = rate * torch.where((size > 0) & (slope > 0), trusted, 1.0)
        state = self.state[w]
        if "v" not in state:
            state["v"] = torch.zeros_like(w)
        v: Tensor = state["v"]
        v.mul_(group["momentum"]).add_(rate * (g + decay * w))
        w.sub_(v)
