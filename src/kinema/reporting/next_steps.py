"""What to do next: take along what is kept, and measure what would decide."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from kinema.reporting.pooled import Group
from kinema.reporting.report import RunRecord
from kinema.reporting.standing import Identity, Standing
from kinema.reporting.wording import join, preset_options, view_name


def next_steps(
    found: Sequence[Standing],
    names: dict[Identity, str],
    kept: tuple[Identity, ...],
    runs: Sequence[RunRecord],
    groups: Sequence[Group],
) -> list[str]:
    """What to do next, the nearest first."""
    home = {run.name: run for run in runs}
    shown = {group.identity: group for group in reversed(groups)}
    steps = []
    if len(kept) == 1:
        run = home[shown[kept[0]].runs[0]]
        several = len(shown[kept[0]].runs) > 1
        told = f"Take {names[kept[0]]} along{', here the first of its runs' if several else ''}: "
        steps.append(told + shlex.join(["kinema", "export", run.path, "-o", "model", *_view(kept[0], run)]))
    close = dict.fromkeys((*kept, *(name for each in found if each.told for name in each.level)))
    once = [name for name in close if _runs(found, name) == 1]
    if once and len(names) > 1:
        told = f"Train {join(names[name] for name in once)} again with --seed 1 and --seed 2 and name all runs to "
        steps.append(told + "'kinema report': what differs in the seed alone becomes one row with its spread.")
    if len(names) == 1:
        steps.append("Train another method on the same videos, 'kinema methods' names them, and report on both runs.")
    for name in names:
        lacks = [each for each in found if name not in each.found]
        if lacks and any(name in each.level for each in found):
            told = f"{names[name]} was not measured by {join(each.heading for each in lacks)}"
            first = ", first" if len(lacks) > 1 else ""
            steps.append(f"{told}{first}: {_evaluate(lacks[0], name, home[shown[name].runs[0]])}")
    for each in found:
        if each.best[1] not in each.references and each.settings[0] != "finetune":
            line = _evaluate(each, each.best, home[shown[each.best].runs[0]])
            told = f"The untrained encoder of {view_name(each.best[1])} was not measured by {each.heading}"
            steps.append(f"{told}: {line} --untrained")
    return steps


def _runs(found: Sequence[Standing], name: Identity) -> int:
    return max(each.found[name].runs for each in found if name in each.found)


def _view(name: Identity, run: RunRecord) -> list[str]:
    return ["--view", name[1]] if name[1] != run.recipe.get("view") else []


def _evaluate(standing: Standing, name: Identity, run: RunRecord) -> str:
    protocol, preset = standing.settings[:2]
    line = ["kinema", "evaluate", protocol, run.path, standing.data, *preset_options(preset), *_view(name, run)]
    return shlex.join(line)
