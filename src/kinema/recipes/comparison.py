"""CPR beside its baselines at one budget: what shows whether mining helped.

The first part of the epochs, InfoNCE on each view, is trained once and shared. From there, for as many epochs as CPR
mines, InfoNCE continues and CoCLR (CPR with one stage) mines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kinema.recipes.cpr import infonce_of
from kinema.recipes.plan import Plan
from kinema.training.settings import Phase, Recipe


def side_by_side(plan: Plan, guides: Sequence[str] = ("motion",), *, one_stage: bool = True) -> dict[str, Recipe]:
    """The recipes by the names of their run folders, which lie beside one another, in the order to train them.

    Args:
        plan: CPR's plan with one turn; its guide is set to each of ``guides``.
        guides: the views that guide the mining, each for itself.
        one_stage: whether CoCLR is among them.

    Returns:
        'cpr-GUIDE' and, with ``one_stage``, 'coclr-GUIDE' for each guide, and 'infonce'.
    """
    method: Any
    recipes: dict[str, Recipe] = {}
    shared = ""
    for guide in guides:
        method = replace(plan.method, guide=guide)  # type: ignore[type-var]
        whole = replace(plan, method=method).recipe()
        trained, guiding, mining = whole.phases
        home = f"../cpr-{guide}/phases"
        if not shared:
            shared = f"{home}/01-{trained.name}"
            recipes[f"cpr-{guide}"] = whole
            start = {method.view: shared, guide: f"{home}/02-{guiding.name}"}
            infonce = infonce_of(method, method.view, plan.schedule)
            more = Phase("infonce-more", infonce, mining.epochs, plan.optimiser, {method.view: shared})
            recipes["infonce"] = replace(whole, name="moco", phases=(more,))
        else:
            own = replace(mining, start={method.view: shared, guide: guiding.name})
            recipes[f"cpr-{guide}"] = replace(whole, phases=(guiding, own))
            start = {method.view: shared, guide: f"{home}/01-{guiding.name}"}
        if one_stage:
            single = replace(method, stages=1, sizes=None)
            mined_once = Phase(f"coclr-{method.view}", single, mining.epochs, plan.optimiser, start)
            recipes[f"coclr-{guide}"] = replace(whole, phases=(mined_once,))
    return recipes
