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
from kinema.reporting.wording import difference_bounds, join, metric_value, side


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
    sentence, chosen = _sentence(found, names, vocabulary)
    steps = next_steps(found, names, chosen, runs, groups, vocabulary)
    lines = tuple(_line(each, names, vocabulary) for each in found)
    return Advice(sentence, lines, (*steps, *([missing] if missing else [])))


ONCE = (
    " With one seed, this decides nothing about a method, only about this run of it: another seed might turn the order."
)
"""Follows where an encoder that is compared has one seed."""


def _sentence(
    found: Sequence[Ranking], names: dict[Identity, str], vocabulary: Vocabulary
) -> tuple[str, tuple[Identity, ...]]:
    """The answer, and the encoders that it names."""
    choices = [each for each in found if each.decisive]
    every = list(dict.fromkeys(name for each in found for name in each.estimates))
    idle = [name for name in every if _idle(name, found)]
    floor = _reference(found, vocabulary)
    if len(idle) == len(every):
        return f"Keep none yet: no encoder is better than {floor} by more than the noise.", ()
    if not choices:
        if len(every) == 1:
            return f"There is nothing to choose between: {names[every[0]]} is all that could be kept.", tuple(every)
        return "No measurement has two encoders or more with an interval of each lead, so none can be preferred.", ()
    level = [name for name in every if all(name in each.level for each in choices)]
    chosen = tuple(name for name in level if name not in idle)
    once = any(each.estimates[name].runs == 1 for each in choices for name in each.estimates)
    more = ONCE if once else ""
    more += _partly_measured(choices, [name for name in every if name not in idle], names)
    many = "both" if len(choices) == 2 else f"all {len(choices)}"
    where = f"by {choices[0].heading}" if len(choices) == 1 else f"by {many} measurements that compare them"
    if not chosen:
        sentence, leaders = _no_choice(choices, level, idle, names, where, floor)
        return sentence + more, leaders
    more = _passed_over([name for name in level if name in idle], names, floor) + more
    if len(chosen) > 1:
        any_of = f"Keep any of {join(names[name] for name in chosen)}: {where}, each leads or is within the noise of "
        return f"{any_of}what leads, so let the cost decide.{more}", chosen
    if all(_ahead_of_all(chosen[0], each) for each in choices):
        return f"Keep {names[chosen[0]]}: {where}, it is ahead of every other by more than the noise.{more}", chosen
    alone = "it alone leads" if len(level) == 1 else "it leads"
    return f"Keep {names[chosen[0]]}: {where}, {alone} or is within the noise of what leads.{more}", chosen


def _no_choice(
    choices: Sequence[Ranking],
    level: Sequence[Identity],
    idle: Sequence[Identity],
    names: dict[Identity, str],
    where: str,
    floor: str,
) -> tuple[str, tuple[Identity, ...]]:
    """The answer where nothing that is better than its reference does well by every measurement."""
    leads: dict[Identity, list[str]] = {}
    for each in choices:
        first = next((name for name in each.estimates if name not in idle), None)
        if first is not None:
            passed = [names[name] for name in list(each.estimates)[: list(each.estimates).index(first)]]
            after = f" (after {join(passed)}, no better than {floor})" if passed else ""
            leads.setdefault(first, []).append(each.heading + after)
    leaders = "; ".join(f"{names[name]} leads by {join(headings)}" for name, headings in leads.items())
    if not level:
        why = "It depends on the use, for no encoder does well by every measurement"
        return f"{why}{': ' if leaders else ''}{leaders}.", tuple(leads)
    one = len(level) == 1
    what = f"{join(names[name] for name in level)} {'leads or is' if one else 'lead or are'} within the noise of what "
    but = f"{what}leads, but {'is' if one else 'are'} no better than {floor} by more than the noise"
    return f"None can be preferred: {where}, {but}{'; of the others ' if leaders else ''}{leaders}.", tuple(leads)


def _reference(found: Sequence[Ranking], vocabulary: Vocabulary) -> str:
    """What the encoders are held against, in words."""
    untrained = all(
        vocabulary.is_untrained(reference.encoder) and not each.protocol.from_scratch
        for each in found
        for reference in each.references.values()
    )
    return "an untrained one" if untrained else "its reference, untrained or supervised,"


def _ahead_of_all(name: Identity, ranking: Ranking) -> bool:
    """Whether an encoder is ahead of every other by more than the uncertainty."""
    own = ranking.estimates[name]
    leads = [own.minus(other) for each, other in ranking.estimates.items() if each != name]
    return all(lead is not None and lead.better for lead in leads)


def _idle(name: Identity, found: Sequence[Ranking]) -> bool:
    """Whether an encoder was held against an untrained one, and was nowhere better by more than the uncertainty."""
    above = [known for each in found if (known := each.above_reference(name)) is not None]
    return bool(above) and not any(above)


def _passed_over(idle: Sequence[Identity], names: dict[Identity, str], floor: str) -> str:
    """Names the encoders that are level with what leads, but no better than their reference."""
    if not idle:
        return ""
    one = len(idle) == 1
    level = f" {join(names[name] for name in idle)} {'leads or is' if one else 'lead or are'} within the noise of what "
    return f"{level}leads too, but {'is' if one else 'are'} no better than {floor} by more than the noise."


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
        line += f". {names[others[0]]} has {_value(metric, second)}, {_compared(metric, best, second)}"
        leads = {name: lead for name in others[1:] if (lead := best.minus(found[name])) is not None}
        for words, kept in (
            ("within the noise too", [name for name, lead in leads.items() if not lead.larger]),
            ("behind by more than the noise", [name for name, lead in leads.items() if lead.better]),
            (
                "ahead by more than the noise, by the seeds that both have",
                [n for n, lead in leads.items() if lead.worse],
            ),
        ):
            line += (
                f"; {join(names[name] for name in kept)} {'is' if len(kept) == 1 else 'are'} {words}" if kept else ""
            )
        unknown = [names[name] for name in others[1:] if name not in leads]
        line += f"; of {join(unknown)} there is no interval" if unknown else ""
    if reference is not None:
        title = vocabulary.title(reference.encoder, ranking.protocol.name)
        line += f". {title}: {_value(metric, reference)}, {_compared(metric, best, reference)}"
    return line + "."


def _value(metric: Metric, each: Estimate) -> str:
    return metric_value(metric, each.value) + (f" over {each.runs} seeds" if each.runs > 1 else "")


def _compared(metric: Metric, best: Estimate, other: Estimate) -> str:
    """How far something is behind what leads, and whether that is more than noise."""
    difference: Difference | None = best.minus(other)
    lead = side(metric, -best.lead_over(other))
    if difference is None:
        return f"{lead}, and without intervals of both, luck cannot be told from a difference"
    verdict = "more than the noise" if difference.larger else "within the noise"
    return f"{lead}, {verdict} ({difference.how}: {difference_bounds(metric, *difference.lead_bounds)})"
