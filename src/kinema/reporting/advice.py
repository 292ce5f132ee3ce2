"""Which encoder should be used further: from the figures and their intervals, and from nothing else.

What leads or is level with what leads by every measurement may be used.
"""

from __future__ import annotations

from collections.abc import Sequence

from kinema.core.protocol import Metric
from kinema.core.vocabulary import Vocabulary
from kinema.reporting.estimates import Difference, Estimate
from kinema.reporting.next_steps import next_steps
from kinema.reporting.pooled import Group
from kinema.reporting.ranking import Identity, Ranking, distinct_names, rankings
from kinema.reporting.report import Advice, Row, RunRecord
from kinema.reporting.supervised import missing_reference
from kinema.reporting.wording import difference as difference_text
from kinema.reporting.wording import difference_bounds, join, metric_value


def advice(runs: Sequence[RunRecord], rows: Sequence[Row], groups: Sequence[Group], vocabulary: Vocabulary) -> Advice:
    """Which encoder to keep.

    Args:
        runs: the runs.
        rows: what was measured in them, each row's main selection first.
        groups: the same by recipe.
        vocabulary: what encoders and protocols are.
    """
    found = rankings(runs, rows, groups, vocabulary)
    missing = missing_reference(runs, rows, groups, vocabulary)
    if not found:
        return Advice("", steps=(missing,) if missing else ())
    names = distinct_names(found, groups, vocabulary)
    sentence, chosen = _sentence(found, names)
    steps = next_steps(found, names, chosen, runs, groups, vocabulary)
    lines = tuple(_line(each, names, vocabulary) for each in found)
    return Advice(sentence, lines, (*steps, *([missing] if missing else [])))


def _sentence(found: Sequence[Ranking], names: dict[Identity, str]) -> tuple[str, tuple[Identity, ...]]:
    """The answer, and the encoders that it names."""
    choices = [each for each in found if each.decisive]
    every = list(dict.fromkeys(name for each in found for name in each.estimates))
    idle = [name for name in every if _idle(name, found)]
    if len(idle) == len(every):
        return "Keep none yet: no encoder is better than an untrained one by more than the noise.", ()
    if not choices:
        if len(every) == 1:
            return f"There is nothing to choose between: {names[every[0]]} alone was measured.", tuple(every)
        reason = "No two encoders were measured by one protocol on the same data, with intervals"
        return f"{reason}, so none can be preferred.", ()
    many = "both" if len(choices) == 2 else f"all {len(choices)}"
    where = f"by {choices[0].heading}" if len(choices) == 1 else f"by {many} measurements that compare them"
    level = [name for name in every if all(name in each.level for each in choices)]
    chosen = tuple(name for name in level if name not in idle)
    once = any(each.estimates[name].runs == 1 for each in choices for name in each.estimates)
    more = _passed_over([name for name in level if name in idle], names)
    more += " Encoders of one seed are compared as they are: another seed might turn the order." if once else ""
    more += _partly_measured(choices, [name for name in every if name not in idle], names)
    if len(chosen) == 1 and all(each.level == chosen for each in choices):
        return f"Keep {names[chosen[0]]}: {where}, it is ahead of every other by more than the noise.{more}", chosen
    if len(chosen) == 1:
        return f"Keep {names[chosen[0]]}: {where}, it alone leads or is within the noise of what leads.{more}", chosen
    if chosen:
        any_of = f"Keep any of {join(names[name] for name in chosen)}: {where}, each leads or is within the noise of "
        return f"{any_of}what leads, so let the cost decide.{more}", chosen
    by_best: dict[Identity, list[str]] = {}
    for each in choices:
        best = next((name for name in each.estimates if name not in idle), each.best)
        by_best.setdefault(best, []).append(each.heading)
    leaders = "; ".join(f"{names[name]} leads by {join(headings)}" for name, headings in by_best.items())
    return f"It depends on the use, for no encoder does well by every measurement: {leaders}.{more}", tuple(by_best)


def _idle(name: Identity, found: Sequence[Ranking]) -> bool:
    """Whether an encoder was held against an untrained one, and was nowhere better by more than the uncertainty."""
    above = [known for each in found if (known := each.above_reference(name)) is not None]
    return bool(above) and not any(above)


def _passed_over(idle: Sequence[Identity], names: dict[Identity, str]) -> str:
    """Names the encoders that are level with what leads and with an untrained one too."""
    if not idle:
        return ""
    level = f" {join(names[name] for name in idle)} {'is' if len(idle) == 1 else 'are'} within the noise of that too, "
    return f"{level}but of an untrained encoder as well."


def _partly_measured(choices: Sequence[Ranking], every: Sequence[Identity], names: dict[Identity, str]) -> str:
    """Names the encoders that lead wherever they were measured, which is not everywhere."""
    seen = {name: [each for each in choices if name in each.estimates] for name in every}
    partial = [name for name, measured in seen.items() if 0 < len(measured) < len(choices)]
    partial = [name for name in partial if all(name in each.level for each in seen[name])]
    if not partial:
        return ""
    does = "does as well where it was measured" if len(partial) == 1 else "do as well where they were measured"
    return f" {join(names[name] for name in partial)} {does}, which is not everywhere."


def _line(ranking: Ranking, names: dict[Identity, str], vocabulary: Vocabulary) -> str:
    """What one protocol says, with its figures and how they were compared."""
    metric, found = ranking.metric, ranking.estimates
    best, reference = found[ranking.best], ranking.references.get(ranking.best[1])
    line = f"{ranking.heading}: {names[ranking.best]} has {_value(metric, best)}"
    others = [name for name in found if name != ranking.best]
    if others:
        second = found[others[0]]
        behind = [name for name in others if name not in ranking.level]
        line += f". {names[others[0]]} has {_value(metric, second)}, {_compared(metric, best, second)}"
        level = [names[name] for name in others[1:] if name in ranking.level] if ranking.decisive else []
        line += f"; {join(level)} {'is' if len(level) == 1 else 'are'} within the noise too" if level else ""
        rest = [names[name] for name in behind if name != others[0]]
        line += f"; {join(rest)} {'is' if len(rest) == 1 else 'are'} behind by more than the noise" if rest else ""
    if reference is not None:
        title = vocabulary.title(reference.encoder, ranking.protocol.name)
        line += f". {title}: {_value(metric, reference)}, {_compared(metric, best, reference)}"
    return line + "."


def _value(metric: Metric, each: Estimate) -> str:
    return metric_value(metric, each.value) + (f" over {each.runs} seeds" if each.runs > 1 else "")


def _compared(metric: Metric, best: Estimate, other: Estimate) -> str:
    """How far something is behind what leads, and whether that is more than noise."""
    difference: Difference | None = best.minus(other)
    value = best.score - other.score
    lead = f"{difference_text(metric, value)} {'behind' if value >= 0 else 'ahead'}"
    if difference is None:
        return f"{lead}, and without intervals of both, luck cannot be told from a difference"
    how = "by the same queries" if difference.paired else "by the two intervals"
    verdict = "more than the noise" if difference.larger else "within the noise"
    return f"{lead}, {verdict} ({how}: {difference_bounds(metric, difference.low, difference.high)})"
