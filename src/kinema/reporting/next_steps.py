"""What to do next: export what was chosen, and measure what would decide."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from kinema.core.vocabulary import Vocabulary
from kinema.reporting.pooled import Group
from kinema.reporting.ranking import Identity, Ranking
from kinema.reporting.report import RunRecord
from kinema.reporting.wording import join, preset_options, view_name

EXPORTED = ("video", "text")
"""Modalities of encoders that `kinema export` takes."""


def next_steps(
    found: Sequence[Ranking],
    names: dict[Identity, str],
    chosen: tuple[Identity, ...],
    runs: Sequence[RunRecord],
    groups: Sequence[Group],
    vocabulary: Vocabulary,
) -> list[str]:
    """What to do next, the nearest first."""
    home = {run.name: run for run in runs}
    shown = {group.identity: group for group in reversed(groups)}
    steps = []
    if len(chosen) == 1 and vocabulary.encoder(chosen[0][0]).modality in EXPORTED:
        run = home[shown[chosen[0]].runs[0]]
        several = len(shown[chosen[0]].runs) > 1
        export = shlex.join(["kinema", "export", run.path, "-o", "model", *_view(chosen[0], run)])
        steps.append(f"Take {names[chosen[0]]} along{', here the first of its runs' if several else ''}: {export}")
    close = dict.fromkeys((*chosen, *(name for each in found if each.decisive for name in each.level)))
    once = [name for name in close if _runs(found, name) == 1]
    if once and len(names) > 1:
        used = {seed for group in groups if group.identity in once for seed in group.seeds}
        free = [seed for seed in range(len(used) + 2) if seed not in used][:2]
        again = f"Train {join(names[name] for name in once)} again with --seed {free[0]} and --seed {free[1]} and name "
        again += "all runs to 'kinema report': what differs in the seed alone becomes one row with its spread, and "
        steps.append(again + "methods with the same seeds are compared seed by seed.")
    if len(names) == 1:
        unit = vocabulary.encoder(next(iter(names))[0]).unit
        steps.append(f"Train another method on the same {unit}, see 'kinema pretrain --list', and report on both.")
    for name in names:
        modality = vocabulary.encoder(name[0]).modality
        lacks = [each for each in found if name not in each.estimates and each.protocol.modality == modality]
        lacks = [each for each in lacks if not _measured_together(each)]
        if lacks and any(name in each.level for each in found):
            missing = (
                f"{names[name]} {_lacking(lacks, name[0], name[1], groups)} by {join(each.heading for each in lacks)}"
            )
            first = ", first" if len(lacks) > 1 else ""
            steps.append(f"{missing}{first}: {_evaluate(lacks[0], name, home[shown[name].runs[0]])}")
    for each in found:
        if each.best[1] not in each.references and not each.protocol.from_scratch:
            line = _evaluate(each, each.best, home[shown[each.best].runs[0]])
            untrained = [group.encoder for group in groups if vocabulary.is_untrained(group.encoder)]
            lacking = _lacking([each], untrained[0] if untrained else "", each.best[1], groups)
            what = "network" if _measured_together(each) else f"encoder of {view_name(each.best[1])}"
            steps.append(f"The untrained {what} {lacking} by {each.heading}: {line} --untrained")
    return list(dict.fromkeys(steps))


def _lacking(rankings: Sequence[Ranking], encoder: str, view: str, groups: Sequence[Group]) -> str:
    """How it is said that an encoder is not ranked: it was not measured, or not on the queries that are compared."""
    there = {(*group.settings, group.encoder, group.view) for group in groups}
    measured = any((*ranking.settings, encoder, view) in there for ranking in rankings)
    return "has no figure to compare" if measured else "was not measured"


def _measured_together(ranking: Ranking) -> bool:
    """Whether one measurement is of all views of a run: what a table lacks is then no measurement that is missing."""
    return ranking.protocol.models == "every view"


def _runs(found: Sequence[Ranking], name: Identity) -> int:
    return max(each.estimates[name].runs for each in found if name in each.estimates)


def _view(name: Identity, run: RunRecord) -> list[str]:
    return ["--view", name[1]] if name[1] != run.recipe.get("view") else []


def _evaluate(ranking: Ranking, name: Identity, run: RunRecord) -> str:
    protocol, preset = ranking.settings[:2]
    view = [] if _measured_together(ranking) else _view(name, run)
    line = ["kinema", "evaluate", protocol, run.path, ranking.data, *preset_options(preset), *view]
    return shlex.join(line)
