"""Which encoder should be kept: from the figures and their intervals, and from nothing else.

What leads or is level with what leads by every measurement may be kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from kinema.reporting.estimates import Difference, Estimate
from kinema.reporting.next_steps import next_steps
from kinema.reporting.pooled import Group
from kinema.reporting.report import Advice, Row, RunRecord
from kinema.reporting.standing import Identity, Standing, standings, told_apart
from kinema.reporting.supervised import missing_reference
from kinema.reporting.wording import encoder_name, join, percent, points, signed_points


def advice(runs: Sequence[RunRecord], rows: Sequence[Row], groups: Sequence[Group]) -> Advice:
    """Which encoder to keep.

    Args:
        runs: the runs.
        rows: what was measured in them, each row's main selection first.
        groups: the same by recipe.
    """
    found = standings(runs, rows, groups)
    missing = missing_reference(runs, rows, groups)
    if not found:
        return Advice("", steps=(missing,) if missing else ())
    names = told_apart(found, groups)
    sentence, kept = _sentence(found, names)
    steps = next_steps(found, names, kept, runs, groups)
    return Advice(sentence, tuple(_line(each, names) for each in found), (*steps, *([missing] if missing else [])))


def _sentence(found: Sequence[Standing], names: dict[Identity, str]) -> tuple[str, tuple[Identity, ...]]:
    """The answer, and the encoders that it names."""
    choices = [each for each in found if each.told]
    every = list(dict.fromkeys(name for each in found for name in each.found))
    idle = [name for name in every if _idle(name, found)]
    if len(idle) == len(every):
        return "Keep none yet: no encoder is better than an untrained one by more than the noise.", ()
    if not choices:
        if len(every) == 1:
            return f"There is nothing to choose between: {names[every[0]]} alone was measured.", tuple(every)
        told = "No two encoders were measured by one protocol on the same data, with intervals"
        return f"{told}, so none can be preferred.", ()
    many = "both" if len(choices) == 2 else f"all {len(choices)}"
    where = f"by {choices[0].heading}" if len(choices) == 1 else f"by {many} measurements that compare them"
    level = [name for name in every if all(name in each.level for each in choices)]
    kept = tuple(name for name in level if name not in idle)
    once = any(each.found[name].runs == 1 for each in choices for name in each.found)
    more = _not_kept([name for name in level if name in idle], names)
    more += " Encoders of one seed are compared as they are: another seed might turn the order." if once else ""
    more += _unproved(choices, [name for name in every if name not in idle], names)
    if len(kept) == 1 and all(each.level == kept for each in choices):
        return f"Keep {names[kept[0]]}: {where}, it is ahead of every other by more than the noise.{more}", kept
    if len(kept) == 1:
        return f"Keep {names[kept[0]]}: {where}, it alone leads or is within the noise of what leads.{more}", kept
    if kept:
        told = f"Keep any of {join(names[name] for name in kept)}: {where}, each leads or is within the noise of what "
        return f"{told}leads, so let the cost decide.{more}", kept
    by_best: dict[Identity, list[str]] = {}
    for each in choices:
        best = next((name for name in each.found if name not in idle), each.best)
        by_best.setdefault(best, []).append(each.heading)
    told = "; ".join(f"{names[name]} leads by {join(headings)}" for name, headings in by_best.items())
    return f"It depends on the use, for no encoder does well by every measurement: {told}.{more}", tuple(by_best)


def _idle(name: Identity, found: Sequence[Standing]) -> bool:
    """Whether an encoder was held against an untrained one, and was nowhere better by more than the uncertainty."""
    clear = [above for each in found if (above := each.clear(name)) is not None]
    return bool(clear) and not any(clear)


def _not_kept(idle: Sequence[Identity], names: dict[Identity, str]) -> str:
    """Names the encoders that are level with what leads and with an untrained one too."""
    if not idle:
        return ""
    told = f" {join(names[name] for name in idle)} {'is' if len(idle) == 1 else 'are'} within the noise of that too, "
    return f"{told}but of an untrained encoder as well."


def _unproved(choices: Sequence[Standing], every: Sequence[Identity], names: dict[Identity, str]) -> str:
    """Names the encoders that lead wherever they were measured, which is not everywhere."""
    seen = {name: [each for each in choices if name in each.found] for name in every}
    partial = [name for name, held in seen.items() if 0 < len(held) < len(choices)]
    partial = [name for name in partial if all(name in each.level for each in seen[name])]
    if not partial:
        return ""
    does = "does as well where it was measured" if len(partial) == 1 else "do as well where they were measured"
    return f" {join(names[name] for name in partial)} {does}, which is not everywhere."


def _line(standing: Standing, names: dict[Identity, str]) -> str:
    """What one protocol says, with its figures and how they were compared."""
    best, reference = standing.found[standing.best], standing.references.get(standing.best[1])
    told = f"{standing.heading}: {names[standing.best]} has {_value(best)}"
    others = [name for name in standing.found if name != standing.best]
    if others:
        second = standing.found[others[0]]
        difference = best.minus(second)
        behind = [name for name in others if name not in standing.level]
        told += f". {names[others[0]]} has {_value(second)}, {_compared(difference, best.value - second.value)}"
        level = [names[name] for name in others[1:] if name in standing.level] if standing.told else []
        told += f"; {join(level)} {'is' if len(level) == 1 else 'are'} within the noise too" if level else ""
        rest = [names[name] for name in behind if name != others[0]]
        told += f"; {join(rest)} {'is' if len(rest) == 1 else 'are'} behind by more than the noise" if rest else ""
    if reference is not None:
        protocol = standing.settings[0]
        told += f". {encoder_name(reference.encoder, protocol)}: {_value(reference)}, "
        told += _compared(best.minus(reference), best.value - reference.value)
    return told + "."


def _value(each: Estimate) -> str:
    return percent(each.value) + (f" over {each.runs} seeds" if each.runs > 1 else "")


def _compared(difference: Difference | None, value: float) -> str:
    """How far something is behind what leads, and whether that is more than noise."""
    lead = f"{points(value, 1)} {'behind' if value >= 0 else 'ahead'}"
    if difference is None:
        return f"{lead}, and without intervals of both, luck cannot be told from a difference"
    how = "by the same queries" if difference.paired else "by the two intervals"
    verdict = "more than the noise" if difference.larger else "within the noise"
    return f"{lead}, {verdict} ({how}: {signed_points(difference.low, difference.high)})"
